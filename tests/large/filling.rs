//! The keys that a test fills a cluster with.

use campanile_api::etcdserverpb::{PutRequest, RequestOp, TxnRequest, request_op};
use campanile_test_support::{Client, environment};

/// What all keys begin with, and what comes behind all of them.
pub const PREFIX: &str = "large/";
pub const PREFIX_END: &str = "large0";

const KEYS_DEFAULT: u64 = 60_000;
const KEY_BYTES_DEFAULT: usize = 100;
/// Puts in one transaction: etcd's default bound.
const PUTS_EACH: u64 = 128;
/// Transactions under way at once.
const CONCURRENT: u64 = 16;

/// How many keys, and how long they are.
#[derive(Clone, Copy, Debug)]
pub struct Filling {
    pub keys: u64,
    key_bytes: usize,
}

impl Filling {
    pub fn from_environment() -> Filling {
        Filling {
            keys: environment::number("CAMPANILE_LARGE_KEYS", KEYS_DEFAULT),
            key_bytes: environment::number("CAMPANILE_LARGE_KEY_BYTES", KEY_BYTES_DEFAULT),
        }
    }

    /// Puts all keys, attached to a lease or (0) to none.
    pub async fn put(self, client: &Client, lease: i64) {
        let transactions = self.keys.div_ceil(PUTS_EACH);
        let fillers = (0..CONCURRENT).map(|filler| {
            let client = client.clone();
            tokio::spawn(async move {
                for transaction in (filler..transactions).step_by(CONCURRENT as usize) {
                    let numbers = transaction * PUTS_EACH..self.keys.min((transaction + 1) * PUTS_EACH);
                    let success = numbers.map(|number| self.operation(number, lease)).collect();
                    let request = TxnRequest { success, ..Default::default() };
                    client.kv().txn(request).await.expect("a quiet cluster takes puts");
                }
            })
        });
        for filler in fillers.collect::<Vec<_>>() {
            filler.await.expect("no panic");
        }
    }

    fn operation(self, number: u64, lease: i64) -> RequestOp {
        let key = format!("{PREFIX}{number:0width$}", width = self.key_bytes - PREFIX.len()).into();
        let put = PutRequest { key, value: "v".into(), lease, ..Default::default() };
        RequestOp { request: Some(request_op::Request::RequestPut(put)) }
    }
}
