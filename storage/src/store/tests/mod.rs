//! Tests of the store as a whole: against a naive model with random operations, and against hashes of the real etcd.

mod golden;
mod model;
mod random;

use super::{HashMerge, KeyValue, Store};
use crate::ids::{LeaseId, Position, Revision};

fn at(revision: i64, sub: u32) -> Position {
    Position { revision: Revision(revision), sub }
}

/// HashKV of a keyspace that is spread over these shards, taken in parts of `part` entries.
fn hash(shards: &[Store], revision: Revision, compacted: Revision, part: usize) -> u32 {
    let mut merge = HashMerge::new(shards.len());
    let mut after = vec![None; shards.len()];
    while let Some(shard) = merge.wanted() {
        let entries: Vec<_> = shards[shard].hash_entries(revision, compacted, after[shard]).take(part).collect();
        after[shard] = entries.last().map(|entry| entry.position).or(after[shard]);
        let ended = entries.len() < part;
        merge.push(shard, entries, ended);
    }
    merge.finish()
}

/// Counts again what the store keeps count of.
fn audit(store: &Store) {
    let entries: Vec<_> = store.keys_from(b"").collect();
    let versions: Vec<&KeyValue> =
        entries.iter().flat_map(|entry| (0..entry.len()).filter_map(|place| entry.get(place))).collect();
    assert_eq!(store.versions_held(), versions.len());
    let bytes: usize = versions.iter().map(|version| version.bytes()).sum();
    let deques: usize = entries.iter().map(|entry| entry.bytes()).sum();
    assert_eq!(store.version_bytes, bytes + deques);
    let alive: Vec<_> = entries.iter().filter(|entry| entry.is_alive()).map(|entry| entry.newest()).collect();
    assert_eq!(store.keys(), alive.len());
    assert_eq!(store.bytes_in_use(), alive.iter().map(|version| version.bytes()).sum::<usize>());
    assert_eq!(
        store.leases().map(|(_, keys)| keys).sum::<usize>(),
        alive.iter().filter(|version| version.lease() != LeaseId::NONE).count()
    );
}

#[test]
fn changes_out_of_order_are_refused() {
    let refused = |second: Position| {
        std::panic::catch_unwind(move || {
            let mut store = Store::new();
            store.put(at(3, 1), b"k", b"v", LeaseId::NONE);
            store.put(second, b"k", b"v", LeaseId::NONE);
        })
        .is_err()
    };
    assert!(refused(at(3, 1)) && refused(at(3, 0)) && refused(at(2, 5)));
    assert!(!refused(at(3, 2)) && !refused(at(4, 0)));
}

#[test]
fn a_deletion_of_nothing_writes_nothing() {
    let mut store = Store::new();
    assert_eq!(store.delete(at(2, 0), b"k"), None);
    store.put(at(2, 0), b"k", b"v", LeaseId::NONE);
    assert!(store.delete(at(3, 0), b"k").is_some());
    assert_eq!(store.delete(at(4, 0), b"k"), None);
    assert_eq!((store.versions_held(), store.keys()), (2, 0));
}

#[test]
fn a_tombstone_is_kept_by_a_compaction_at_its_own_revision_and_goes_with_the_next() {
    let mut store = Store::new();
    store.put(at(2, 0), b"k", b"v", LeaseId::NONE);
    store.delete(at(3, 0), b"k");
    store.compact(Revision(3));
    assert!(store.compact_slice(100));
    let events: Vec<_> = store.events(Revision(3), Revision::NEWEST).collect();
    assert_eq!(events.len(), 1);
    assert!(events[0].kv.is_tombstone() && events[0].previous.is_none());
    store.compact(Revision(4));
    assert!(store.compact_slice(100));
    assert_eq!((store.versions_held(), store.keys_from(b"").count()), (0, 0));
}
