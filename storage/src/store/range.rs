//! Reads of the state at one revision: one key, a range of keys in order, and how many keys a range has.

use std::collections::btree_map;

use super::Store;
use super::block::{Block, count_alive_at};
use super::key_value::KeyValue;
use super::versions::Versions;
use crate::ids::Revision;

/// Where a range of keys ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'a> {
    /// The range is its start alone.
    Single,
    /// Up to and without this key.
    Before(&'a [u8]),
    /// To the end of the keyspace.
    Unbounded,
}

impl End<'_> {
    fn is_behind(self, key: &[u8]) -> bool {
        match self {
            End::Single => false,
            End::Before(end) => key < end,
            End::Unbounded => true,
        }
    }
}

impl Store {
    /// The key as a read at `at` sees it. `at` is not below [`compacted`](Store::compacted), or the answer means
    /// nothing; [`Revision::NEWEST`] reads what was written last.
    #[must_use]
    pub fn get(&self, key: &[u8], at: Revision) -> Option<&KeyValue> {
        self.index.get(key)?.alive_at(at)
    }

    /// The keys from `start` on, in key order, as a read at `at` sees them (see [`get`](Store::get)). Nothing is
    /// computed before it is asked for: a caller with a limit stops there.
    #[must_use]
    pub fn range<'a>(&'a self, start: &[u8], end: End<'a>, at: Revision) -> Range<'a> {
        let keys = match end {
            End::Single => Keys { blocks: None, current: self.single(start).iter() },
            End::Before(_) | End::Unbounded => self.keys_from(start),
        };
        Range { keys, end, at }
    }

    /// How many keys [`range`](Store::range) would answer with. A block of keys that has not changed since `at` is
    /// counted without a look at them.
    #[must_use]
    pub fn count(&self, start: &[u8], end: End<'_>, at: Revision) -> usize {
        if end == End::Single {
            return usize::from(self.get(start, at).is_some());
        }
        let (separator, first) = self.index.block_of(start);
        let from_start = &first.entries()[first.search(start).unwrap_or_else(|index| index)..];
        let mut block = (first, from_start);
        let mut count = 0;
        for (separator, next) in self.index.blocks_behind(separator) {
            if !end.is_behind(separator) {
                break;
            }
            // Only the last block of the range can reach beyond its end.
            count += count_in(block, at);
            block = (next, next.entries());
        }
        let (last, entries) = block;
        count
            + match end {
                End::Before(end) => {
                    let behind = entries.partition_point(|entry| entry.key() < end);
                    count_in((last, &entries[..behind]), at)
                }
                End::Single | End::Unbounded => count_in(block, at),
            }
    }

    /// The entries of the index from this key on, without end.
    pub(super) fn keys_from(&self, start: &[u8]) -> Keys<'_> {
        let (separator, first) = self.index.block_of(start);
        let place = first.search(start).unwrap_or_else(|index| index);
        Keys { blocks: Some(self.index.blocks_behind(separator)), current: first.entries()[place..].iter() }
    }

    fn single(&self, key: &[u8]) -> &[Versions] {
        self.index.get(key).map(std::slice::from_ref).unwrap_or_default()
    }
}

fn count_in((block, entries): (&Block, &[Versions]), at: Revision) -> usize {
    if entries.len() == block.len() { block.count(at) } else { count_alive_at(entries, at) }
}

/// The keys of the index with all their versions, in key order.
#[derive(Clone, Debug)]
pub(super) struct Keys<'a> {
    blocks: Option<btree_map::Range<'a, Box<[u8]>, Block>>,
    current: std::slice::Iter<'a, Versions>,
}

impl<'a> Iterator for Keys<'a> {
    type Item = &'a Versions;

    fn next(&mut self) -> Option<&'a Versions> {
        loop {
            if let Some(versions) = self.current.next() {
                return Some(versions);
            }
            self.current = self.blocks.as_mut()?.next()?.1.entries().iter();
        }
    }
}

/// The answer to [`Store::range`].
#[derive(Clone, Debug)]
pub struct Range<'a> {
    keys: Keys<'a>,
    end: End<'a>,
    at: Revision,
}

impl<'a> Iterator for Range<'a> {
    type Item = &'a KeyValue;

    fn next(&mut self) -> Option<&'a KeyValue> {
        loop {
            let versions = self.keys.next()?;
            if self.end != End::Single && !self.end.is_behind(versions.key()) {
                return None;
            }
            if let Some(version) = versions.alive_at(self.at) {
                return Some(version);
            }
        }
    }
}
