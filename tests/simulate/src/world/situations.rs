//! Whether a run came into the situations that the traces of "One clock, many logs" are about. A trace that was never tried
//! is not shut: `tests/traces.rs` counts on these.
//!
//! It looks at what members do and say, and changes nothing. A situation is the last moment before the promise would break
//! without the rule; what happens then, the checkers say.

use super::World;
use super::ambush::Occasion;
use super::queue::Place;
use crate::record::history::Void;
use crate::record::situations as trace;
use campanile_core::clock::Epoch;
use campanile_core::clock::fragment::DataEntry;
use campanile_core::control::record::Record;
use campanile_core::executor::effect::Event;
use campanile_core::executor::message::Message;
use campanile_core::group::{Group, GroupStart, Role};
use campanile_core::peer::PeerMessage;
use campanile_core::request::{Operation, Request};
use campanile_storage::ids::{GroupId, Index, LeaseId, Revision, Term};
use campanile_storage::log::Update;
use campanile_storage::store::End;
use std::collections::{BTreeMap, BTreeSet};

/// What has to be remembered to know a situation.
#[derive(Debug, Default)]
pub struct Situations {
    /// Open reigns, as far as those know that have them.
    reigns: BTreeMap<usize, Epoch>,
    /// Who opened each epoch.
    openers: BTreeMap<Epoch, usize>,
    /// Members whose shards pause for a transaction over several of them.
    in_transaction: BTreeSet<usize>,
    /// Members that lead the control group, and in which term.
    leaders: BTreeMap<usize, Term>,
    /// Members whose open reign has ended, and that have not opened another in this life.
    ended: BTreeSet<usize>,
    /// In which term each member has led the control group last, in any of its lives.
    won: BTreeMap<usize, Term>,
    /// Of these, whose attempt at a reign has failed, and who have not begun another.
    ceased: BTreeSet<usize>,
    /// The base of the newest open.
    base: Option<Revision>,
    /// Members that write a checkpoint, and whether a compaction took effect meanwhile.
    checkpointing: BTreeMap<usize, bool>,
}

impl World {
    /// A member ends.
    pub(super) fn forget_situations(&mut self, member: usize) {
        self.situations.reigns.remove(&member);
        self.situations.in_transaction.remove(&member);
        self.situations.leaders.remove(&member);
        self.situations.ended.remove(&member);
        self.situations.ceased.remove(&member);
        self.situations.checkpointing.remove(&member);
    }

    /// Whether a member serves a reign that another one has followed already.
    fn is_stale(&self, member: usize) -> bool {
        let newest = self.situations.openers.last_key_value().map(|(epoch, _)| *epoch);
        self.situations.reigns.get(&member).copied().is_some_and(|epoch| Some(epoch) < newest)
    }

    pub(super) fn notice_event(&mut self, member: usize, event: &Event) {
        match event {
            Event::Opened { epoch, base } => {
                self.situations.base = Some(*base);
                self.come_by(member, Occasion::Opened);
                let before = self.situations.openers.last_key_value().map(|(epoch, opener)| (*epoch, *opener));
                if epoch.attempt > 0 {
                    self.counts.note(trace::BEGAN_AGAIN);
                }
                if before.is_some_and(|(_, opener)| !self.members[opener].is_up()) {
                    self.counts.note(trace::FOLLOWED_THE_DEAD);
                }
                if self.situations.ended.remove(&member) && before.is_some_and(|(_, opener)| opener != member) {
                    self.counts.note(trace::BACK_BEHIND_ANOTHER);
                }
                self.situations.openers.insert(*epoch, member);
                self.situations.reigns.insert(member, *epoch);
            }
            Event::Ceased { .. } => {
                self.situations.reigns.remove(&member);
                self.situations.ended.insert(member);
            }
            Event::Checkpoint { revision } => self.notice_checkpoint(member, *revision),
            _ => {}
        }
    }

    /// A member's checkpoint is live.
    fn notice_checkpoint(&mut self, member: usize, revision: Revision) {
        if self.situations.checkpointing.remove(&member) == Some(true) {
            self.counts.note(trace::COMPACTED_UNDER_A_CHECKPOINT);
            self.come_by(member, Occasion::Compacted);
        }
        if self.situations.base.is_some_and(|base| revision < base) {
            self.counts.note(trace::CHECKPOINT_BELOW_A_BASE);
            self.come_by(member, Occasion::CheckpointBelowBase);
        }
    }

    /// An executor tells another one of its member something.
    pub(super) fn notice_message(&mut self, place: Place, message: &Message) {
        let member = place.member;
        match message {
            Message::AskEnds { asker, .. } if *asker == self.members[member].id => {
                self.situations.ceased.remove(&member);
                self.come_by(member, Occasion::Elected);
            }
            Message::Gather { .. } => {
                self.situations.in_transaction.insert(member);
                self.come_by(member, Occasion::Gathered);
            }
            Message::Condemn { .. } => self.come_by(member, Occasion::Condemned),
            Message::Resume => {
                self.situations.in_transaction.remove(&member);
            }
            Message::Cease { resign, .. } => {
                if !resign {
                    self.situations.ceased.insert(member);
                }
                if self.situations.in_transaction.remove(&member) {
                    self.counts.note(trace::TRANSACTION_CUT_SHORT);
                }
            }
            Message::Committed { committed, .. } => {
                let own = |epoch| self.situations.openers.get(epoch) == Some(&member);
                if committed.iter().any(|fragment| own(&fragment.epoch)) {
                    self.counts.note(trace::COMMITTED_BUT_NOT_VISIBLE);
                }
                if committed.iter().any(|fragment| !fragment.in_own_term) {
                    self.counts.note(trace::COMMITTED_BY_ANOTHER);
                }
            }
            Message::Adopted { .. }
                if self.situations.reigns.contains_key(&member) && self.ledger.newest() > self.visible(place) =>
            {
                self.counts.note(trace::RECORD_BEFORE_OLDER_WRITES);
            }
            Message::Gathered { part, .. }
                if part.found.iter().all(|(_, found)| found.key_values.is_empty())
                    && part.lease.is_some_and(|lease| self.is_seen_attached(place, lease)) =>
            {
                self.counts.note(trace::KEYS_ON_THEIR_WAY);
                self.come_by(member, Occasion::Keyless);
            }
            Message::PrepareCheckpoint { .. } => {
                self.situations.checkpointing.insert(member, false);
            }
            Message::Adopt { records, .. } if matches!(records[..], [Record::Compact { .. }]) => {
                self.situations.checkpointing.entry(member).and_modify(|compacted| *compacted = true);
            }
            _ => {}
        }
    }

    /// Whether a key of this executor's shards is on the lease, as far as it shows.
    fn is_seen_attached(&self, place: Place, lease: LeaseId) -> bool {
        let visible = self.visible(place);
        let Some(process) = self.members[place.member].process() else { return false };
        let seat = process.seats[usize::from(place.executor)].borrow();
        seat.core.shards().any(|shard| {
            let seen = shard.store.range(b"", End::Unbounded, visible);
            shard.store.compacted() <= visible && seen.into_iter().any(|key_value| key_value.lease() == lease)
        })
    }

    /// What an executor shows.
    fn visible(&self, place: Place) -> Revision {
        let process = self.members[place.member].process();
        process.map_or(Revision::EMPTY, |process| process.seats[usize::from(place.executor)].borrow().core.visible())
    }

    /// A member writes entries of its own or of its leader.
    pub(super) fn notice_written(&mut self, member: usize, update: &Update) {
        let fenced = self.ledger.fenced(update.group);
        if self.situations.reigns.get(&member).is_none_or(|epoch| *epoch >= fenced) {
            return;
        }
        let late = update.entries.iter().filter(|entry| !entry.payload.is_empty()).any(|entry| {
            let entry = campanile_core::clock::fragment::decode(entry.payload.clone());
            matches!(entry, Ok(DataEntry::Fragments(epoch, _)) if self.situations.reigns.get(&member) == Some(&epoch))
        });
        if update.group != GroupId::CONTROL && late {
            self.counts.note(trace::WRITES_BEHIND_A_LATER_FENCE);
        }
    }

    /// Looks at a group after a round.
    pub(super) fn notice_group(&mut self, member: usize, group: &Group) {
        let leads = group.role() == Role::Leader;
        let commit = group.commit();
        if leads
            && let Some(term) = group.entry_term(commit)
            && term == group.term()
            && !self.durability.has(member, group.id(), commit, term)
        {
            self.counts.note(trace::COMMITTED_WITHOUT_ITS_OWN_DISK);
        }
        if group.id() != GroupId::CONTROL {
            if !leads && self.situations.reigns.contains_key(&member) {
                self.counts.note(trace::LED_BY_ANOTHER);
            }
            return;
        }
        let before = self.situations.leaders.get(&member).copied();
        if leads && before != Some(group.term()) {
            self.situations.leaders.insert(member, group.term());
            if before.is_none()
                && self.situations.won.insert(member, group.term()) == Some(group.term())
                && self.members.len() == 1
            {
                self.counts.note(trace::WON_TWICE);
            }
            let unknown = (commit.0 + 1..=group.end().1.0).map(Index);
            let is_open = |index| self.ledger.is_open(index, group.entry_term(index)?).then_some(());
            if unknown.filter_map(is_open).next().is_some() {
                self.counts.note(trace::ELECTED_WITH_AN_UNSETTLED_OPEN);
            }
        }
        if !leads {
            self.situations.leaders.remove(&member);
            if before == Some(group.term()) && self.situations.ceased.remove(&member) {
                self.counts.note(trace::GAVE_UP);
            }
        }
    }

    /// A request reaches a member.
    pub(super) fn notice_request(&mut self, place: Place, request: &Request) {
        let stale = self.is_stale(place.member);
        let leads = self.situations.leaders.contains_key(&place.member);
        let opens = !self.situations.reigns.contains_key(&place.member);
        match request {
            Request::Operation(Operation::Range(range))
                if !range.serializable && leads && opens && self.calls.shown > self.visible(place) =>
            {
                self.counts.note(trace::READ_BEFORE_OPEN);
            }
            Request::Operation(operation @ Operation::Txn(_)) if stale && !operation.is_read_only() => {
                self.counts.note(trace::TRANSACTION_OF_A_STALE_PRIMARY);
            }
            Request::LeaseKeepAlive { .. } if stale => self.counts.note(trace::KEEPALIVE_OF_A_STALE_PRIMARY),
            Request::Compact { at, .. }
                if !opens && !stale && *at > self.visible(place) && *at <= self.ledger.newest() =>
            {
                self.counts.note(trace::COMPACTION_ABOVE_VISIBLE);
                self.come_by(place.member, Occasion::CompactsAhead);
            }
            _ => {}
        }
    }

    /// A member hears from another.
    pub(super) fn notice_peer(&mut self, member: usize, message: &PeerMessage) {
        if let PeerMessage::WinFor { epoch, .. } = message
            && self.situations.reigns.values().any(|reign| reign >= epoch)
        {
            self.counts.note(trace::ASKED_TO_WIN_TOO_LATE);
        }
        let PeerMessage::Visible { seen: Some((visible, index)), .. } = message else { return };
        let Some(process) = self.members[member].process() else { return };
        let seat = process.seats[0].borrow();
        let control = seat.core.groups().find(|group| group.id() == GroupId::CONTROL);
        let applied = control.map_or(Index(0), |control| control.place.cut.index);
        if *visible <= seat.core.visible() && *index > applied {
            self.counts.note(trace::FOLLOWER_LACKS_A_RECORD);
        }
    }

    /// A member starts from what it found.
    pub(super) fn notice_start(&mut self, start: &GroupStart) {
        if start.cut.index.0 > 0 && start.hard_state.commit > start.cut.index {
            self.counts.note(trace::STARTED_BEHIND_A_CUT);
        }
    }

    /// The logs say what became of everything.
    pub(super) fn notice_void(&mut self, void: &[Void]) {
        for void in void {
            if void.is_whole {
                self.counts.note(trace::WHOLE_AND_VOID);
            }
            if void.revokes {
                self.counts.note(trace::REVOKE_CUT_SHORT);
            }
        }
    }
}
