//! A request's message, from protobuf to its evaluation over some keys.

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_core::clock::Change;
use campanile_core::evaluate::{Leases, Limits, evaluate, validate};
use campanile_core::request::Operation;
use campanile_storage::ids::{LeaseId, Position, Revision};
use campanile_storage::store::Store;
use prost::Message;

#[allow(dead_code, reason = "the server calls more of this file than a fuzzer does")]
#[path = "../../../src/server/rpc/operation.rs"]
mod operation;

const LIMITS: Limits = Limits { txn_operations_max: 128 };
const NEWEST: Revision = Revision(9);

/// The leases with an odd number live.
struct Odd;

impl Leases for Odd {
    fn is_live(&self, id: LeaseId) -> bool {
        id.0 % 2 == 1
    }
}

pub fn run(input: &[u8]) {
    let message = Bytes::copy_from_slice(input);
    let operations = [
        pb::RangeRequest::decode(message.clone()).ok().and_then(|request| operation::range(request).ok()),
        pb::PutRequest::decode(message.clone()).ok().map(operation::put),
        pb::DeleteRangeRequest::decode(message.clone()).ok().map(operation::delete_range),
        pb::TxnRequest::decode(message.clone()).ok().and_then(|request| operation::txn(request, LIMITS).ok()),
    ];
    operations.iter().flatten().for_each(perform);
    let _ = pb::WatchRequest::decode(message.clone());
    let _ = pb::LeaseGrantRequest::decode(message.clone());
    let _ = pb::CompactionRequest::decode(message);
}

fn perform(operation: &Operation) {
    if validate(operation, LIMITS).is_err() {
        return;
    }
    let mut store = store();
    let next = NEWEST.next();
    let Ok(evaluated) = evaluate(operation, &store, &Odd, next) else { return };
    assert!(!operation.is_read_only() || evaluated.changes.is_empty(), "a read changes nothing");
    for (change, number) in evaluated.changes.iter().zip(0..) {
        match change {
            Change::Put { sub, key, value, lease } => {
                assert_eq!(*sub, number, "changes are numbered in order");
                store.put(Position { revision: next, sub: *sub }, key, value, *lease);
            }
            Change::Delete { sub, key } => {
                assert_eq!(*sub, number, "changes are numbered in order");
                let deleted = store.delete(Position { revision: next, sub: *sub }, key);
                assert!(deleted.is_some(), "only keys that are there are deleted");
            }
        }
    }
}

/// Keys with histories, one of them deleted.
fn store() -> Store {
    let mut store = Store::new();
    let keys: [&[u8]; 4] = [b"a", b"a/1", b"b", b"\xff"];
    for revision in 2..=NEWEST.0 {
        let position = Position { revision: Revision(revision), sub: 0 };
        store.put(position, keys[revision as usize % keys.len()], &revision.to_le_bytes(), LeaseId(revision % 3));
    }
    store
}
