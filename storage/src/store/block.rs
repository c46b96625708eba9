//! A run of neighbouring keys in one block of the index: sorted, searched by eight bytes of each key.
//!
//! Keys of one block share a prefix more often than not (`/registry/pods/default/…`). The block knows how long it is,
//! and holds the eight bytes behind it of every key, its head, in one array. A search compares heads, which are two
//! or three cache lines, and follows a pointer to a key only where heads are equal. The keys themselves are not
//! stored a second time.

use std::cmp::Ordering;

use super::versions::Versions;
use crate::ids::Revision;

/// A block that has grown to this many keys is split.
pub(super) const BLOCK_KEYS: usize = 64;

/// Neighbouring keys, with the versions of each. Empty only as the index's very first block.
#[derive(Debug)]
pub(super) struct Block {
    /// Bytes that all keys of this block have in common, at least.
    prefix_length: usize,
    heads: Vec<u64>,
    entries: Vec<Versions>,
    /// Keys whose newest version is no tombstone.
    alive: usize,
    /// No version of this block is newer. It may be too high after newest versions were withdrawn.
    newest: Revision,
}

impl Block {
    /// Resident bytes of one block beside its versions.
    pub(super) const BYTES: usize = size_of::<Block>() + BLOCK_KEYS * (size_of::<u64>() + size_of::<Versions>());

    pub(super) fn new() -> Block {
        Block {
            prefix_length: 0,
            heads: Vec::with_capacity(BLOCK_KEYS),
            entries: Vec::with_capacity(BLOCK_KEYS),
            alive: 0,
            newest: Revision(0),
        }
    }

    pub(super) fn entries(&self) -> &[Versions] {
        &self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() == BLOCK_KEYS
    }

    /// Where the key stands, or where it would be inserted.
    pub(super) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let Some(first) = self.entries.first() else { return Err(0) };
        let prefix = &first.key()[..self.prefix_length];
        match key[..key.len().min(self.prefix_length)].cmp(prefix) {
            Ordering::Less => Err(0),
            Ordering::Greater => Err(self.entries.len()),
            Ordering::Equal => self.search_behind_prefix(key),
        }
    }

    /// The key's versions.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Versions> {
        self.find(key).and_then(|index| self.entries.get(index))
    }

    /// Where the key stands. Cheaper than a search: the key that is found proves the prefix.
    pub(super) fn find(&self, key: &[u8]) -> Option<usize> {
        if key.len() < self.prefix_length {
            return None;
        }
        self.search_behind_prefix(key).ok()
    }

    /// For a key without the common prefix the answer is an `Err` with a meaningless place.
    fn search_behind_prefix(&self, key: &[u8]) -> Result<usize, usize> {
        let head = head(key, self.prefix_length);
        let low = self.heads.partition_point(|other| *other < head);
        let equal = self.heads[low..].partition_point(|other| *other == head);
        let found = self.entries[low..low + equal].binary_search_by(|entry| entry.key().cmp(key));
        found.map(|place| low + place).map_err(|place| low + place)
    }

    /// Inserts a key that is not in this block, at the place where `search` wants it.
    pub(super) fn insert(&mut self, index: usize, versions: Versions) {
        assert!(!self.is_full(), "a full block is split at once");
        self.newest = self.newest.max(versions.newest().mod_revision());
        self.alive += usize::from(versions.is_alive());
        let at_an_end = index == 0 || index == self.entries.len();
        self.heads.insert(index, head(versions.key(), self.prefix_length));
        self.entries.insert(index, versions);
        if at_an_end && self.common_prefix() != self.prefix_length {
            self.compute_heads();
        }
    }

    /// Takes a key out of the block.
    pub(super) fn remove(&mut self, index: usize) -> Versions {
        self.heads.remove(index);
        let removed = self.entries.remove(index);
        self.alive -= usize::from(removed.is_alive());
        removed
    }

    /// Changes the versions of one key, and keeps the block's own numbers right.
    pub(super) fn change<T>(&mut self, index: usize, change: impl FnOnce(&mut Versions) -> T) -> T {
        let versions = &mut self.entries[index];
        self.alive -= usize::from(versions.is_alive());
        let answer = change(versions);
        self.alive += usize::from(versions.is_alive());
        self.newest = self.newest.max(versions.newest().mod_revision());
        answer
    }

    /// Splits a full block into which the key at `inserted` came last. Keys that arrive in order leave full blocks
    /// behind; all others leave two halves.
    pub(super) fn split(&mut self, inserted: usize) -> Block {
        let at = match inserted {
            0 => 1,
            last if last + 1 == self.entries.len() => last,
            _ => self.entries.len() / 2,
        };
        let mut right = Block::new();
        right.entries.extend(self.entries.drain(at..));
        right.newest = self.newest;
        right.compute_heads();
        right.count_alive();
        self.alive -= right.alive;
        self.compute_heads();
        right
    }

    /// Takes all keys of the block behind this one.
    pub(super) fn append(&mut self, mut right: Block) {
        assert!(self.len() + right.len() < BLOCK_KEYS, "two blocks become one only where they fit");
        self.entries.append(&mut right.entries);
        self.newest = self.newest.max(right.newest);
        self.alive += right.alive;
        self.compute_heads();
    }

    /// How many keys of the block a read at this revision sees.
    pub(super) fn count(&self, at: Revision) -> usize {
        if self.newest <= at { self.alive } else { count_alive_at(&self.entries, at) }
    }

    fn count_alive(&mut self) {
        self.alive = self.entries.iter().filter(|entry| entry.is_alive()).count();
    }

    fn common_prefix(&self) -> usize {
        let (Some(first), Some(last)) = (self.entries.first(), self.entries.last()) else { return 0 };
        common_prefix(first.key(), last.key())
    }

    fn compute_heads(&mut self) {
        self.prefix_length = self.common_prefix();
        self.heads.clear();
        self.heads.extend(self.entries.iter().map(|entry| head(entry.key(), self.prefix_length)));
    }
}

/// How many of these keys a read at this revision sees.
pub(super) fn count_alive_at(entries: &[Versions], at: Revision) -> usize {
    entries.iter().filter(|entry| entry.alive_at(at).is_some()).count()
}

/// How many bytes the two keys begin with in common.
pub(super) fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

/// Eight bytes of the key from `prefix_length` on, as a number that orders as they do. A shorter key is filled up
/// with zeros, so equal heads do not prove equal keys.
fn head(key: &[u8], prefix_length: usize) -> u64 {
    let rest = key.get(prefix_length..).unwrap_or_default();
    if let Some(head) = rest.first_chunk::<8>() {
        return u64::from_be_bytes(*head);
    }
    let mut head = [0; 8];
    head[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(head)
}
