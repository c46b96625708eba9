//! The multi-version store of one shard: every version of every key, in memory, until compaction removes it.
//!
//! It gives create revision, mod revision, version, lease and tombstones etcd's exact meaning, answers reads at every
//! revision that is not compacted, keeps the history for watches, and hashes as etcd's HashKV does. It never does
//! I/O, reads a clock or starts a thread; it knows nothing of visibility either: whoever reads says at which revision.
//!
//! Every operation costs O(log n) in keys and versions, plus its answer. What could take long (compaction, hashing,
//! writing a checkpoint) is done in slices, whose size the caller chooses.
//!
//! - [`key_value`]: one version, an encoded message that is shared, never copied
//! - [`index`], [`block`], [`versions`], [`runs`]: keys in order, and the versions of each; reads ([`range`])
//! - [`history`]: the same versions in order of time; [`events`], [`hash`], [`compaction`], [`withdraw`]
//! - [`leases`]: which keys a lease has
//! - [`checkpoint`]: all versions out in key order, and in again

mod block;
mod checkpoint;
mod compaction;
mod events;
mod hash;
mod history;
mod index;
mod key_value;
mod leases;
mod range;
mod runs;
mod size;
mod varint;
mod versions;
mod withdraw;

#[cfg(test)]
mod tests;

pub use checkpoint::{LoadError, Loader};
pub use compaction::UNCOMPACTED;
pub use events::Event;
pub use hash::{HashEntry, HashMerge, Standing};
pub use key_value::{KeyValue, Malformed};
pub use range::{End, Range};

use self::compaction::Sweep;
use self::history::History;
use self::index::Index;
use self::leases::Leases;
use self::versions::Versions;
use crate::ids::{LeaseId, Position};

/// The multi-version store of one shard.
#[derive(Debug)]
pub struct Store {
    index: Index,
    history: History,
    leases: Leases,
    sweep: Sweep,
    /// Changes stand behind this position.
    last: Position,
    /// Keys that are alive in the newest state.
    alive: usize,
    /// Resident bytes of all versions, and of what holds the older ones.
    version_bytes: usize,
    /// Resident bytes of the versions that are newest and alive.
    alive_bytes: usize,
}

impl Default for Store {
    fn default() -> Store {
        Store::new()
    }
}

impl Store {
    /// An empty store, never compacted.
    #[must_use]
    pub fn new() -> Store {
        Store {
            index: Index::new(),
            history: History::default(),
            leases: Leases::default(),
            sweep: Sweep::new(UNCOMPACTED),
            last: Position::default(),
            alive: 0,
            version_bytes: 0,
            alive_bytes: 0,
        }
    }

    /// Writes a value under a key, and answers with the version that it made. A key that is not alive is created: its
    /// create revision is this one and its version 1. The key is attached to `lease`, and to no other any more.
    pub fn put(&mut self, at: Position, key: &[u8], value: &[u8], lease: LeaseId) -> KeyValue {
        self.advance(at);
        let (written, former, grown) = self.index.change_or_insert(
            key,
            |versions| {
                let former = versions.newest().clone();
                let (created, version) = match versions.is_alive() {
                    true => (former.create_revision(), former.version() + 1),
                    false => (at.revision, 1),
                };
                let written = KeyValue::new(key, value, created, at, version, lease);
                let before = versions.bytes();
                versions.push(written.clone());
                (written, Some(former), versions.bytes() - before)
            },
            || {
                let written = KeyValue::new(key, value, at.revision, at, 1, lease);
                (Versions::new(written.clone()), (written, None, 0))
            },
        );
        self.version_bytes += grown;
        self.added(former.as_ref(), &written);
        written
    }

    /// Deletes a key, and answers with the version that it had; [`None`], and nothing is written, if it is not alive.
    pub fn delete(&mut self, at: Position, key: &[u8]) -> Option<KeyValue> {
        let (deleted, tombstone, grown) = self.index.change(key, |versions| {
            let deleted = versions.is_alive().then(|| versions.newest().clone())?;
            let tombstone = KeyValue::tombstone(key, at);
            let before = versions.bytes();
            versions.push(tombstone.clone());
            Some((deleted, tombstone, versions.bytes() - before))
        })??;
        self.advance(at);
        self.version_bytes += grown;
        self.added(Some(&deleted), &tombstone);
        Some(deleted)
    }

    /// Keys attached to this lease in the newest state, in key order.
    pub fn keys_of_lease(&self, lease: LeaseId) -> impl Iterator<Item = &[u8]> {
        self.leases.keys_of(lease)
    }

    /// The newest versions of keys attached to this lease, in key order, from this key on.
    pub fn attached(&self, lease: LeaseId, from: &[u8]) -> impl Iterator<Item = &KeyValue> {
        self.leases.attached_from(lease, from)
    }

    /// Leases that have keys in the newest state, each with how many.
    pub fn leases(&self) -> impl Iterator<Item = (LeaseId, usize)> {
        self.leases.all()
    }

    /// Keys that are alive in the newest state.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.alive
    }

    /// Versions that are held, tombstones and those that an unfinished compaction has not reached included.
    #[must_use]
    pub fn versions_held(&self) -> usize {
        self.history.len()
    }

    /// Resident memory of the whole store in bytes: allocations with their padding, not contents alone.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Store>() + self.version_bytes + self.index.bytes() + self.history.bytes() + self.leases.bytes()
    }

    /// Resident memory of the versions that are newest and alive, in bytes: what would be left if everything were
    /// compacted, but for the index.
    #[must_use]
    pub fn bytes_in_use(&self) -> usize {
        self.alive_bytes
    }

    fn advance(&mut self, at: Position) {
        assert!(at > self.last, "changes arrive in order: {at:?} is not behind {:?}", self.last);
        assert!(at.revision > self.compacted(), "{at:?} is compacted already, at {}", self.compacted());
        self.last = at;
    }

    /// Books a new newest version of a key.
    fn added(&mut self, former: Option<&KeyValue>, newest: &KeyValue) {
        self.version_bytes += newest.bytes();
        self.newest_changed(former, Some(newest));
        self.history.push(newest.clone());
    }

    /// Moves everything that is derived from newest versions from one to the other.
    fn newest_changed(&mut self, former: Option<&KeyValue>, newest: Option<&KeyValue>) {
        let alive = |version: &&KeyValue| !version.is_tombstone();
        if let Some(former) = former.filter(alive) {
            self.alive -= 1;
            self.alive_bytes -= former.bytes();
        }
        if let Some(newest) = newest.filter(alive) {
            self.alive += 1;
            self.alive_bytes += newest.bytes();
        }
        self.leases.newest_changed(former, newest);
    }
}
