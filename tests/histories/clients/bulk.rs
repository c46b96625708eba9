//! While a disk is full, one client writes large values to one key: the log of its shard comes to the end of what was prepared
//! for it, and the member to its own.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use campanile_core::request::{Operation, Put, Request};
use campanile_simulate::record::Counts;
use campanile_storage::ids::LeaseId;
use tokio::time::sleep;

use super::Client;

const VALUE_BYTES: usize = 1 << 20;
/// Two segments of the log and some more; collectors keep all of it.
const WRITES_MAX: usize = 48;
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

impl Client {
    pub(super) async fn write_much(mut self) -> Counts {
        let value = Bytes::from(vec![b'-'; VALUE_BYTES]);
        let mut left = WRITES_MAX;
        while !self.common.stop.load(Ordering::Relaxed) && left > 0 {
            if !self.common.is_full.load(Ordering::Relaxed) {
                sleep(LOOK_INTERVAL).await;
                continue;
            }
            left -= 1;
            self.counts.note("put: large, to a full disk");
            let put = Put {
                // Outside of all ranges that others read or delete.
                key: "bulk".into(),
                value: value.clone(),
                lease: LeaseId::NONE,
                previous: false,
                ignore_value: false,
                ignore_lease: false,
            };
            self.ask(Request::Operation(Operation::Put(put))).await;
        }
        self.counts
    }
}
