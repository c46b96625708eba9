//! All held versions of the shard in the order in which they were written.
//!
//! Watches read it from a revision on, HashKV from the beginning, and compaction finds in it what changed since the
//! last one. Versions are added at the end; compaction takes single ones out of the middle. They lie in chunks, each
//! under the position that it began with.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound::{Excluded, Included, Unbounded};

use super::key_value::KeyValue;
use crate::ids::{Position, Revision};

/// Versions in one chunk.
const CHUNK_VERSIONS: usize = 256;
/// A chunk below this many versions looks whether its neighbour can take them.
const MERGE_BELOW_VERSIONS: usize = CHUNK_VERSIONS / 4;
/// Two chunks become one if together they have at most this many versions.
const MERGED_VERSIONS_MAX: usize = CHUNK_VERSIONS / 4 * 3;
/// Resident bytes of one chunk, with its share of the directory.
const CHUNK_BYTES: usize = CHUNK_VERSIONS * size_of::<KeyValue>() + 2 * size_of::<(Position, Vec<KeyValue>)>();

/// The versions of one shard by position.
#[derive(Debug, Default)]
pub(super) struct History {
    /// A chunk holds what stands at or behind its name, up to and without the next chunk's name.
    chunks: BTreeMap<Position, Vec<KeyValue>>,
    versions: usize,
}

impl History {
    /// Takes versions that are already in order.
    pub(super) fn from_sorted(versions: impl Iterator<Item = KeyValue>) -> History {
        let mut history = History::default();
        for version in versions {
            history.push(version);
        }
        history
    }

    pub(super) fn len(&self) -> usize {
        self.versions
    }

    /// Adds a version, which is newer than all.
    pub(super) fn push(&mut self, version: KeyValue) {
        self.versions += 1;
        match self.chunks.last_entry() {
            Some(mut chunk) if chunk.get().len() < CHUNK_VERSIONS => chunk.get_mut().push(version),
            _ => {
                let position = version.position();
                let mut chunk = Vec::with_capacity(CHUNK_VERSIONS);
                chunk.push(version);
                self.chunks.insert(position, chunk);
            }
        }
    }

    /// Takes the newest version, if it is above this revision.
    pub(super) fn pop_above(&mut self, revision: Revision) -> Option<KeyValue> {
        let mut chunk = self.chunks.last_entry()?;
        let version = chunk.get_mut().pop_if(|last| last.mod_revision() > revision)?;
        self.versions -= 1;
        if chunk.get().is_empty() {
            chunk.remove();
        }
        Some(version)
    }

    /// Removes the version at exactly this position, which is held.
    pub(super) fn remove(&mut self, position: Position) {
        let (&name, chunk) = self.chunks.range_mut(..=position).next_back().expect(HELD);
        let place = chunk.binary_search_by(|version| version.position().cmp(&position)).expect(HELD);
        chunk.remove(place);
        self.versions -= 1;
        if chunk.len() < MERGE_BELOW_VERSIONS {
            self.merge(name);
        }
    }

    /// All versions at or behind this position, oldest first.
    pub(super) fn from(&self, position: Position) -> Iter<'_> {
        let found = self.chunks.range(..=position).next_back();
        let (chunks, first): (_, &[KeyValue]) = match found {
            Some((name, chunk)) => {
                let place = chunk.partition_point(|version| version.position() < position);
                (self.chunks.range((Excluded(*name), Unbounded)), &chunk[place..])
            }
            None => (self.chunks.range((Included(position), Unbounded)), &[]),
        };
        Iter { chunks, current: first.iter() }
    }

    /// Resident bytes, without the versions themselves.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK_BYTES
    }

    /// Joins a chunk with the one behind it where they are small enough; or drops it if it is empty.
    fn merge(&mut self, name: Position) {
        let length = self.chunks.get(&name).map_or(0, Vec::len);
        let behind = self.chunks.range((Excluded(name), Unbounded)).next();
        if let Some((&next, neighbour)) = behind
            && length + neighbour.len() <= MERGED_VERSIONS_MAX
        {
            let mut neighbour = self.chunks.remove(&next).expect("the neighbour was just found");
            self.chunks.get_mut(&name).expect("only a chunk that is held is merged").append(&mut neighbour);
        } else if length == 0 {
            self.chunks.remove(&name);
        }
    }
}

const HELD: &str = "a version that leaves the history is in it";

/// Versions in the order of their positions.
#[derive(Clone, Debug)]
pub(super) struct Iter<'a> {
    chunks: btree_map::Range<'a, Position, Vec<KeyValue>>,
    current: std::slice::Iter<'a, KeyValue>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a KeyValue;

    fn next(&mut self) -> Option<&'a KeyValue> {
        loop {
            if let Some(version) = self.current.next() {
                return Some(version);
            }
            self.current = self.chunks.next()?.1.iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn versions_leave_the_middle_and_the_end_as_in_a_set() {
        for seed in 0..20 {
            println!("seed {seed}");
            let mut random = StdRng::seed_from_u64(seed);
            let (mut history, mut model) = (History::default(), BTreeSet::new());
            let mut position = Position { revision: Revision(2), sub: 0 };
            for round in 0..4_000 {
                if round < 2_000 || random.random_bool(0.3) {
                    position = match random.random_bool(0.3) {
                        true => Position { sub: position.sub + 1, ..position },
                        false => Position { revision: position.revision.next(), sub: 0 },
                    };
                    history.push(KeyValue::tombstone(b"k", position));
                    model.insert(position);
                } else if random.random_bool(0.99) {
                    let from = Position { revision: Revision(random.random_range(0..=position.revision.0)), sub: 1 };
                    if let Some(&victim) = model.range(from..).next() {
                        history.remove(victim);
                        model.remove(&victim);
                    }
                } else {
                    let above = Revision(position.revision.0 - random.random_range(0..5));
                    while let Some(popped) = history.pop_above(above) {
                        assert!(model.remove(&popped.position()));
                    }
                    assert!(model.last().is_none_or(|last| last.revision <= above));
                }
                if round % 100 == 0 {
                    let from = Position { revision: Revision(random.random_range(0..=position.revision.0)), sub: 2 };
                    assert!(history.from(from).map(KeyValue::position).eq(model.range(from..).copied()));
                    assert_eq!(history.len(), model.len());
                }
            }
            for victim in std::mem::take(&mut model) {
                history.remove(victim);
            }
            assert_eq!((history.len(), history.bytes()), (0, 0));
        }
    }
}
