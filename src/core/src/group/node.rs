//! A group's node: steps raft-rs, and hands out what is to be persisted, sent and applied.

use super::conversion::{from_raft, from_raft_state, to_raft};
use super::elections::{ElectionTimer, RAFT_TIMEOUT_FACTOR};
use super::storage::GroupStorage;
use crate::clock::Fence;
use crate::clock::batch::ENTRY_BYTES_MAX;
use crate::planted::planted;
use campanile_storage::ids::{GroupId, Index, MemberId, Term};
use campanile_storage::log::{Cut, Entry, HardState, Update};
use raft::eraftpb::{ConfState, Message, MessageType};
use raft::{Config, RawNode, StateRole};
use std::collections::{BTreeSet, VecDeque};

/// Largest append message, unless a single entry is larger, which only a single change makes.
const MESSAGE_BYTES_MAX: u64 = ENTRY_BYTES_MAX as u64;
/// Append messages under way to one follower.
const MESSAGES_IN_FLIGHT_MAX: usize = 128;
/// Proposed and not yet committed bytes at which a group takes no more: our own admission limit. raft-rs has none set,
/// because a revision that was taken must never fail to be proposed. The last one taken may go beyond it, however large:
/// what a request changes is what it brought, and keys that the shard holds in memory anyway.
const UNCOMMITTED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Committed entries handed out at once.
const COMMITTED_BYTES_MAX: u64 = 1024 * 1024;

/// What a group needs to know of its member.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    pub member: MemberId,
    pub voters: Vec<MemberId>,
    pub heartbeat_ticks: usize,
    pub election_ticks: usize,
    pub seed: u64,
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

/// A place in a group's log: the last entry before it, and the newest fence up to there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub cut: Cut,
    pub fence: Fence,
}

/// An entry that is committed, in log order.
#[derive(Clone, Debug)]
pub struct CommittedEntry {
    pub entry: Entry,
    /// Whether this member saw it committed while the group was still in the entry's own term.
    pub in_own_term: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Follower,
    Candidate,
    Leader,
}

/// What a group wants done. Appends go into the batch that was named to [`Group::collect`].
#[derive(Debug, Default)]
pub struct Collected {
    pub append: Option<Update>,
    pub messages: Vec<Message>,
    pub committed: Vec<CommittedEntry>,
    /// Contexts of read-index questions that a quorum has confirmed.
    pub confirmed: Vec<Vec<u8>>,
}

/// What waits for a batch to be durable.
#[derive(Debug)]
struct Unpersisted {
    batch: u64,
    ready: u64,
    term: Term,
    messages: Vec<Message>,
}

pub struct Group {
    id: GroupId,
    raw: RawNode<GroupStorage>,
    hard_state: HardState,
    /// The term that the disk is known to have.
    durable_term: Term,
    /// Behind the newest entry that was applied. Whoever applies entries moves it on.
    pub place: Place,
    /// Commit indexes as they were noticed, each with the group's term then; the front is handed out first.
    commits: VecDeque<(Index, Term)>,
    unpersisted: VecDeque<Unpersisted>,
    uncommitted: VecDeque<(Index, usize)>,
    uncommitted_bytes: usize,
    election_timer: Option<ElectionTimer>,
    behind: BTreeSet<MemberId>,
}

impl Group {
    /// A group as it was left. Only the control group campaigns by itself and checks its quorum: followers of data
    /// groups are not ticked, and with check_quorum they would refuse every vote for ever.
    #[must_use]
    pub fn new(id: GroupId, config: &GroupConfig, start: GroupStart) -> Group {
        let is_control = id == GroupId::CONTROL;
        let mut raft_config = Config::new(config.member.0);
        raft_config.heartbeat_tick = config.heartbeat_ticks;
        raft_config.election_tick = config.election_ticks;
        raft_config.min_election_tick = config.election_ticks * RAFT_TIMEOUT_FACTOR;
        raft_config.max_election_tick = config.election_ticks * RAFT_TIMEOUT_FACTOR + 1;
        raft_config.applied = start.cut.index.0;
        raft_config.max_size_per_msg = MESSAGE_BYTES_MAX;
        raft_config.max_inflight_msgs = MESSAGES_IN_FLIGHT_MAX;
        raft_config.max_committed_size_per_ready = COMMITTED_BYTES_MAX;
        raft_config.pre_vote = true;
        raft_config.check_quorum = is_control || planted!(QuorumCheckedInData);
        // raft 0.7.0 would put entries into an unsent empty append of another place in the log: its `is_continuous_ents`
        // asks nothing of an empty one. The follower then acknowledges more than it has.
        raft_config.batch_append = planted!(AppendsBatched);
        let voters = if start.voters.is_empty() { &config.voters } else { &start.voters };
        let voters: Vec<u64> = voters.iter().map(|voter| voter.0).collect();
        let conf_state = ConfState::from((voters, Vec::new()));
        let HardState { term, vote, commit } = start.hard_state;
        let hard_state = raft::eraftpb::HardState {
            term: term.0.max(start.cut.term.0),
            vote: vote.0,
            commit: commit.0.max(start.cut.index.0),
            ..Default::default()
        };
        let commits = VecDeque::from([(Index(hard_state.commit), term)]);
        let entries = start.entries.into_iter().map(to_raft).collect();
        let storage = GroupStorage::new(hard_state, conf_state, (start.cut.index, start.cut.term), entries);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&raft_config, storage, &logger).expect("the configuration of a group is valid");
        let election_timer = is_control.then(|| ElectionTimer::new(config.election_ticks as u64, config.seed));
        Group {
            id,
            raw,
            hard_state: start.hard_state,
            durable_term: term.max(start.cut.term),
            place: Place { cut: start.cut, fence: start.fence },
            commits,
            unpersisted: VecDeque::new(),
            uncommitted: VecDeque::new(),
            uncommitted_bytes: 0,
            election_timer,
            behind: BTreeSet::new(),
        }
    }

    #[must_use]
    pub fn id(&self) -> GroupId {
        self.id
    }

    #[must_use]
    pub fn term(&self) -> Term {
        Term(self.raw.raft.term)
    }

    #[must_use]
    pub fn role(&self) -> Role {
        match self.raw.raft.state {
            StateRole::Leader => Role::Leader,
            StateRole::Follower => Role::Follower,
            StateRole::Candidate | StateRole::PreCandidate => Role::Candidate,
        }
    }

    /// Whether this member leads, and will never lead again in this term. A single voter leads before its vote is durable:
    /// after a loss of power it may win the same term once more.
    #[must_use]
    pub fn leads_for_good(&self) -> bool {
        self.role() == Role::Leader && (self.durable_term == self.term() || planted!(EpochBeforeTerm))
    }

    /// Who votes in the group now.
    #[must_use]
    pub fn voters(&self) -> Vec<MemberId> {
        let mut voters: Vec<_> = self.raw.raft.prs().conf().voters().ids().iter().map(MemberId).collect();
        voters.sort_unstable();
        voters
    }

    #[must_use]
    pub fn leader(&self) -> Option<MemberId> {
        Some(self.raw.raft.leader_id).filter(|&id| id != raft::INVALID_ID).map(MemberId)
    }

    /// What is committed, as far as this member knows.
    #[must_use]
    pub fn commit(&self) -> Index {
        Index(self.raw.raft.raft_log.committed)
    }

    /// The end of the log, durable or not: (term, index), in the order in which Raft compares logs.
    #[must_use]
    pub fn end(&self) -> (Term, Index) {
        let log = &self.raw.raft.raft_log;
        (Term(log.last_term()), Index(log.last_index()))
    }

    /// Time goes on. Followers of data groups are not ticked.
    pub fn tick(&mut self) {
        if self.role() != Role::Leader && self.election_timer.is_none() {
            return;
        }
        self.raw.tick();
        if let Some(timer) = &mut self.election_timer
            && self.raw.raft.state != StateRole::Leader
            && timer.ran_out(self.raw.raft.election_elapsed as u64)
        {
            self.campaign();
        }
        self.notice_commit();
    }

    /// Stands for election, if this member is a voter of the group.
    pub fn campaign(&mut self) {
        let member = self.raw.raft.id;
        if self.role() == Role::Leader || !self.raw.raft.prs().conf().voters().contains(member) {
            return;
        }
        self.raw.raft.election_elapsed = 0;
        // raft-rs refuses a campaign while a configuration change is committed and not applied; the caller tries again.
        let _ = self.raw.campaign();
        self.notice_commit();
    }

    /// Gives the leadership up to nobody, and lets the others stand first.
    pub fn resign(&mut self) {
        let term = self.raw.raft.term;
        self.raw.raft.become_follower(term, raft::INVALID_ID);
        if let Some(timer) = &mut self.election_timer {
            timer.stand_back();
        }
    }

    pub fn transfer_leader(&mut self, to: MemberId) {
        self.raw.transfer_leader(to.0);
    }

    /// A message of another member. Proposals of others are dropped: a group is only ever proposed to by its leader.
    pub fn step(&mut self, message: Message) {
        let kind = message.get_msg_type();
        if kind == MessageType::MsgSnapshot
            || kind == MessageType::MsgPropose && !planted!(ForwardedCounts)
            || message.to != self.raw.raft.id
            || self.claims_unknown_commit(&message)
        {
            return;
        }
        self.note_caught_up(&message);
        // What was asked for before this member spoke says nothing of what it has now.
        self.raw.store().take_behind();
        let from = message.from;
        // raft-rs reports messages of removed members and the like as errors; there is nothing to do about them.
        let _ = self.raw.step(message);
        if self.raw.store().take_behind().contains(&from) {
            self.behind.insert(MemberId(from));
        }
        self.notice_commit();
    }

    /// raft-rs panics on a heartbeat that commits beyond the end of the log. Only a member that lost its disk can cause it.
    fn claims_unknown_commit(&self, message: &Message) -> bool {
        message.get_msg_type() == MessageType::MsgHeartbeat && message.commit > self.end().1.0
    }

    /// A follower that has installed a checkpoint does not say so in a message of Raft's, and the leader's appends would
    /// begin before what it holds for ever. But what a follower answers to be committed it has, durably, and has in
    /// common with every leader.
    fn note_caught_up(&mut self, message: &Message) {
        let raft = &mut self.raw.raft;
        let answers = message.get_msg_type() == MessageType::MsgHeartbeatResponse && message.term == raft.term;
        if !answers || raft.state != StateRole::Leader {
            return;
        }
        let (first, last) = (raft.raft_log.first_index(), raft.raft_log.last_index());
        if let Some(progress) = raft.mut_prs().get_mut(message.from)
            && progress.next_idx < first
            && (first - 1..=last).contains(&message.commit)
        {
            progress.maybe_update(message.commit);
        }
    }

    /// Whether a proposal cannot fail now. Asked before a revision is taken.
    #[must_use]
    pub fn can_propose(&self) -> bool {
        self.can_propose_behind(0)
    }

    /// The same of a proposal that comes behind others, of so many bytes together, in the same poll.
    #[must_use]
    pub fn can_propose_behind(&self, waiting_bytes: usize) -> bool {
        let raft = &self.raw.raft;
        raft.state == StateRole::Leader
            && raft.lead_transferee.is_none()
            && self.uncommitted_bytes + waiting_bytes < UNCOMMITTED_BYTES_MAX
    }

    /// Appends an entry to the log of a group that this member leads, and says where it stands.
    ///
    /// # Errors
    /// If the group refuses although [`Group::can_propose`] said yes in the same poll; the reign must end.
    pub fn propose(&mut self, payload: Vec<u8>) -> Result<Index, raft::Error> {
        if self.raw.raft.state != StateRole::Leader && !planted!(ForwardedCounts) {
            return Err(raft::Error::ProposalDropped);
        }
        let bytes = payload.len();
        self.raw.propose(Vec::new(), payload)?;
        let index = self.end().1;
        self.uncommitted.push_back((index, bytes));
        self.uncommitted_bytes += bytes;
        self.notice_commit();
        Ok(index)
    }

    /// Asks a quorum whether this member still leads. The context must be new for every attempt.
    pub fn confirm(&mut self, context: Vec<u8>) {
        self.raw.read_index(context);
    }

    /// Whether the leader has committed an entry of its own term: before that raft-rs drops a read index silently.
    #[must_use]
    pub fn can_confirm(&self) -> bool {
        self.raw.raft.state == StateRole::Leader && self.raw.raft.commit_to_current_term()
    }

    /// Takes what is to be done since the last call. What must be durable belongs to the given batch. A group that has very
    /// much to hand out, as after a restart, hands out a part; the next call goes on.
    pub fn collect(&mut self, batch: u64, collected: &mut Collected) {
        let mut committed_bytes = 0;
        while committed_bytes < COMMITTED_BYTES_MAX && self.raw.has_ready() {
            let mut ready = self.raw.ready();
            collected.messages.append(&mut ready.take_messages());
            let persisted_messages = ready.take_persisted_messages();
            collected.confirmed.extend(ready.take_read_states().into_iter().map(|state| state.request_ctx));
            let must_persist = ready.must_sync() || !ready.entries().is_empty();
            if let Some(hard_state) = ready.hs() {
                self.hard_state = from_raft_state(hard_state);
            }
            let entries = ready.take_entries();
            if must_persist {
                self.append_to(&entries, collected);
            }
            self.raw.mut_store().append(entries);
            let committed = ready.take_committed_entries();
            let number = ready.number();
            self.raw.advance_append_async(ready);
            self.raw.advance_apply();
            self.await_batch(batch, number, must_persist, persisted_messages, collected);
            for entry in committed {
                committed_bytes += entry.data.len() as u64;
                self.hand_out(entry, collected);
            }
            self.notice_commit();
        }
    }

    fn append_to(&self, entries: &[raft::eraftpb::Entry], collected: &mut Collected) {
        let append =
            collected.append.get_or_insert_with(|| Update { group: self.id, hard_state: None, entries: Vec::new() });
        append.hard_state = Some(self.hard_state);
        if planted!(VoteForgotten) {
            append.hard_state = Some(HardState { vote: MemberId::NONE, ..self.hard_state });
        }
        append.entries.extend(entries.iter().map(from_raft));
    }

    /// Messages that attest something wait for the batch that makes it durable, or for the newest one under way.
    fn await_batch(
        &mut self,
        batch: u64,
        ready: u64,
        must_persist: bool,
        messages: Vec<Message>,
        collected: &mut Collected,
    ) {
        if planted!(SendBeforeDurable) {
            collected.messages.extend(messages.iter().cloned());
        }
        let batch = match self.unpersisted.back() {
            _ if must_persist => batch,
            Some(newest) => newest.batch,
            None => {
                self.raw.on_persist_ready(ready);
                collected.messages.extend(messages);
                return;
            }
        };
        self.unpersisted.push_back(Unpersisted { batch, ready, term: self.hard_state.term, messages });
    }

    /// Everything up to this batch is durable. Returns the messages that waited for it.
    pub fn persisted(&mut self, batch: u64) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(unpersisted) = self.unpersisted.pop_front_if(|unpersisted| unpersisted.batch <= batch) {
            self.raw.on_persist_ready(unpersisted.ready);
            self.durable_term = unpersisted.term;
            messages.extend(unpersisted.messages);
        }
        self.notice_commit();
        messages
    }

    /// Takes note of a moved commit index together with the term of this moment.
    fn notice_commit(&mut self) {
        let commit = self.commit();
        let term = self.term();
        let newest = self.commits.back().map_or(Index(0), |&(index, _)| index);
        if commit > newest {
            match self.commits.back_mut() {
                Some(back) if back.1 == term => back.0 = commit,
                _ => self.commits.push_back((commit, term)),
            }
        }
        while let Some((_, bytes)) = self.uncommitted.pop_front_if(|(index, _)| *index <= commit) {
            self.uncommitted_bytes -= bytes;
        }
        if self.raw.raft.state != StateRole::Leader {
            self.uncommitted.clear();
            self.uncommitted_bytes = 0;
        }
    }

    fn hand_out(&mut self, entry: raft::eraftpb::Entry, collected: &mut Collected) {
        while self.commits.len() > 1 && self.commits.front().is_some_and(|&(index, _)| index.0 < entry.index) {
            self.commits.pop_front();
        }
        let noticed_in = self.commits.front().filter(|&&(index, _)| index.0 >= entry.index).map(|&(_, term)| term);
        let in_own_term = noticed_in == Some(Term(entry.term));
        collected.committed.push(CommittedEntry { entry: from_raft(&entry), in_own_term });
    }

    /// Whether [`Group::trim`] would drop something. Nobody asks a single voter for entries.
    #[must_use]
    pub fn is_trimmable(&self, keep_bytes: usize) -> bool {
        self.is_alone() || self.payload_bytes() > keep_bytes
    }

    /// Drops applied entries from memory beyond a bound, never above `up_to`.
    pub fn trim(&mut self, up_to: Index, keep_bytes: usize) {
        let applied = Index(self.raw.raft.raft_log.applied).min(up_to);
        let keep_bytes = if self.is_alone() { 0 } else { keep_bytes };
        self.raw.mut_store().trim(applied, keep_bytes);
    }

    fn is_alone(&self) -> bool {
        self.raw.raft.prs().conf().voters().ids().iter().count() == 1
    }

    /// The followers whose answers showed that they need entries which are in memory no more, since this was last asked.
    #[must_use]
    pub fn take_behind(&mut self) -> BTreeSet<MemberId> {
        std::mem::take(&mut self.behind)
    }

    /// The term of an entry that is still held, or of the cut.
    #[must_use]
    pub fn entry_term(&self, index: Index) -> Option<Term> {
        self.raw.raft.raft_log.term(index.0).ok().map(Term)
    }

    /// Whether the log holds this entry, which is committed somewhere. Only what was handed out to be persisted counts.
    #[must_use]
    pub fn holds(&self, committed: Cut) -> bool {
        let held_term = || raft::Storage::term(self.raw.store(), committed.index.0).ok().map(Term);
        committed.index <= self.place.cut.index || held_term() == Some(committed.term)
    }

    #[must_use]
    pub fn hard_state(&self) -> HardState {
        self.hard_state
    }

    /// Bytes of payloads held in memory, of the entries up to this one.
    #[must_use]
    pub fn payload_bytes_up_to(&self, index: Index) -> usize {
        self.raw.store().payload_bytes_up_to(index)
    }

    /// Bytes of payloads held in memory.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.raw.store().payload_bytes()
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (term, index) = self.end();
        write!(formatter, "group {} {:?} term {} ", self.id, self.role(), self.term())?;
        write!(formatter, "end {term}/{index} commit {}", self.commit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_voter_leads_for_good_when_its_vote_is_durable() {
        let member = MemberId(1);
        let config = GroupConfig { member, voters: vec![member], heartbeat_ticks: 1, election_ticks: 10, seed: 1 };
        let mut group = Group::new(GroupId::CONTROL, &config, GroupStart::default());
        group.campaign();
        assert_eq!((group.role(), group.leads_for_good()), (Role::Leader, false), "it may win this term once more");
        group.collect(1, &mut Collected::default());
        assert!(!group.leads_for_good(), "the vote is on its way to the disk");
        group.persisted(1);
        assert!(group.leads_for_good());
    }
}
