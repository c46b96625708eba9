//! Forgetting the past: of every key, compaction keeps the newest version at or below its revision and drops what is
//! older; and that one too, if it is a tombstone of an earlier revision.
//!
//! It takes effect at once for readers, who then have no business below it; memory is freed by a sweep, in slices.
//! The sweep follows the history from the last compaction to this one. Only a change in that stretch can have made
//! a version superfluous, so what did not change costs nothing, however many keys there are.

use super::Store;
use super::events::behind;
use super::key_value::KeyValue;
use crate::ids::{Position, Revision};

/// The compacted revision of a store that was never compacted, as etcd reports it.
pub const UNCOMPACTED: Revision = Revision(-1);

/// How far the physical work of compaction has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    /// What the sweep is for: nothing below it can be read.
    compacted: Revision,
    /// The sweep has still to look at changes from here on, up to the compacted revision.
    next: Position,
}

impl Sweep {
    pub(super) fn new(compacted: Revision) -> Sweep {
        Sweep { compacted, next: Position::default() }
    }
}

impl Store {
    /// The revision of the last compaction: reads below it are to be refused. [`UNCOMPACTED`] if there was none.
    #[must_use]
    pub fn compacted(&self) -> Revision {
        self.sweep.compacted
    }

    /// Compacts at this revision, above the last one. The caller then calls
    /// [`compact_slice`](Store::compact_slice) until it is done; another compaction may come before.
    pub fn compact(&mut self, at: Revision) {
        let former = self.compacted();
        assert!(at > former, "compaction goes forward: {at} is not above {former}");
        // A tombstone of exactly the former revision was kept then, and is not now: begin with that revision.
        self.sweep = Sweep { compacted: at, next: self.sweep.next.min(Position { revision: former, sub: 0 }) };
    }

    /// Removes versions that compaction dropped, in at most `steps` steps: each looks at one change, or removes
    /// one version. Answers whether nothing is left to do.
    pub fn compact_slice(&mut self, steps: usize) -> bool {
        for _ in 0..steps {
            let Some(change) = self.next_change() else { return true };
            if !self.remove_oldest_compacted(change.key()) {
                self.sweep.next = behind(change.position());
            }
        }
        self.next_change().is_none()
    }

    /// The first change that the sweep has still to look at.
    fn next_change(&self) -> Option<KeyValue> {
        self.history.from(self.sweep.next).next().filter(|change| change.mod_revision() <= self.compacted()).cloned()
    }

    /// Removes the oldest version of a key if compaction dropped it. Answers whether it did.
    fn remove_oldest_compacted(&mut self, key: &[u8]) -> bool {
        let compacted = self.compacted();
        let popped = self
            .index
            .change(key, |versions| {
                if versions.compactable(compacted) == 0 {
                    return None;
                }
                let before = versions.bytes();
                let oldest = versions.pop_oldest();
                Some((oldest, before - versions.bytes()))
            })
            .expect("a change of the history stands in the index");
        let Some((oldest, freed)) = popped else { return false };
        // A key that has nothing but a tombstone leaves the index whole.
        let removed = oldest.unwrap_or_else(|| self.index.remove(key).newest().clone());
        self.history.remove(removed.position());
        self.version_bytes -= removed.bytes() + freed;
        true
    }
}
