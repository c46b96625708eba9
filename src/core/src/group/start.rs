//! Where a group starts from, and what raft-rs is configured to.

use super::bounds::GroupBounds;
use super::conversion::to_raft;
use super::elections::RAFT_TIMEOUT_FACTOR;
use super::storage::GroupStorage;
use crate::clock::Fence;
use crate::planted::planted;
use campanile_storage::ids::{GroupId, MemberId};
use campanile_storage::log::{Cut, Entry, HardState};
use raft::eraftpb::ConfState;
use raft::{Config, RawNode};

/// What a group needs to know of its member.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    pub member: MemberId,
    pub voters: Vec<MemberId>,
    pub heartbeat_ticks: usize,
    pub election_ticks: usize,
    pub seed: u64,
    pub bounds: GroupBounds,
}

/// Where a group starts from: what recovery found, or nothing.
#[derive(Clone, Debug, Default)]
pub struct GroupStart {
    pub hard_state: HardState,
    /// The entry before the first of `entries`; everything up to it is in the checkpoint.
    pub cut: Cut,
    /// The newest fence up to the cut.
    pub fence: Fence,
    /// The voters at the cut; none if the group begins here, with those of the cluster.
    pub voters: Vec<MemberId>,
    pub entries: Vec<Entry>,
}

/// Only the control group checks its quorum: followers of data groups are not ticked, and with check_quorum they would
/// refuse every vote for ever.
fn raft_config(id: GroupId, config: &GroupConfig, cut: Cut) -> Config {
    let mut raft_config = Config::new(config.member.0);
    raft_config.heartbeat_tick = config.heartbeat_ticks;
    raft_config.election_tick = config.election_ticks;
    raft_config.min_election_tick = config.election_ticks * RAFT_TIMEOUT_FACTOR;
    raft_config.max_election_tick = config.election_ticks * RAFT_TIMEOUT_FACTOR + 1;
    raft_config.applied = cut.index.0;
    raft_config.max_size_per_msg = config.bounds.message_bytes_max;
    raft_config.max_inflight_msgs = config.bounds.messages_in_flight_max;
    raft_config.max_committed_size_per_ready = config.bounds.committed_bytes_max;
    raft_config.pre_vote = true;
    raft_config.check_quorum = id == GroupId::CONTROL || planted!(QuorumCheckedInData);
    // raft 0.7.0 would put entries into an unsent empty append of another place in the log: its `is_continuous_ents`
    // asks nothing of an empty one. The follower then acknowledges more than it has.
    raft_config.batch_append = planted!(AppendsBatched);
    raft_config
}

/// raft-rs's node of a group as it was left.
pub(super) fn raw_node(id: GroupId, config: &GroupConfig, start: GroupStart) -> RawNode<GroupStorage> {
    let voters = if start.voters.is_empty() { &config.voters } else { &start.voters };
    let voters: Vec<u64> = voters.iter().map(|voter| voter.0).collect();
    let conf_state = ConfState::from((voters, Vec::new()));
    let hard_state = raft::eraftpb::HardState {
        term: start.hard_state.term.max(start.cut.term).0,
        vote: start.hard_state.vote.0,
        commit: start.hard_state.commit.max(start.cut.index).0,
        ..Default::default()
    };
    let entries = start.entries.into_iter().map(to_raft).collect();
    let storage = GroupStorage::new(hard_state, conf_state, (start.cut.index, start.cut.term), entries);
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    let raft_config = raft_config(id, config, start.cut);
    RawNode::new(&raft_config, storage, &logger).expect("the configuration of a group is valid")
}
