//! The operation with a number: a pure function of (seed, number, horizon).
//!
//! Because no operation's choices depend on those before it, but for the horizon, a failing run can be cut down by leaving
//! operations out. Keys and leases come from small pools, so that operations meet; rare branches are drawn often enough
//! for the corner counts of `corners.rs`, which fail a long run that missed one.

mod keys;
mod leases;
mod transactions;
mod watches;

pub use keys::LARGE_VALUES;
pub use leases::SHORT_LIVED;
pub use transactions::DEPTH_MAX;

use campanile_api::etcdserverpb::{CompactionRequest, DeleteRangeRequest, HashKvRequest, PutRequest, RangeRequest};
use campanile_test_support::Seed;
use rand::{Rng, rngs::StdRng};

use crate::{horizon::Horizon, operation::Operation};

/// How many operations pass between two points at which all watchers must have caught up.
const SETTLE_EVERY: u64 = 100;

/// The operation `number` of the run with this seed.
pub fn operation(seed: Seed, number: u64, horizon: &Horizon) -> Operation {
    if number % SETTLE_EVERY == SETTLE_EVERY - 1 {
        return Operation::Settle;
    }
    let mut generator = Generator { random: seed.part(number), horizon, number };
    match generator.random.random_range(0..1000) {
        0..300 => Operation::Put(generator.put()),
        300..540 => Operation::Range(generator.range_or_invalid()),
        540..620 => Operation::Delete(generator.delete()),
        620..800 => Operation::Txn(generator.txn()),
        800..920 => generator.lease_operation(),
        920..923 => Operation::Compact(generator.compaction()),
        923..945 => Operation::HashKv(HashKvRequest { revision: generator.revision() }),
        _ => generator.watch_operation(),
    }
}

/// The random choices of one operation.
struct Generator<'a> {
    random: StdRng,
    horizon: &'a Horizon,
    number: u64,
}

impl Generator<'_> {
    fn percent(&mut self, chance: u32) -> bool {
        self.random.random_ratio(chance, 100)
    }

    /// A revision to read at: mostly none, else readable, compacted, of the future or absurd.
    fn revision(&mut self) -> i64 {
        let Horizon { revision, compacted, .. } = *self.horizon;
        match self.random.random_range(0..100) {
            0..50 => 0,
            50..80 => self.random.random_range(compacted..=revision),
            80..85 => compacted,
            85..89 => self.random.random_range(0..=compacted),
            89..93 => revision,
            93..98 => revision + self.random.random_range(1..4),
            _ => -self.random.random_range(1..3),
        }
    }

    /// A bound on a key's create or mod revision; `chance` in a hundred of having one.
    fn bound(&mut self, chance: u32) -> i64 {
        if self.percent(chance) { self.random.random_range(1..=self.horizon.revision + 1) } else { 0 }
    }

    fn range(&mut self) -> RangeRequest {
        let (key, range_end) = self.key_range();
        let bounded = if self.percent(15) { 40 } else { 0 };
        RangeRequest {
            key,
            range_end,
            limit: if self.percent(30) { self.random.random_range(-1..8) } else { 0 },
            revision: self.revision(),
            sort_order: self.enumeration(3),
            sort_target: self.enumeration(5),
            serializable: self.percent(30),
            keys_only: self.percent(12),
            count_only: self.percent(8),
            min_mod_revision: self.bound(bounded),
            max_mod_revision: self.bound(bounded),
            min_create_revision: self.bound(bounded),
            max_create_revision: self.bound(bounded),
        }
    }

    /// A value of an enumeration with this many; the first is the default, and likely.
    fn enumeration(&mut self, values: i32) -> i32 {
        if self.percent(60) { 0 } else { self.random.random_range(0..values) }
    }

    /// Rarely with a sort that does not exist.
    fn range_or_invalid(&mut self) -> RangeRequest {
        let mut range = self.range();
        match self.random.random_range(0..200) {
            0 => range.sort_order = 3 + self.random.random_range(0..3),
            1 => range.sort_target = 5 + self.random.random_range(0..3),
            _ => {}
        }
        range
    }

    fn put(&mut self) -> PutRequest {
        let mut put = PutRequest {
            key: self.key(),
            value: self.value(),
            lease: self.lease_or_none(),
            prev_kv: self.percent(30),
            ignore_value: self.percent(8),
            ignore_lease: self.percent(8),
        };
        // A value beside ignore_value is an error, and so is a lease beside ignore_lease: mostly spare them.
        if put.ignore_value && self.percent(85) {
            put.value.clear();
        }
        if put.ignore_lease && self.percent(85) {
            put.lease = 0;
        }
        put
    }

    fn delete(&mut self) -> DeleteRangeRequest {
        let (key, range_end) = self.key_range();
        DeleteRangeRequest { key, range_end, prev_kv: self.percent(40) }
    }

    fn compaction(&mut self) -> CompactionRequest {
        let Horizon { revision, compacted, .. } = *self.horizon;
        let at = match self.random.random_range(0..100) {
            0..75 => self.random.random_range(compacted.max(1)..=revision),
            75..80 => revision,
            80..90 => revision + self.random.random_range(1..3),
            90..97 if compacted > 0 => self.random.random_range(0..=compacted),
            _ => -1,
        };
        CompactionRequest { revision: at, physical: self.percent(40) }
    }
}
