//! HashKV of the real etcd 3.5.1, by `etcdctl endpoint hashkv`, after the operations below: every rule of the hash
//! has a case. The lease is the id that etcd had drawn.

use super::{Store, at, hash};
use crate::ids::{LeaseId, Position, Revision};
use crate::store::{KeyValue, UNCOMPACTED};

const LEASE: LeaseId = LeaseId(2_324_035_578_688_084_229);

/// The keyspace on any number of shards.
struct Keyspace {
    shards: Vec<Store>,
    compacted: Revision,
}

impl Keyspace {
    fn shard(&mut self, key: &[u8]) -> &mut Store {
        let count = self.shards.len();
        &mut self.shards[usize::from(key[key.len() - 1]) % count]
    }

    fn put(&mut self, at: Position, key: &str, value: &str, lease: LeaseId) {
        self.shard(key.as_bytes()).put(at, key.as_bytes(), value.as_bytes(), lease);
    }

    fn delete(&mut self, at: Position, key: &str) {
        let deleted: Option<KeyValue> = self.shard(key.as_bytes()).delete(at, key.as_bytes());
        assert!(deleted.is_some(), "{key} was not there");
    }

    fn compact(&mut self, revision: i64, sweep: bool) {
        self.compacted = Revision(revision);
        for shard in &mut self.shards {
            shard.compact(self.compacted);
            while sweep && !shard.compact_slice(2) {}
        }
    }

    fn expect(&self, revision: i64, golden: u32) {
        for part in [1, 3, 1000] {
            let hash = hash(&self.shards, Revision(revision), self.compacted, part);
            assert_eq!(hash, golden, "at {revision}, compacted at {}", self.compacted);
        }
    }
}

fn replay(shards: usize, sweep: bool) {
    let shards = std::iter::repeat_with(Store::new).take(shards).collect();
    let mut keyspace = Keyspace { shards, compacted: UNCOMPACTED };
    let none = LeaseId::NONE;
    keyspace.expect(1, 1_084_519_789);
    keyspace.put(at(2, 0), "/a", "one", none);
    keyspace.put(at(3, 0), "/b", "two", none);
    keyspace.put(at(4, 0), "/a", "three", none);
    keyspace.expect(4, 1_598_188_696);
    keyspace.expect(3, 3_080_992_563);
    keyspace.put(at(5, 0), "/empty", "", none);
    keyspace.put(at(6, 0), "/x", "1", none);
    keyspace.put(at(6, 1), "/y", "2", none);
    keyspace.put(at(6, 2), "/a", "4", none);
    keyspace.delete(at(6, 3), "/b");
    keyspace.expect(6, 4_170_238_820);
    keyspace.expect(5, 532_499_490);
    keyspace.delete(at(7, 0), "/x");
    keyspace.put(at(8, 0), "/b", "again", LEASE);
    keyspace.delete(at(9, 0), "/empty");
    keyspace.expect(9, 2_989_955_361);
    keyspace.compact(7, sweep);
    keyspace.expect(9, 1_975_151_746);
    keyspace.expect(8, 3_691_681_932);
    keyspace.put(at(10, 0), "/a", "5", none);
    keyspace.expect(10, 1_923_722_871);
    keyspace.delete(at(11, 0), "/a");
    keyspace.delete(at(11, 1), "/b");
    keyspace.delete(at(11, 2), "/y");
    keyspace.expect(11, 3_561_664_130);
    keyspace.compact(9, sweep);
    keyspace.expect(10, 3_914_028_404);
    keyspace.expect(11, 4_104_718_448);
    keyspace.compact(11, sweep);
    keyspace.expect(11, 1_084_519_789);
    keyspace.put(at(12, 0), "z", "z", none);
    keyspace.expect(12, 259_286_533);
}

#[test]
fn hashes_are_those_of_etcd_on_any_number_of_shards() {
    for shards in [1, 2, 5] {
        for sweep in [true, false] {
            replay(shards, sweep);
        }
    }
}
