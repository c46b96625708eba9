//! What evaluation reads: the keyspace at a revision, and which leases live.

use crate::request::{KeyRange, RangeEnd};
use campanile_storage::ids::{LeaseId, Revision, ShardId};
use campanile_storage::store::{End, KeyValue, Store};

/// The keyspace, or the part of it that an operation needs, at every revision that is not compacted.
///
/// Where evaluation wants the newest state it asks for the newest revision taken. A key's value "at" a revision is the one
/// that a read at it sees; deleted keys are not there.
pub trait View {
    fn get(&self, key: &[u8], at: Revision) -> Option<KeyValue>;

    /// The keys of the range in key order.
    fn range<'a>(&'a self, keys: &'a KeyRange, at: Revision) -> impl Iterator<Item = KeyValue>;

    /// As [`range`](Self::range), each key with the shard that it was found in, if the view knows it: nobody need hash it
    /// again.
    fn range_with_owners<'a>(
        &'a self,
        keys: &'a KeyRange,
        at: Revision,
    ) -> impl Iterator<Item = (KeyValue, Option<ShardId>)> {
        self.range(keys, at).map(|key_value| (key_value, None))
    }

    /// How many keys [`range`](Self::range) has.
    fn count(&self, keys: &KeyRange, at: Revision) -> u64;

    /// Nothing below this revision can be read; -1 if nothing was ever compacted.
    fn compacted(&self) -> Revision;
}

/// Which leases a put may attach.
pub trait Leases {
    fn is_live(&self, id: LeaseId) -> bool;
}

/// A view of which less may be read than it holds: a compaction took effect that it has not carried out.
#[derive(Debug)]
pub struct Compacted<'v, V> {
    pub view: &'v V,
    pub at: Revision,
}

impl<V: View> View for Compacted<'_, V> {
    fn get(&self, key: &[u8], at: Revision) -> Option<KeyValue> {
        self.view.get(key, at)
    }

    fn range<'a>(&'a self, keys: &'a KeyRange, at: Revision) -> impl Iterator<Item = KeyValue> {
        self.view.range(keys, at)
    }

    fn count(&self, keys: &KeyRange, at: Revision) -> u64 {
        self.view.count(keys, at)
    }

    fn compacted(&self) -> Revision {
        self.view.compacted().max(self.at)
    }
}

impl View for Store {
    fn get(&self, key: &[u8], at: Revision) -> Option<KeyValue> {
        Store::get(self, key, at).cloned()
    }

    fn range<'a>(&'a self, keys: &'a KeyRange, at: Revision) -> impl Iterator<Item = KeyValue> {
        Store::range(self, &keys.start, end(keys), at).cloned()
    }

    fn count(&self, keys: &KeyRange, at: Revision) -> u64 {
        Store::count(self, &keys.start, end(keys), at) as u64
    }

    fn compacted(&self) -> Revision {
        Store::compacted(self)
    }
}

fn end(keys: &KeyRange) -> End<'_> {
    match &keys.end {
        RangeEnd::Single => End::Single,
        RangeEnd::Before(end) => End::Before(end),
        RangeEnd::Unbounded => End::Unbounded,
    }
}
