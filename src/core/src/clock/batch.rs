//! The fragments that a shard evaluates in one poll, as entries for its group's log.
//!
//! Small fragments share an entry. An entry of several changes stays within a bound; a fragment that does not fit is cut
//! between its changes into parts, each the first in an entry of its own, and those that come after it join the last part.
//! Nor need all its changes come in one poll. A single change is never cut: an entry that is beyond the bound holds that one change alone.

use super::Epoch;
use super::fragment::{
    CHANGE_OVERHEAD_BYTES, COUNT_OFFSET, Change, FRAGMENT_BYTES_MIN, HEADER_BYTES, PART_BYTES, Part, encode_fragment,
    fragments,
};
use campanile_storage::bounds::PAYLOAD_BYTES_MAX;
use campanile_storage::ids::{Index, Revision};

/// An entry of several changes, at most. What an append message takes, so that none carries more than one entry beyond it.
pub const ENTRY_BYTES_MAX: usize = 512 * 1024;
/// What an entry with one change has beside its key and value, at most.
pub const LONE_CHANGE_OVERHEAD_BYTES: usize = HEADER_BYTES + FRAGMENT_BYTES_MIN + PART_BYTES + CHANGE_OVERHEAD_BYTES;

const _: () = assert!(ENTRY_BYTES_MAX <= PAYLOAD_BYTES_MAX, "the log holds any entry");

/// What all parts of a fragment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentHead {
    pub revision: Revision,
    /// How many groups the whole transaction touches.
    pub groups: u32,
    /// The newest grant of a lease that it attaches; 0 if it attaches none.
    pub control_index: Index,
}

/// One entry to propose.
#[derive(Debug, PartialEq, Eq)]
pub struct BatchEntry {
    pub payload: Vec<u8>,
    /// How many fragments are complete with this entry, in their order.
    pub completes: usize,
}

/// An entry under construction.
#[derive(Debug)]
struct Gathering {
    buffer: Vec<u8>,
    count: u32,
    completes: usize,
}

impl Gathering {
    fn new(epoch: Epoch) -> Gathering {
        Gathering { buffer: fragments(epoch), count: 0, completes: 0 }
    }

    fn close(self) -> BatchEntry {
        let Gathering { buffer: mut payload, count, completes } = self;
        payload[COUNT_OFFSET..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
        assert!(payload.len() <= PAYLOAD_BYTES_MAX, "an entry of {} bytes", payload.len());
        BatchEntry { payload, completes }
    }
}

/// Fragments of one epoch, gathered while the executor evaluates.
#[derive(Debug)]
pub struct FragmentBatch {
    epoch: Epoch,
    entry_bytes_max: usize,
    closed: Vec<BatchEntry>,
    closed_bytes: usize,
    gathering: Gathering,
    last: Revision,
}

impl FragmentBatch {
    #[must_use]
    pub fn new(epoch: Epoch, entry_bytes_max: usize) -> FragmentBatch {
        FragmentBatch {
            epoch,
            entry_bytes_max,
            closed: Vec::new(),
            closed_bytes: 0,
            gathering: Gathering::new(epoch),
            last: Revision(0),
        }
    }

    /// Adds a fragment.
    ///
    /// # Panics
    /// If its revision is not above the one before: a shard's fragments stand in revision order within an epoch.
    pub fn push(&mut self, head: FragmentHead, changes: &[Change]) {
        let bytes: usize = changes.iter().map(Change::entry_bytes).sum();
        if self.gathering.count > 0 && self.gathering.buffer.len() + FRAGMENT_BYTES_MIN + bytes > self.entry_bytes_max {
            self.close();
        }
        if HEADER_BYTES + FRAGMENT_BYTES_MIN + bytes <= self.entry_bytes_max {
            return self.add(head, Part::WHOLE, changes);
        }
        self.push_slice(head, changes, 0, true);
    }

    /// Adds the next changes of a fragment, or the last ones, as parts from this number on. Returns the number of the next
    /// part.
    ///
    /// # Panics
    /// As [`FragmentBatch::push`].
    pub fn push_slice(&mut self, head: FragmentHead, changes: &[Change], next_part: u32, is_last: bool) -> u32 {
        let (mut rest, mut number) = (changes, next_part);
        if self.gathering.count > 0 {
            self.close();
        }
        loop {
            let (first, others) = rest.split_at(self.fitting(rest));
            let part = Part { number, is_last: is_last && others.is_empty() };
            self.add(head, part, first);
            (rest, number) = (others, number + 1);
            if part.is_last {
                return number;
            }
            self.close();
            if rest.is_empty() {
                return number;
            }
        }
    }

    /// How many of these changes make one part: as many as fit, and at least one.
    fn fitting(&self, changes: &[Change]) -> usize {
        let mut bytes = HEADER_BYTES + FRAGMENT_BYTES_MIN + PART_BYTES;
        let fits = |change: &&Change| {
            bytes += change.entry_bytes();
            bytes <= self.entry_bytes_max
        };
        changes.iter().take_while(fits).count().max(1)
    }

    fn add(&mut self, head: FragmentHead, part: Part, changes: &[Change]) {
        let revision = head.revision;
        assert!(revision > self.last || part.number > 0, "fragment {revision} behind {}", self.last);
        self.last = revision;
        let gathering = &mut self.gathering;
        encode_fragment(&mut gathering.buffer, head, part, changes);
        gathering.count += 1;
        gathering.completes += usize::from(part.is_last);
    }

    fn close(&mut self) {
        let closed = std::mem::replace(&mut self.gathering, Gathering::new(self.epoch)).close();
        self.closed_bytes += closed.payload.len();
        self.closed.push(closed);
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.closed_bytes + self.gathering.buffer.len()
    }

    /// The entries, in the order in which they are to be proposed.
    pub fn finish(mut self) -> impl Iterator<Item = BatchEntry> {
        let last = (self.gathering.count > 0).then(|| self.gathering.close());
        std::mem::take(&mut self.closed).into_iter().chain(last)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fragment::{DataEntry, Fragment, decode};
    use super::*;
    use campanile_storage::ids::{LeaseId, Term};

    const EPOCH: Epoch = Epoch { term: Term(3), attempt: 1 };

    fn head(revision: i64) -> FragmentHead {
        let control_index = Index(revision.unsigned_abs());
        FragmentHead { revision: Revision(revision), groups: 1, control_index }
    }

    fn deletes(count: u32) -> Vec<Change> {
        (0..count).map(|sub| Change::Delete { sub, key: format!("key-{sub:04}").into() }).collect()
    }

    /// The fragments of each entry, with how many are complete with it.
    fn entries(batch: FragmentBatch, bytes_max: usize) -> Vec<(Vec<Fragment>, usize)> {
        let entry = |entry: BatchEntry| {
            let alone = entry.payload.len() <= bytes_max;
            let Ok(DataEntry::Fragments(EPOCH, fragments)) = decode(entry.payload.into()) else {
                panic!("no fragments")
            };
            assert!(alone || fragments.len() == 1 && fragments[0].changes.len() == 1, "only one change may be larger");
            (fragments, entry.completes)
        };
        batch.finish().map(entry).collect()
    }

    #[test]
    fn small_fragments_share_an_entry() {
        let mut batch = FragmentBatch::new(EPOCH, ENTRY_BYTES_MAX);
        batch.push(FragmentHead { revision: Revision(7), groups: 2, control_index: Index(4) }, &deletes(2));
        batch.push(head(9), &deletes(1));
        let fragment = |revision, groups, control_index, count| Fragment {
            revision: Revision(revision),
            part: Part::WHOLE,
            groups,
            control_index: Index(control_index),
            changes: deletes(count),
        };
        let expected = vec![(vec![fragment(7, 2, 4, 2), fragment(9, 1, 9, 1)], 2)];
        assert_eq!(entries(batch, ENTRY_BYTES_MAX), expected);
    }

    #[test]
    fn nothing_is_lost_whatever_the_bound() {
        for bytes_max in 0..600 {
            let mut batch = FragmentBatch::new(EPOCH, bytes_max);
            for (revision, count) in [(2, 1), (3, 9), (5, 2), (6, 1), (8, 30)] {
                batch.push(head(revision), &deletes(count));
            }
            let next_part = batch.push_slice(head(9), &deletes(10)[..4], 0, false);
            batch.push_slice(head(9), &deletes(10)[4..], next_part, true);
            let mut found: Vec<(Revision, Vec<Change>)> = Vec::new();
            let mut next_part = 0;
            for (fragments, completes) in entries(batch, bytes_max) {
                assert_eq!(completes, fragments.iter().filter(|fragment| fragment.part.is_last).count());
                for (place, fragment) in fragments.into_iter().enumerate() {
                    assert_eq!(fragment.part.number, next_part);
                    assert!(place == 0 || fragment.part == Part::WHOLE, "a part begins its entry");
                    assert_eq!(fragment.control_index.0, fragment.revision.0 as u64);
                    match found.last_mut().filter(|_| next_part > 0) {
                        Some((revision, changes)) => {
                            assert_eq!(*revision, fragment.revision);
                            changes.extend(fragment.changes);
                        }
                        None => found.push((fragment.revision, fragment.changes)),
                    }
                    next_part = if fragment.part.is_last { 0 } else { next_part + 1 };
                }
            }
            assert_eq!(next_part, 0, "the last fragment is complete");
            let expected =
                [(2, 1), (3, 9), (5, 2), (6, 1), (8, 30), (9, 10)].map(|(at, count)| (Revision(at), deletes(count)));
            assert_eq!(found, expected, "a bound of {bytes_max} bytes");
        }
    }

    #[test]
    fn one_change_is_never_cut() {
        let put = Change::Put { sub: 0, key: "k".into(), value: vec![7; 1000].into(), lease: LeaseId::NONE };
        let mut batch = FragmentBatch::new(EPOCH, 500);
        batch.push(head(2), &deletes(1));
        batch.push(head(3), std::slice::from_ref(&put));
        batch.push(head(4), &deletes(1));
        let bytes = batch.bytes();
        let entries: Vec<_> = batch.finish().collect();
        assert_eq!(entries.iter().map(|entry| entry.payload.len()).sum::<usize>(), bytes);
        assert_eq!(entries.iter().map(|entry| entry.completes).collect::<Vec<_>>(), [1, 1, 1]);
        assert!(entries[1].payload.len() <= 1001 + LONE_CHANGE_OVERHEAD_BYTES);
    }
}
