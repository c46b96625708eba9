//! Applies the control group's log.
//!
//! Fences and opens are read ahead, as soon as they are committed. Everything else takes effect in log order, and waits
//! behind a fragment whose revision is not visible yet.

use super::Control;
use super::record::{ControlEntry, ControlFragment, Record};
use crate::checkpoint::GroupCut;
use crate::clock::Epoch;
use crate::clock::counter::Committed;
use crate::clock::opens::{Open, Opens};
use crate::codec::Malformed;
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::group::{CONFIGURATION, CommittedEntry, Place, Role};
use crate::planted::planted;
use crate::shard::InFlight;
use crate::time::Instant;
use campanile_storage::ids::{GroupId, Index, Revision, Term};
use campanile_storage::log::Cut;
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Debug)]
enum Step {
    Record(Record),
    Fragment { fragment: ControlFragment, in_own_term: bool },
}

#[derive(Debug)]
struct Waiting {
    index: Index,
    /// Just before the entry.
    before: Place,
    step: Step,
}

/// Committed entries that wait for their turn.
#[derive(Debug, Default)]
pub struct Applying {
    steps: VecDeque<Waiting>,
    /// This reign's own fragments, proposed and not committed yet.
    in_flight: InFlight,
}

impl Applying {
    /// An open was applied: what it makes void takes no effect, though its revision will be visible with what another epoch
    /// writes there.
    fn discard_void(&mut self, opens: &Opens) {
        let is_void =
            |fragment: &ControlFragment| opens.is_void(fragment.epoch, fragment.revision) && !planted!(VoidRevokes);
        self.steps.retain(|waiting| !matches!(&waiting.step, Step::Fragment { fragment, .. } if is_void(fragment)));
    }

    /// Whether something waits for a revision to be visible.
    pub fn waits(&self) -> bool {
        !self.steps.is_empty()
    }
}

impl Control {
    /// Everything before this place of the control group's log has taken effect.
    pub(super) fn applied_place(&self) -> Place {
        self.applying.steps.front().map_or(self.group.place, |waiting| waiting.before)
    }

    /// Where a checkpoint may cut the group's log.
    pub(crate) fn group_cut(&self) -> GroupCut {
        GroupCut { place: self.applied_place(), voters: self.group.voters() }
    }

    /// Everything up to here has taken effect.
    pub(crate) fn applied(&self) -> Index {
        self.applied_place().cut.index
    }

    /// Takes committed entries, in log order.
    pub(super) fn apply(
        &mut self,
        committed: Vec<CommittedEntry>,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), Malformed> {
        for CommittedEntry { entry, in_own_term } in committed {
            let before = self.group.place;
            self.group.place.cut = Cut { index: entry.index, term: entry.term };
            if entry.payload.is_empty() || entry.kind == CONFIGURATION {
                continue;
            }
            match ControlEntry::decode(entry.payload)? {
                ControlEntry::Fence(epoch) => {
                    self.group.place.fence.pass(epoch, entry.term);
                    if epoch == self.succession.epoch() && entry.term == self.group.term() {
                        let actions = self.succession.fenced(GroupId::CONTROL, epoch);
                        self.perform(actions, now, out);
                    }
                }
                ControlEntry::Open(open) => self.apply_open(open, entry.term, now, out),
                ControlEntry::Record(Record::Shards(shards)) => self.learn_shards(shards, out),
                ControlEntry::Record(record) => {
                    let step = Step::Record(record);
                    self.applying.steps.push_back(Waiting { index: entry.index, before, step });
                }
                ControlEntry::Fragment(fragment) => {
                    self.stage(before, entry.index, entry.term, fragment, in_own_term);
                }
            }
        }
        Ok(())
    }

    /// An open is valid once for each epoch, and only behind its own fence.
    fn apply_open(&mut self, open: Open, term: Term, now: Instant, out: &mut Outbox) {
        if !self.group.place.fence.admits(open.epoch, term) || open.epoch <= self.counter.opens().newest_epoch() {
            return;
        }
        self.counter.open(open);
        self.applying.discard_void(self.counter.opens());
        out.broadcast(&Message::Opened(open));
        self.advance(now, out);
        if self.succession.opened(open.epoch) {
            self.begin_reign(open, now, out);
        }
    }

    fn stage(&mut self, before: Place, index: Index, term: Term, fragment: ControlFragment, in_own_term: bool) {
        let void = self.counter.opens().is_void(fragment.epoch, fragment.revision);
        if void || !before.fence.admits(fragment.epoch, term) {
            return;
        }
        let own = self.reign.as_ref().is_some_and(|reign| reign.epoch() == fragment.epoch);
        if !own {
            self.counter.report(committed(&fragment, in_own_term));
        }
        let step = Step::Fragment { fragment, in_own_term };
        self.applying.steps.push_back(Waiting { index, before, step });
    }

    /// A fragment of this reign was proposed in the control group's log.
    pub(super) fn proposed_fragment(&mut self, revision: Revision, index: Index) {
        self.applying.in_flight.push(revision);
        self.applying.in_flight.proposed_at(index, 1);
    }

    /// Tells the window what the control group has committed of this reign.
    pub fn fill_window(&mut self) {
        let Some(reign) = &self.reign else { return };
        if self.group.role() != Role::Leader || reign.epoch().term != self.group.term() {
            return;
        }
        let commit = if planted!(CountByApplied) { self.group.place.cut.index } else { self.group.commit() };
        while let Some(revision) = self.applying.in_flight.pop_committed(commit) {
            reign.fill(revision);
        }
    }

    /// The reign of this epoch has ended: its committed fragments above the visible revision are counted like anybody's.
    pub(super) fn report_own_fragments(&mut self, epoch: Epoch) {
        self.applying.in_flight.clear();
        for Waiting { step, .. } in &self.applying.steps {
            if let Step::Fragment { fragment, in_own_term } = step
                && fragment.epoch == epoch
            {
                self.counter.report(committed(fragment, *in_own_term));
            }
        }
    }

    /// Moves the visible revision and the applied index as far as they go; each may let the other go on.
    pub(super) fn advance(&mut self, now: Instant, out: &mut Outbox) {
        loop {
            let applied = self.applied();
            self.counter.control_applied(applied);
            if self.reign.is_none() {
                self.counter.advance();
            }
            let visible = self.visible();
            self.take_effect(visible, now, out);
            if self.applied() == applied {
                break;
            }
        }
        if self.reign.is_none() {
            self.show(self.counter.visible(), out);
        }
    }

    /// Tells the executors of this member how far they may show.
    pub(super) fn show(&mut self, visible: Revision, out: &mut Outbox) {
        if visible > self.shown {
            self.shown = visible;
            out.broadcast(&Message::Visible(visible));
        }
    }

    fn take_effect(&mut self, visible: Revision, now: Instant, out: &mut Outbox) {
        while let Some(Waiting { index, step, .. }) = self.applying.steps.front() {
            let index = *index;
            match step {
                Step::Record(record) => {
                    let records = vec![record.clone()];
                    self.adopt(index, records, now, out);
                }
                Step::Fragment { fragment, .. } if fragment.revision <= visible => {
                    let revoked = fragment.revoked.iter();
                    let records = revoked.map(|&lease| Record::Revoke { lease }).collect();
                    self.adopt(index, records, now, out);
                }
                Step::Fragment { .. } if planted!(RecordsOvertake) => {}
                Step::Fragment { .. } => return,
            }
            self.applying.steps.pop_front();
        }
    }

    fn adopt(&mut self, index: Index, records: Vec<Record>, now: Instant, out: &mut Outbox) {
        for record in &records {
            match *record {
                Record::Grant { lease, ttl_seconds } => {
                    self.grant_settled(lease);
                    self.leases.restore(lease, ttl_seconds, index, now);
                }
                Record::Revoke { lease } => {
                    self.leases.remove(lease);
                }
                Record::Compact { at } => self.compactions.push(at),
                Record::Announce { member, ref attributes } => self.members.adopt(member, attributes),
                Record::Shards(_) => {}
            }
        }
        self.adoptions.begin(index, self.reign.as_ref(), out.executors());
        out.broadcast(&Message::Adopt { index, records: Arc::new(records) });
    }
}

fn committed(fragment: &ControlFragment, in_own_term: bool) -> Committed {
    Committed {
        epoch: fragment.epoch,
        revision: fragment.revision,
        groups: fragment.groups,
        control_index: Index(0),
        in_own_term,
    }
}
