//! A group's node: what goes into raft-rs, and what is to be seen of it. What comes out of it is in `ready`.

use super::commits::Commits;
use super::elections::ElectionTimer;
use super::ready::Unpersisted;
use super::start::{GroupConfig, GroupStart, raw_node};
use super::storage::GroupStorage;
use super::uncommitted::Uncommitted;
use crate::clock::Fence;
use crate::planted::planted;
use campanile_storage::ids::{GroupId, Index, MemberId, Term};
use campanile_storage::log::{Cut, HardState};
use raft::eraftpb::{Message, MessageType};
use raft::{RawNode, StateRole};
use std::collections::{BTreeSet, VecDeque};

/// A place in a group's log: the last entry before it, and the newest fence up to there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub cut: Cut,
    pub fence: Fence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Follower,
    Candidate,
    Leader,
}

pub struct Group {
    pub(super) id: GroupId,
    pub(super) raw: RawNode<GroupStorage>,
    pub(super) hard_state: HardState,
    /// The term that the disk is known to have.
    pub(super) durable_term: Term,
    /// Behind the newest entry that was applied. Whoever applies entries moves it on.
    pub place: Place,
    pub(super) commits: Commits,
    /// In the order of their batches.
    pub(super) unpersisted: VecDeque<Unpersisted>,
    uncommitted: Uncommitted,
    pub(super) committed_bytes_max: u64,
    election_timer: Option<ElectionTimer>,
    behind: BTreeSet<MemberId>,
}

impl Group {
    /// A group as it was left. Only the control group campaigns by itself.
    #[must_use]
    pub fn new(id: GroupId, config: &GroupConfig, start: GroupStart) -> Group {
        let is_control = id == GroupId::CONTROL;
        let election_timer = is_control.then(|| ElectionTimer::new(config.election_ticks as u64, config.seed));
        let hard_state = start.hard_state;
        let place = Place { cut: start.cut, fence: start.fence };
        Group {
            id,
            raw: raw_node(id, config, start),
            hard_state,
            durable_term: hard_state.term.max(place.cut.term),
            place,
            commits: Commits::new(hard_state.commit.max(place.cut.index), hard_state.term),
            unpersisted: VecDeque::new(),
            uncommitted: Uncommitted::new(config.bounds.uncommitted_bytes_max),
            committed_bytes_max: config.bounds.committed_bytes_max,
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
            && self.uncommitted.has_room_behind(waiting_bytes)
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
        self.uncommitted.push(index, bytes);
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

    /// Takes note of a moved commit index together with the term of this moment.
    pub(super) fn notice_commit(&mut self) {
        let commit = self.commit();
        self.commits.notice(commit, self.term());
        self.uncommitted.release(commit);
        if self.raw.raft.state != StateRole::Leader {
            self.uncommitted.clear();
        }
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
    use super::super::bounds::GroupBounds;
    use super::super::ready::Collected;
    use super::*;

    #[test]
    fn a_single_voter_leads_for_good_when_its_vote_is_durable() {
        let member = MemberId(1);
        let bounds = GroupBounds::default();
        let config =
            GroupConfig { member, voters: vec![member], heartbeat_ticks: 1, election_ticks: 10, seed: 1, bounds };
        let mut group = Group::new(GroupId::CONTROL, &config, GroupStart::default());
        group.campaign();
        assert_eq!((group.role(), group.leads_for_good()), (Role::Leader, false), "it may win this term once more");
        group.collect(1, &mut Collected::default());
        assert!(!group.leads_for_good(), "the vote is on its way to the disk");
        group.persisted(1);
        assert!(group.leads_for_good());
    }
}
