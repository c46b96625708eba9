//! A view put together from what the participants of an operation found.
//!
//! It holds exactly what the operation [`needs`](super::needs) and nothing else: to ask it for a range that was not
//! gathered is a fault of the program, and for the number of its keys stops the member.

use super::needs::Found;
use super::view::View;
use crate::request::{KeyRange, RangeEnd};
use campanile_storage::ids::Revision;
use campanile_storage::store::{KeyValue, UNCOMPACTED};
use rustc_hash::FxHashMap;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// What the shards found, each revision for itself.
#[derive(Debug)]
pub struct Gathered {
    newest: Revision,
    compacted: Revision,
    key_values: BTreeMap<Revision, BTreeSet<ByKey>>,
    /// By range and by the revision that the operation named, as each was asked for.
    counts: FxHashMap<(KeyRange, Option<Revision>), u64>,
}

impl Gathered {
    /// Nothing yet. `newest` is the revision that the participants took for the newest.
    #[must_use]
    pub fn new(newest: Revision) -> Gathered {
        Gathered { newest, compacted: UNCOMPACTED, key_values: BTreeMap::new(), counts: FxHashMap::default() }
    }

    /// Adds one slice of one shard. Answers what is to be asked of that shard next.
    pub fn add(&mut self, found: Found) -> Option<super::Need> {
        let at = found.need.at.unwrap_or(self.newest);
        self.compacted = self.compacted.max(found.compacted);
        *self.counts.entry((found.need.keys, found.need.at)).or_default() += found.count;
        self.key_values.entry(at).or_default().extend(found.key_values.into_iter().map(ByKey));
        found.rest
    }

    /// Whether the newest revision was compacted away while slices were still under way. A read begins anew then, at a
    /// later revision; it cannot happen while participants pause.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.compacted > self.newest
    }

    fn at(&self, at: Revision) -> Option<&BTreeSet<ByKey>> {
        // What is newest for the operation may have a higher number than it had for the participants.
        self.key_values.get(&at.min(self.newest))
    }
}

impl View for Gathered {
    fn get(&self, key: &[u8], at: Revision) -> Option<KeyValue> {
        self.at(at)?.get(key).map(|found| found.0.clone())
    }

    fn range<'a>(&'a self, keys: &'a KeyRange, at: Revision) -> impl Iterator<Item = KeyValue> {
        let start = Bound::Included(&*keys.start);
        let end = match &keys.end {
            RangeEnd::Single => start,
            RangeEnd::Before(end) => Bound::Excluded(&**end),
            RangeEnd::Unbounded => Bound::Unbounded,
        };
        let found = self.at(at).filter(|_| !keys.is_empty()).map(|found| found.range::<[u8], _>((start, end)));
        found.into_iter().flatten().map(|found| found.0.clone())
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

/// A key-value that is found by its key.
#[derive(Debug)]
struct ByKey(KeyValue);

impl Borrow<[u8]> for ByKey {
    fn borrow(&self) -> &[u8] {
        self.0.key()
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &ByKey) -> bool {
        self.0.key() == other.0.key()
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
        self.0.key().cmp(other.0.key())
    }
}
