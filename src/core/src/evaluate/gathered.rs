//! A view put together from what the participants of an operation found.
//!
//! It holds exactly what the operation [`needs`](super::needs) and nothing else: to ask it for a range that was not
//! gathered is a fault of the program, and for the number of its keys stops the member.

use super::needs::Found;
use super::view::View;
use crate::request::{KeyRange, RangeEnd};
use campanile_storage::ids::{Revision, ShardId};
use campanile_storage::store::{KeyValue, UNCOMPACTED};
use rustc_hash::FxHashMap;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// What the shards found, each revision for itself.
#[derive(Debug)]
pub struct Gathered {
    /// The revision that the participants took for the newest.
    newest: Revision,
    compacted: Revision,
    /// What they found there.
    newest_state: BTreeSet<ByKey>,
    /// What they found at revisions that the operation names.
    named: BTreeMap<Revision, BTreeSet<ByKey>>,
    /// By range and by the revision that the operation named, as each was asked for.
    counts: FxHashMap<(KeyRange, Option<Revision>), u64>,
}

impl Default for Gathered {
    /// Nothing yet.
    fn default() -> Gathered {
        Gathered {
            newest: Revision::NEWEST,
            compacted: UNCOMPACTED,
            newest_state: BTreeSet::new(),
            named: BTreeMap::new(),
            counts: FxHashMap::default(),
        }
    }
}

impl Gathered {
    /// Adds one slice of one shard. Answers what is to be asked of that shard next.
    pub fn add(&mut self, shard: ShardId, found: Found) -> Option<super::Need> {
        let state = match found.need.at {
            Some(at) => self.named.entry(at).or_default(),
            None => &mut self.newest_state,
        };
        state.extend(found.key_values.into_iter().map(|key_value| ByKey { key_value, shard }));
        self.compacted = self.compacted.max(found.compacted);
        *self.counts.entry((found.need.keys, found.need.at)).or_default() += found.count;
        found.rest
    }

    /// Everything is gathered. `newest` is the revision that the participants took for the newest: they may have gone on
    /// while the first slices came.
    pub fn settle(&mut self, newest: Revision) {
        self.newest = newest;
        // Whoever names the newest revision reads what others read without naming it.
        if let Some(mut named) = self.named.remove(&newest) {
            self.newest_state.append(&mut named);
        }
    }

    /// Lets go of so many keys. Says whether none is left: what is very much is not dropped in one poll.
    pub fn shed(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            *left -= 1;
            if self.newest_state.pop_first().is_none() {
                let Some(named) = self.named.pop_first() else { return true };
                self.newest_state = named.1;
            }
        }
        false
    }

    /// Whether the newest revision was compacted away while slices were still under way. A read begins anew then, at a
    /// later revision; it cannot happen while participants pause.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.compacted > self.newest
    }

    fn at(&self, at: Revision) -> Option<&BTreeSet<ByKey>> {
        // What is newest for the operation may have a higher number than it had for the participants.
        if at >= self.newest { Some(&self.newest_state) } else { self.named.get(&at) }
    }

    fn found_in<'a>(&'a self, keys: &'a KeyRange, at: Revision) -> impl Iterator<Item = &'a ByKey> {
        let start = Bound::Included(&*keys.start);
        let end = match &keys.end {
            RangeEnd::Single => start,
            RangeEnd::Before(end) => Bound::Excluded(&**end),
            RangeEnd::Unbounded => Bound::Unbounded,
        };
        let found = self.at(at).filter(|_| !keys.is_empty()).map(|found| found.range::<[u8], _>((start, end)));
        found.into_iter().flatten()
    }
}

impl View for Gathered {
    fn get(&self, key: &[u8], at: Revision) -> Option<KeyValue> {
        self.at(at)?.get(key).map(|found| found.key_value.clone())
    }

    fn range<'a>(&'a self, keys: &'a KeyRange, at: Revision) -> impl Iterator<Item = KeyValue> {
        self.found_in(keys, at).map(|found| found.key_value.clone())
    }

    fn range_with_owners<'a>(
        &'a self,
        keys: &'a KeyRange,
        at: Revision,
    ) -> impl Iterator<Item = (KeyValue, Option<ShardId>)> {
        self.found_in(keys, at).map(|found| (found.key_value.clone(), Some(found.shard)))
    }

    fn count(&self, keys: &KeyRange, at: Revision) -> u64 {
        if keys.is_empty() {
            return 0;
        }
        let named = self.counts.get(&(keys.clone(), Some(at)));
        let newest = || self.counts.get(&(keys.clone(), None)).filter(|_| at >= self.newest);
        *named.or_else(newest).expect("every range of an operation is gathered before it is evaluated")
    }

    fn compacted(&self) -> Revision {
        self.compacted
    }
}

/// A key-value that is found by its key, and the shard that owns it.
#[derive(Debug)]
struct ByKey {
    key_value: KeyValue,
    shard: ShardId,
}

impl Borrow<[u8]> for ByKey {
    fn borrow(&self) -> &[u8] {
        self.key_value.key()
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &ByKey) -> bool {
        self.key_value.key() == other.key_value.key()
    }
}

impl Eq for ByKey {}

impl PartialOrd for ByKey {
    fn partial_cmp(&self, other: &ByKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByKey {
    fn cmp(&self, other: &ByKey) -> Ordering {
        self.key_value.key().cmp(other.key_value.key())
    }
}
