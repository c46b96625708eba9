//! What the committed logs of all groups say, by the rules of "One clock, many logs" and nothing else: the history of the
//! keyspace, the leases, the compactions. Every other checker compares what clients were told with this.
//!
//! The rules are written down here a second time, in the plainest way, over whole logs: an entry counts if the newest fence
//! before it has its epoch and its Raft term; a revision belongs to the last epoch that opened with a base below it.
//!
//! Of real processes there is another source: what watches of the whole keyspace brought. It knows no groups and no epochs,
//! and no moment exactly, so moments are given as what they lie between ([`When`]).

use super::ledger::Ledger;
use crate::check::Violation;
use crate::moment::Moment;
use campanile_core::clock::fragment::DataEntry;
use campanile_core::clock::opens::Open;
use campanile_core::clock::{Change, Epoch, Fragment};
use campanile_core::control::record::{ControlEntry, ControlFragment, Record};
use campanile_storage::ids::{GroupId, Index, LeaseId, Revision, Term};
use std::collections::BTreeMap;

const PROMISE: &str = "revisions are dense, whole and decided once";
const COMPACTED: &str = "nothing is compacted above what survives";

/// When something was written. A log knows it exactly; whoever only watches knows two moments between which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct When {
    pub earliest: Moment,
    pub latest: Moment,
}

impl When {
    #[must_use]
    pub fn at(moment: Moment) -> When {
        When { earliest: moment, latest: moment }
    }
}

/// One revision of the keyspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// In the order of their sub-revisions.
    pub changes: Vec<Change>,
    /// Leases that die with it.
    pub revoked: Vec<LeaseId>,
    /// The newest grant that it relies on.
    pub control_index: Index,
    /// When its first fragment was written, or the earliest moment when it surely was.
    pub written_at: Moment,
    groups: u32,
    found: u32,
}

/// A lease's life, or its end, as the control group's log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseRecord {
    Granted {
        ttl_seconds: i64,
    },
    /// With the revision that deletes its keys, if it has any.
    Revoked {
        revision: Option<Revision>,
    },
}

#[derive(Debug, Default)]
pub struct History {
    /// From revision 2 on.
    steps: Vec<Step>,
    /// By lease, in the order of the control group's log.
    pub leases: BTreeMap<LeaseId, Vec<(Index, When, LeaseRecord)>>,
    pub compactions: Vec<Revision>,
    pub opens: Vec<Open>,
    /// What the logs have beside the history.
    pub void: Vec<Void>,
}

/// Committed fragments of a revision that an open has declared void, or that is missing elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Void {
    /// All groups have theirs.
    pub is_whole: bool,
    /// It would have ended leases.
    pub revokes: bool,
}

/// The newest fence before some place.
#[derive(Clone, Copy, Default)]
struct Fence {
    epoch: Epoch,
    term: Term,
}

impl Fence {
    fn pass(&mut self, epoch: Epoch, term: Term) {
        if epoch > self.epoch {
            *self = Fence { epoch, term };
        }
    }

    fn admits(self, epoch: Epoch, term: Term) -> bool {
        self.epoch == epoch && self.term == term
    }
}

/// Everything that counts of a revision in one epoch.
type Gathered = BTreeMap<(Revision, Epoch), Step>;

impl History {
    /// A history that was watched, from revision 2 on. Nothing is known of epochs, nor of what is void.
    #[must_use]
    pub fn watched(
        steps: Vec<Step>,
        leases: BTreeMap<LeaseId, Vec<(Index, When, LeaseRecord)>>,
        compactions: Vec<Revision>,
    ) -> History {
        History { steps, leases, compactions, ..History::default() }
    }

    /// Reads the logs.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn read(ledger: &Ledger) -> Result<History, Violation> {
        let mut history = History::default();
        let mut gathered = Gathered::new();
        let fragments = history.read_control(ledger, &mut gathered)?;
        for group in ledger.groups().filter(|group| *group != GroupId::CONTROL) {
            read_data(ledger, group, &mut gathered)?;
        }
        history.number(gathered)?;
        for (index, at, fragment) in fragments {
            let when = When::at(at);
            let counts = history.owner(fragment.revision) == Some(fragment.epoch)
                && history.step(fragment.revision).is_some_and(|step| step.revoked == fragment.revoked);
            for lease in fragment.revoked.iter().filter(|_| counts) {
                let record = LeaseRecord::Revoked { revision: Some(fragment.revision) };
                history.leases.entry(*lease).or_default().push((index, when, record));
            }
        }
        history.leases.values_mut().for_each(|records| records.sort_by_key(|(index, ..)| *index));
        Ok(history)
    }

    fn read_control(
        &mut self,
        ledger: &Ledger,
        gathered: &mut Gathered,
    ) -> Result<Vec<(Index, Moment, ControlFragment)>, Violation> {
        let mut fence = Fence::default();
        let mut fragments = Vec::new();
        for (index, term, written) in ledger.log(GroupId::CONTROL) {
            match written.control() {
                Some(ControlEntry::Fence(epoch)) => fence.pass(epoch, term),
                Some(ControlEntry::Open(open)) if fence.admits(open.epoch, term) => self.open(open)?,
                Some(ControlEntry::Fragment(fragment)) if fence.admits(fragment.epoch, term) => {
                    let step = gathered.entry((fragment.revision, fragment.epoch)).or_default();
                    step.take(fragment.revision, fragment.groups, written.at)?;
                    step.revoked.extend(&fragment.revoked);
                    fragments.push((index, written.at, fragment));
                }
                Some(ControlEntry::Record(Record::Grant { lease, ttl_seconds })) => {
                    let record = LeaseRecord::Granted { ttl_seconds };
                    self.leases.entry(lease).or_default().push((index, When::at(written.at), record));
                }
                Some(ControlEntry::Record(Record::Revoke { lease })) => {
                    let record = LeaseRecord::Revoked { revision: None };
                    self.leases.entry(lease).or_default().push((index, When::at(written.at), record));
                }
                Some(ControlEntry::Record(Record::Compact { at })) => self.compactions.push(at),
                _ => {}
            }
        }
        Ok(fragments)
    }

    fn open(&mut self, open: Open) -> Result<(), Violation> {
        if let Some(before) = self.opens.iter().find(|before| before.epoch >= open.epoch) {
            let what = format!("epoch {} is opened when {} was", open.epoch, before.epoch);
            return Err(Violation::new(PROMISE, what));
        }
        if let Some(at) = self.compactions.iter().find(|at| **at > open.base) {
            let what = format!("epoch {} begins at {}, below a compaction at {at}", open.epoch, open.base);
            return Err(Violation::new(COMPACTED, what));
        }
        self.opens.push(open);
        Ok(())
    }

    /// The only epoch that may decide a revision.
    fn owner(&self, revision: Revision) -> Option<Epoch> {
        self.opens.iter().rev().find(|open| open.base < revision).map(|open| open.epoch)
    }

    /// Counts upwards.
    fn number(&mut self, mut gathered: Gathered) -> Result<(), Violation> {
        for revision in (2..).map(Revision) {
            let Some(epoch) = self.owner(revision) else { break };
            let Some(mut step) = gathered.remove(&(revision, epoch)) else { break };
            if step.found != step.groups {
                break;
            }
            step.changes.sort_by_key(sub);
            if !step.changes.iter().map(sub).eq(0..step.changes.len() as u32) {
                let what = format!("revision {revision} is not whole: {:?}", step.changes);
                return Err(Violation::new(PROMISE, what));
            }
            self.steps.push(step);
        }
        let void = |step: Step| Void { is_whole: step.found == step.groups, revokes: !step.revoked.is_empty() };
        self.void = gathered.into_values().map(void).collect();
        Ok(())
    }

    /// The newest revision.
    #[must_use]
    pub fn newest(&self) -> Revision {
        Revision(1 + self.steps.len() as i64)
    }

    #[must_use]
    pub fn step(&self, revision: Revision) -> Option<&Step> {
        usize::try_from(revision.0 - 2).ok().and_then(|place| self.steps.get(place))
    }

    pub fn steps(&self) -> impl Iterator<Item = (Revision, &Step)> {
        (2..).map(Revision).zip(&self.steps)
    }
}

fn read_data(ledger: &Ledger, group: GroupId, gathered: &mut Gathered) -> Result<(), Violation> {
    let mut fence = Fence::default();
    let mut last = (Epoch::NONE, Revision(0));
    // The number of the part that must follow, and when the first one was written.
    let (mut next_part, mut begun) = (0, Moment(0));
    for (_, term, written) in ledger.log(group) {
        match written.data() {
            Some(DataEntry::Fence(epoch)) => fence.pass(epoch, term),
            Some(DataEntry::Fragments(epoch, fragments)) if fence.admits(epoch, term) => {
                for Fragment { revision, part, groups, control_index, changes } in fragments {
                    let goes_on = part.number > 0 && (epoch, revision) == last && part.number == next_part;
                    let begins = part.number == 0 && (epoch, revision) > last && (next_part == 0 || epoch > last.0);
                    if !goes_on && !begins {
                        let what = format!("group {group} has {part:?} of {revision} of epoch {epoch} behind {last:?}");
                        return Err(Violation::new(PROMISE, what));
                    }
                    last = (epoch, revision);
                    next_part = if part.is_last { 0 } else { part.number + 1 };
                    begun = if begins { written.at } else { begun };
                    let step = gathered.entry((revision, epoch)).or_default();
                    if part.is_last {
                        step.take(revision, groups, begun)?;
                    }
                    step.control_index = step.control_index.max(control_index);
                    step.changes.extend(changes);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

impl Step {
    /// A revision that was watched.
    #[must_use]
    pub fn watched(changes: Vec<Change>, revoked: Vec<LeaseId>, control_index: Index, written_at: Moment) -> Step {
        Step { changes, revoked, control_index, written_at, ..Step::default() }
    }

    fn take(&mut self, revision: Revision, groups: u32, at: Moment) -> Result<(), Violation> {
        if self.found > 0 && self.groups != groups || self.found == groups {
            let what = format!("fragments of revision {revision} differ, or are too many");
            return Err(Violation::new(PROMISE, what));
        }
        self.written_at = if self.found == 0 { at } else { at.min(self.written_at) };
        self.groups = groups;
        self.found += 1;
        Ok(())
    }
}

fn sub(change: &Change) -> u32 {
    match change {
        Change::Put { sub, .. } | Change::Delete { sub, .. } => *sub,
    }
}
