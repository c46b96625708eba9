//! The promises that must hold whatever happened.

use super::client::Call;
use super::member::Member;
use campanile_core::clock::Change;
use campanile_core::evaluate::Leases;
use campanile_core::evaluate::evaluate;
use campanile_core::request::{Operation, Request};
use campanile_core::response::{OperationResponse, Response};
use campanile_storage::ids::{LeaseId, Position, Revision};
use campanile_storage::store::Store;
use std::collections::BTreeMap;

/// The whole history, put together from the shards of a member: what each revision changed, in order.
pub fn history(member: &Member, visible: Revision) -> BTreeMap<Revision, Vec<Change>> {
    let mut changes: BTreeMap<Position, Change> = BTreeMap::new();
    for shard in member.executors.iter().flat_map(|executor| executor.shards()) {
        for event in shard.store.events(Revision(2), visible) {
            let kv = &event.kv;
            let (position, key) = (kv.position(), bytes::Bytes::copy_from_slice(kv.key()));
            let change = if kv.is_tombstone() {
                Change::Delete { sub: position.sub, key }
            } else {
                let value = bytes::Bytes::copy_from_slice(kv.value());
                Change::Put { sub: position.sub, key, value, lease: kv.lease() }
            };
            let before = changes.insert(position, change);
            assert!(before.is_none(), "two changes at {position:?}");
        }
    }
    let mut history: BTreeMap<Revision, Vec<Change>> = BTreeMap::new();
    for (position, change) in changes {
        history.entry(position.revision).or_default().push(change);
    }
    for (expected, (revision, changes)) in (2..).zip(&history) {
        assert_eq!(revision.0, expected, "revisions are dense");
        let subs: Vec<u32> = changes.iter().map(sub).collect();
        assert_eq!(subs, (0..).take(subs.len()).collect::<Vec<_>>(), "revision {revision} is whole");
    }
    assert_eq!(history.len() as i64, visible.0 - 1, "every visible revision is there");
    history
}

fn sub(change: &Change) -> u32 {
    match change {
        Change::Put { sub, .. } | Change::Delete { sub, .. } => *sub,
    }
}

struct AnyLease;

impl Leases for AnyLease {
    fn is_live(&self, _: LeaseId) -> bool {
        true
    }
}

/// Every answer is what one store would have said that went through the history step by step.
pub fn answers(history: &BTreeMap<Revision, Vec<Change>>, calls: &[Call]) {
    let mut store = Store::new();
    let mut by_revision: BTreeMap<Revision, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        if let (Request::Operation(_) | Request::LeaseRevoke { .. }, Some(Ok(response))) = (&call.request, &call.result)
        {
            by_revision.entry(response.revision()).or_default().push(call);
        }
    }
    let newest = history.keys().next_back().copied().unwrap_or(Revision::EMPTY);
    if let Some((revision, _)) = by_revision.range(newest.next()..).next() {
        panic!("revision {revision} was acknowledged and is not there");
    }
    for revision in (1..=newest.0).map(Revision) {
        let changes = history.get(&revision).map_or(&[][..], Vec::as_slice);
        let mut writers = 0;
        for call in by_revision.get(&revision).map_or(&[][..], Vec::as_slice) {
            let Request::Operation(operation) = &call.request else { continue };
            writers += u32::from(writer_matches(operation, &store, revision, changes, call));
        }
        assert!(writers <= 1, "revision {revision} was given to {writers} requests");
        apply(&mut store, revision, changes);
        for call in by_revision.get(&revision).map_or(&[][..], Vec::as_slice) {
            let Request::Operation(operation) = &call.request else { continue };
            reader_matches(operation, &store, revision, call);
        }
    }
}

/// If the call wrote this revision, its answer and its effects are those of an evaluation just before it.
fn writer_matches(operation: &Operation, store: &Store, revision: Revision, changes: &[Change], call: &Call) -> bool {
    if operation.is_read_only() || revision == Revision::EMPTY {
        return false;
    }
    let Ok(evaluated) = evaluate(operation, store, &AnyLease, revision) else { return false };
    if evaluated.changes.is_empty() || evaluated.changes != changes {
        return false;
    }
    call.result == Some(Ok(Response::Operation(evaluated.response)))
}

/// If the call wrote nothing, its answer is that of an evaluation at the revision that it names.
fn reader_matches(operation: &Operation, store: &Store, revision: Revision, call: &Call) {
    let Some(Ok(Response::Operation(response))) = &call.result else { return };
    let linearizable = !operation.is_serializable();
    assert!(
        !linearizable || revision >= call.shown_before,
        "a linearizable answer at {revision}, below {} that was shown before it was asked",
        call.shown_before
    );
    let wrote = match response {
        OperationResponse::Put(_) => true,
        OperationResponse::DeleteRange(response) => response.deleted > 0,
        OperationResponse::Txn(response) => response.responses.iter().any(|response| match response {
            OperationResponse::Put(_) => true,
            OperationResponse::DeleteRange(response) => response.deleted > 0,
            _ => false,
        }),
        OperationResponse::Range(_) => false,
    };
    if wrote {
        return;
    }
    let evaluated = evaluate(operation, store, &AnyLease, revision.next()).expect("reads of the newest state succeed");
    assert_eq!(*response, evaluated.response, "a read at {revision} that no moment explains");
}

fn apply(store: &mut Store, revision: Revision, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Put { sub, key, value, lease } => {
                store.put(Position { revision, sub: *sub }, key, value, *lease);
            }
            Change::Delete { sub, key } => {
                store.delete(Position { revision, sub: *sub }, key).expect("a deleted key was there");
            }
        }
    }
}

/// Every acknowledged write stands in the history at the revision that it was told.
pub fn writes(history: &BTreeMap<Revision, Vec<Change>>, calls: &[Call]) {
    for call in calls {
        let (Request::Operation(Operation::Put(put)), Some(Ok(response))) = (&call.request, &call.result) else {
            continue;
        };
        let changes = &history[&response.revision()];
        let expected = Change::Put { sub: 0, key: put.key.clone(), value: put.value.clone(), lease: put.lease };
        assert_eq!(changes[..], [expected], "the put acknowledged at {}", response.revision());
        assert!(response.revision() > call.shown_before, "a write below what was shown before it was asked");
    }
}
