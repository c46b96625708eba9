//! Every log entry that any member ever wrote, and which of them are committed: what a run's history is read from at its
//! end. Raft's own promises (one entry for each place and term, one committed entry for each place) are checked here as
//! the entries come.

use crate::check::Violation;
use crate::moment::Moment;
use bytes::Bytes;
use campanile_core::clock::Epoch;
use campanile_core::clock::fragment::{self, DataEntry, Part};
use campanile_core::control::record::ControlEntry;
use campanile_core::group::{Group, NORMAL};
use campanile_storage::ids::{GroupId, Index, Revision, Term};
use campanile_storage::log::Entry;
use std::collections::{BTreeMap, BTreeSet};

const PROMISE: &str = "members agree on what is committed";

/// One entry of one group's log.
pub type Place = (GroupId, Index, Term);

#[derive(Clone, Debug)]
pub struct Written {
    pub payload: Bytes,
    pub kind: u8,
    /// When somebody first wrote it.
    pub at: Moment,
}

/// The fragments of one revision in one epoch.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    /// How many groups the transaction touches.
    pub groups: u32,
    pub places: BTreeSet<Place>,
}

#[derive(Debug, Default)]
pub struct Ledger {
    written: BTreeMap<Place, Written>,
    /// By group: the term of each committed entry, from index 1 on.
    committed: BTreeMap<GroupId, Vec<Term>>,
    /// By group: the newest committed fence.
    fences: BTreeMap<GroupId, Epoch>,
    /// How far each member was known to be committed.
    noticed: BTreeMap<(usize, GroupId), Index>,
    pieces: BTreeMap<Revision, BTreeMap<Epoch, Pieces>>,
}

impl Ledger {
    /// Somebody writes an entry. Returns how many of its fragments are parts, if it was not known.
    ///
    /// # Errors
    /// If another entry of that place and term was written before.
    pub fn write(&mut self, group: GroupId, entry: &Entry, at: Moment) -> Result<u64, Violation> {
        let place = (group, entry.index, entry.term);
        if let Some(before) = self.written.get(&place) {
            if before.payload != entry.payload {
                return Err(Violation::new(PROMISE, format!("two entries at {place:?}")));
            }
            return Ok(0);
        }
        let written = Written { payload: entry.payload.clone(), kind: entry.kind, at };
        let parts = self.note_pieces(place, &written);
        self.written.insert(place, written);
        Ok(parts)
    }

    fn note_pieces(&mut self, place: Place, written: &Written) -> u64 {
        let mut parts = 0;
        if place.0 == GroupId::CONTROL {
            if let Some(ControlEntry::Fragment(fragment)) = written.control() {
                self.note_piece(fragment.revision, fragment.epoch, fragment.groups, place);
            }
        } else if let Some(DataEntry::Fragments(epoch, fragments)) = written.data() {
            for fragment in fragments {
                parts += u64::from(fragment.part != Part::WHOLE);
                // It counts with the entry that completes it.
                if fragment.part.is_last {
                    self.note_piece(fragment.revision, epoch, fragment.groups, place);
                }
            }
        }
        parts
    }

    fn note_piece(&mut self, revision: Revision, epoch: Epoch, groups: u32, place: Place) {
        let pieces = self.pieces.entry(revision).or_default().entry(epoch).or_default();
        pieces.groups = groups;
        pieces.places.insert(place);
    }

    /// The only member of a cluster starts: an entry that its disk did not keep is nowhere.
    ///
    /// A single voter leads, and writes entries, before its vote is durable. If power is lost then, it wins the same term
    /// again, and what it writes in the same places is another entry. That breaks no promise: the log keeps its order, so
    /// whatever is durable has the vote before it, and nothing is committed, answered or told of an epoch before. With more
    /// voters a member asks for votes only when its own is durable, and nothing is ever forgiven.
    pub fn lose(&mut self, is_kept: impl Fn(Place) -> bool) {
        let committed = &self.committed;
        let is_committed = |&(group, index, term): &Place| {
            committed.get(&group).is_some_and(|terms| terms.get(index.0 as usize - 1) == Some(&term))
        };
        self.written.retain(|place, _| is_kept(*place) || is_committed(place));
        for pieces in self.pieces.values_mut().flat_map(BTreeMap::values_mut) {
            pieces.places.retain(|place| self.written.contains_key(place));
        }
        for epochs in self.pieces.values_mut() {
            epochs.retain(|_, pieces| !pieces.places.is_empty());
        }
        self.pieces.retain(|_, epochs| !epochs.is_empty());
    }

    /// Looks at how far a member knows a group to be committed.
    ///
    /// # Errors
    /// If it knows otherwise than another.
    pub fn notice(&mut self, member: usize, group: &Group) -> Result<(), Violation> {
        let id = group.id();
        let before = self.noticed.entry((member, id)).or_default();
        let committed = self.committed.entry(id).or_default();
        for index in before.0 + 1..=group.commit().0 {
            // What a checkpoint stands for has no term any more, and raft-rs says 0.
            let Some(term) = group.entry_term(Index(index)).filter(|term| *term > Term(0)) else { continue };
            match committed.get(index as usize - 1) {
                Some(known) if *known != term => {
                    let what = format!("entry {index} of group {id} is of term {term} on member {member}, and {known}");
                    return Err(Violation::new(PROMISE, what));
                }
                Some(_) => {}
                None if committed.len() as u64 + 1 == index => {
                    committed.push(term);
                    let written = self.written.get(&(id, Index(index), term));
                    if let Some(epoch) = written.and_then(|written| written.fence(id)) {
                        let newest = self.fences.entry(id).or_default();
                        *newest = epoch.max(*newest);
                    }
                }
                None => {
                    let what = format!("group {id} goes from {} to {index} on member {member}", committed.len());
                    return Err(Violation::new(PROMISE, what));
                }
            }
        }
        *before = group.commit().max(*before);
        Ok(())
    }

    /// A member starts again: what it knew to be committed it may have to learn again.
    pub fn forget(&mut self, member: usize) {
        self.noticed.retain(|(at, _), _| *at != member);
    }

    /// The newest epoch whose fence is committed in a group.
    #[must_use]
    pub fn fenced(&self, group: GroupId) -> Epoch {
        self.fences.get(&group).copied().unwrap_or_default()
    }

    /// Whether an entry of the control group opens a reign.
    #[must_use]
    pub fn is_open(&self, index: Index, term: Term) -> bool {
        let written = self.written.get(&(GroupId::CONTROL, index, term));
        matches!(written.and_then(Written::control), Some(ControlEntry::Open(_)))
    }

    /// The highest revision that stands in any log.
    #[must_use]
    pub fn newest(&self) -> Revision {
        self.pieces.keys().next_back().copied().unwrap_or(Revision::EMPTY)
    }

    #[must_use]
    pub fn pieces(&self, revision: Revision) -> Option<&BTreeMap<Epoch, Pieces>> {
        self.pieces.get(&revision)
    }

    /// The committed entries of a group, in order.
    pub fn log(&self, group: GroupId) -> impl Iterator<Item = (Index, Term, &Written)> {
        let terms = self.committed.get(&group).into_iter().flatten();
        (1..).map(Index).zip(terms).map(move |(index, &term)| {
            let written = self.written.get(&(group, index, term)).expect("who committed an entry wrote it");
            (index, term, written)
        })
    }

    pub fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.committed.keys().copied()
    }
}

impl Written {
    /// The epoch that begins with an entry, if it is a fence.
    fn fence(&self, group: GroupId) -> Option<Epoch> {
        if group == GroupId::CONTROL {
            return self
                .control()
                .and_then(|entry| if let ControlEntry::Fence(epoch) = entry { Some(epoch) } else { None });
        }
        self.data().and_then(|entry| if let DataEntry::Fence(epoch) = entry { Some(epoch) } else { None })
    }

    /// What an entry of a data group says; nothing if it is Raft's own.
    #[must_use]
    pub fn data(&self) -> Option<DataEntry> {
        (self.kind == NORMAL && !self.payload.is_empty())
            .then(|| fragment::decode(self.payload.clone()).expect("what a member wrote can be read"))
    }

    /// What an entry of the control group says; nothing if it is Raft's own.
    #[must_use]
    pub fn control(&self) -> Option<ControlEntry> {
        (self.kind == NORMAL && !self.payload.is_empty())
            .then(|| ControlEntry::decode(self.payload.clone()).expect("what a member wrote can be read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Moment = Moment(0);

    fn entry(payload: &'static [u8]) -> Entry {
        // Of a kind whose payload is not looked into.
        Entry { index: Index(4), term: Term(3), kind: NORMAL + 1, payload: Bytes::from_static(payload) }
    }

    #[test]
    fn another_entry_in_the_same_place_is_found() {
        let mut ledger = Ledger::default();
        ledger.write(GroupId(1), &entry(b"one"), AT).expect("the first");
        ledger.write(GroupId(1), &entry(b"one"), AT).expect("the same");
        assert!(ledger.write(GroupId(1), &entry(b"other"), AT).is_err());
    }

    #[test]
    fn only_what_no_disk_kept_may_be_written_otherwise() {
        let mut ledger = Ledger::default();
        ledger.write(GroupId(1), &entry(b"one"), AT).expect("the first");
        ledger.lose(|_| true);
        assert!(ledger.write(GroupId(1), &entry(b"other"), AT).is_err(), "the disk has it");
        ledger.lose(|_| false);
        ledger.write(GroupId(1), &entry(b"other"), AT).expect("the first was nowhere");
    }
}
