//! Leases: their ids are the test's, their time to live so long that no run sees one expire.

use std::ops::Range;

use campanile_api::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest,
};
use rand::Rng;

use super::Generator;
use crate::operation::Operation;

/// Ids that are granted and revoked all the time.
const POOL: [i64; 7] = [1, 2, 3, 77, 1 << 40, i64::MAX, -7];
/// An id that is never granted.
const NEVER_GRANTED: i64 = 4_444;
/// Leases with these ids are granted with too short a time to live, and asked nothing further: they may expire.
pub const SHORT_LIVED: Range<i64> = 1 << 50..1 << 51;
/// etcd's longest time to live.
const SECONDS_MAX: i64 = 9_000_000_000;

impl Generator<'_> {
    fn lease(&mut self) -> i64 {
        if self.percent(6) { NEVER_GRANTED } else { POOL[self.random.random_range(0..POOL.len())] }
    }

    pub(super) fn lease_or_none(&mut self) -> i64 {
        if self.percent(20) { self.lease() } else { 0 }
    }

    pub(super) fn lease_operation(&mut self) -> Operation {
        let id = self.lease();
        match self.random.random_range(0..100) {
            0..35 => Operation::Grant(self.grant()),
            35..50 => Operation::Revoke(LeaseRevokeRequest { id }),
            50..75 => Operation::TimeToLive(LeaseTimeToLiveRequest { id, keys: self.percent(60) }),
            75..85 => Operation::Leases,
            _ => Operation::KeepAlive(LeaseKeepAliveRequest { id }),
        }
    }

    fn grant(&mut self) -> LeaseGrantRequest {
        let id = POOL[self.random.random_range(0..POOL.len())];
        match self.random.random_range(0..100) {
            0..4 => LeaseGrantRequest { id, ttl: SECONDS_MAX + self.random.random_range(1..100) },
            4..8 => {
                LeaseGrantRequest { id: SHORT_LIVED.start + self.number as i64, ttl: self.random.random_range(-1..2) }
            }
            8..12 => LeaseGrantRequest { id, ttl: SECONDS_MAX },
            _ => LeaseGrantRequest { id, ttl: self.random.random_range(100_000..1_000_000) },
        }
    }
}
