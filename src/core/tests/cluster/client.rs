//! What simulated clients ask, and what they were told.

use bytes::Bytes;
use campanile_core::error::UserError;
use campanile_core::random::Random;
use campanile_core::request::{
    Compare, CompareResult, CompareTarget, DeleteRange, KeyRange, Operation, Put, Range, RangeEnd, Request, Txn,
};
use campanile_core::response::Response;
use campanile_storage::ids::{LeaseId, Revision};

/// One request in the history of a run.
#[derive(Debug)]
pub struct Call {
    pub request: Request,
    /// What had been acknowledged or shown anywhere when it was sent.
    pub shown_before: Revision,
    pub result: Option<Result<Response, UserError>>,
}

const KEYS: u64 = 12;

pub fn key(number: u64) -> Bytes {
    format!("key-{number:02}").into()
}

/// Puts one key.
pub fn put(key: Bytes, value: u64) -> Request {
    let value = Bytes::from(format!("value-{value}"));
    let lease = LeaseId::NONE;
    Request::Operation(Operation::Put(Put {
        key,
        value,
        lease,
        previous: false,
        ignore_value: false,
        ignore_lease: false,
    }))
}

fn random_put(random: &mut Random, value: u64, lease: LeaseId) -> Operation {
    let (key, value) = (key(random.below(KEYS)), Bytes::from(format!("value-{value}")));
    Operation::Put(Put { key, value, lease, previous: false, ignore_value: false, ignore_lease: false })
}

fn range(random: &mut Random, serializable: bool) -> Operation {
    let keys = if random.below(2) == 0 {
        KeyRange::single(key(random.below(KEYS)))
    } else {
        KeyRange { start: key(random.below(KEYS)), end: RangeEnd::Unbounded }
    };
    Operation::Range(Range {
        keys,
        at: None,
        limit: 0,
        sort: None,
        serializable,
        keys_only: false,
        count_only: false,
        mod_revision_min: 0,
        mod_revision_max: 0,
        create_revision_min: 0,
        create_revision_max: 0,
    })
}

fn delete(random: &mut Random) -> Operation {
    let start = key(random.below(KEYS));
    let end = if random.below(3) == 0 { RangeEnd::Before(key(random.below(KEYS))) } else { RangeEnd::Single };
    Operation::DeleteRange(DeleteRange { keys: KeyRange { start, end }, previous: false })
}

/// A transaction that swaps on a comparison, over two keys that are never the same.
fn transaction(random: &mut Random, value: u64) -> Operation {
    let first = random.below(KEYS);
    let second = (first + 1 + random.below(KEYS - 1)) % KEYS;
    let put = |number: u64| {
        let (key, value) = (key(number), Bytes::from(format!("value-{value}")));
        let put = Put { key, value, lease: LeaseId::NONE, previous: true, ignore_value: false, ignore_lease: false };
        Operation::Put(put)
    };
    let compare = Compare {
        keys: KeyRange::single(key(random.below(KEYS))),
        result: CompareResult::Greater,
        target: CompareTarget::Version(0),
    };
    let compares = if random.below(2) == 0 { vec![compare] } else { Vec::new() };
    let failure = if random.below(2) == 0 { vec![put(first)] } else { vec![range(random, false)] };
    Operation::Txn(Txn { compares, success: vec![put(first), put(second), range(random, false)], failure })
}

/// The next request; `number` makes its values unique.
pub fn draw(random: &mut Random, number: u64) -> Request {
    let lease = LeaseId(1 + (random.below(4)).cast_signed());
    match random.below(20) {
        0..6 => Request::Operation(random_put(random, number, LeaseId::NONE)),
        6..8 => Request::Operation(random_put(random, number, lease)),
        8..12 => Request::Operation(transaction(random, number)),
        12..14 => Request::Operation(delete(random)),
        14..17 => Request::Operation(range(random, false)),
        17 => Request::Operation(range(random, true)),
        18 => Request::LeaseGrant { id: lease, ttl_seconds: 1_000_000 },
        _ => Request::LeaseRevoke { id: lease },
    }
}
