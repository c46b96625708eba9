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

/// Changes that the sweep takes from the history with one look.
const CHANGES_AT_ONCE: usize = 64;

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
    ///
    /// With a million keys a step takes one to four microseconds of the processor, by how cold its memory is
    /// (`bench/store_limits.rs`): 128 steps stay below a millisecond.
    pub fn compact_slice(&mut self, mut steps: usize) -> bool {
        let mut changes = self.next_changes();
        while steps > 0 && !changes.is_empty() {
            for change in changes {
                let Some(left) = self.sweep_key(change.key(), steps) else { return false };
                steps = left;
                self.sweep.next = behind(change.position());
            }
            changes = self.next_changes();
        }
        changes.is_empty()
    }

    /// The next changes that the sweep has still to look at. Some of them may be gone when it comes to them, because
    /// their keys changed again; those keys were swept by then.
    fn next_changes(&self) -> Vec<KeyValue> {
        let to_sweep =
            self.history.from(self.sweep.next).take_while(|change| change.mod_revision() <= self.compacted());
        to_sweep.take(CHANGES_AT_ONCE).cloned().collect()
    }

    /// Removes all versions of this key that compaction dropped. Answers how many of the steps are left, or [`None`]
    /// if they did not suffice.
    fn sweep_key(&mut self, key: &[u8], mut steps: usize) -> Option<usize> {
        let compacted = self.compacted();
        steps = steps.checked_sub(1)?;
        let mut removed = Vec::new();
        let mut superfluous = 0;
        let swept = self.index.change(key, |versions| {
            superfluous = versions.compactable(compacted);
            let before = versions.bytes();
            removed.extend((0..superfluous.min(steps)).map_while(|_| versions.pop_oldest()));
            before - versions.bytes()
        });
        // Nothing but a tombstone was left of the key, and an earlier change of it removed that.
        let Some(freed) = swept else { return Some(steps) };
        self.version_bytes -= freed;
        if removed.len() < superfluous.min(steps) {
            removed.push(self.index.remove(key).newest().clone());
        }
        for version in &removed {
            self.history.remove(version.position());
            self.version_bytes -= version.bytes();
        }
        (removed.len() == superfluous).then_some(steps - removed.len())
    }
}
