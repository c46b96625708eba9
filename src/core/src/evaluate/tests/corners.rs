//! What etcd does at its corners, one by one, read off its source.

use super::{Known, apply};
use crate::clock::Change;
use crate::evaluate::{Evaluated, Gathered, evaluate, find, needs, prepare};
use crate::request::*;
use crate::response::OperationResponse;
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Revision, ShardId};
use campanile_storage::store::Store;

fn key(key: &'static str) -> Bytes {
    Bytes::from_static(key.as_bytes())
}

fn put(name: &'static str, value: &'static str) -> Operation {
    Operation::Put(Put {
        key: key(name),
        value: key(value),
        lease: LeaseId(0),
        previous: true,
        ignore_value: false,
        ignore_lease: false,
    })
}

fn range(start: &'static str, end: RangeEnd) -> Range {
    Range {
        keys: KeyRange { start: key(start), end },
        at: None,
        limit: 0,
        sort: None,
        serializable: false,
        keys_only: false,
        count_only: false,
        mod_revision_min: 0,
        mod_revision_max: 0,
        create_revision_min: 0,
        create_revision_max: 0,
    }
}

fn delete_from(start: &'static str) -> Operation {
    Operation::DeleteRange(DeleteRange {
        keys: KeyRange { start: key(start), end: RangeEnd::Unbounded },
        previous: true,
    })
}

fn txn(success: Vec<Operation>) -> Operation {
    Operation::Txn(Txn { compares: vec![], success, failure: vec![] })
}

fn run(store: &mut Store, operation: &Operation, next: i64) -> Evaluated {
    let evaluated = evaluate(operation, store, &Known, Revision(next)).expect("nothing stands in its way");
    evaluated.changes.iter().for_each(|change| apply(store, Revision(next), change));
    evaluated
}

fn filled() -> Store {
    let mut store = Store::new();
    for (index, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        run(&mut store, &put(name, name), 2 + index as i64);
    }
    run(&mut store, &put("a", "a2"), 6);
    store
}

fn responses(evaluated: Evaluated) -> Vec<OperationResponse> {
    let OperationResponse::Txn(txn) = evaluated.response else { panic!("a transaction") };
    txn.responses
}

#[test]
fn headers_name_the_new_revision_from_the_first_change_on() {
    let mut store = filled();
    let read = || Operation::Range(range("a", RangeEnd::Single));
    let evaluated = run(&mut store, &txn(vec![read(), put("x", ""), read(), txn(vec![read()])]), 7);
    assert_eq!(evaluated.response.revision(), Revision(7));
    let revisions: Vec<_> = responses(evaluated).iter().map(|response| response.revision().0).collect();
    // The nested transaction's own header is empty; what it read is not.
    assert_eq!(revisions, [6, 7, 7, 0]);
    let nothing = run(&mut store, &txn(vec![delete_from("z")]), 8);
    assert_eq!((nothing.response.revision(), nothing.changes), (Revision(7), vec![]));
}

#[test]
fn each_change_takes_the_next_sub_revision_and_later_operations_see_it() {
    let mut store = filled();
    let evaluated = run(&mut store, &txn(vec![put("aa", "1"), delete_from("b"), put("e", "2")]), 7);
    let order: Vec<_> = evaluated.changes.iter().map(|change| change.key().clone()).collect();
    assert_eq!(order, [key("aa"), key("b"), key("c"), key("d"), key("e")]);
    let subs = |change: &Change| match change {
        Change::Put { sub, .. } | Change::Delete { sub, .. } => *sub,
    };
    assert!(evaluated.changes.iter().map(subs).eq(0..5));

    // A key put and deleted in one transaction: both happened, and the delete shows the put.
    let evaluated = run(&mut store, &txn(vec![put("f", "3"), delete_from("f")]), 8);
    assert_eq!(evaluated.changes.len(), 2);
    let OperationResponse::DeleteRange(deleted) = &responses(evaluated)[1] else { panic!("a delete") };
    assert_eq!((deleted.deleted, deleted.previous[0].value()), (1, &b"3"[..]));

    // Deleted and put again: it is created anew.
    let evaluated = run(&mut store, &txn(vec![delete_from("e"), put("e", "4")]), 9);
    let OperationResponse::Put(written) = &responses(evaluated)[1] else { panic!("a put") };
    assert_eq!(written.previous, None);
    let found = store.get(b"e", Revision(9)).expect("it is there");
    assert_eq!((found.create_revision(), found.version()), (Revision(9), 1));
}

#[test]
fn a_put_that_keeps_the_value_of_a_key_deleted_before_it_keeps_nothing() {
    let mut store = filled();
    let Operation::Put(keep) = put("d", "") else { unreachable!() };
    let keep = Operation::Put(Put { ignore_value: true, ..keep });
    let evaluated = run(&mut store, &txn(vec![delete_from("d"), keep]), 7);
    assert_eq!(evaluated.changes.len(), 2);
    assert_eq!(store.get(b"d", Revision(7)).expect("it was put").value(), b"");
}

#[test]
fn a_target_without_an_order_sorts_what_the_limit_let_through() {
    let mut store = filled();
    let wish = Range { limit: 2, sort: Some((SortTarget::Mod, SortOrder::None)), ..range("a", RangeEnd::Unbounded) };
    let OperationResponse::Range(found) = run(&mut store, &Operation::Range(wish.clone()), 7).response else {
        panic!("a range")
    };
    let keys: Vec<_> = found.key_values.iter().map(|found| found.key()).collect();
    // a (mod 6), b (3), c (4) were read; d was not.
    assert_eq!((keys, found.more, found.count), (vec![&b"b"[..], b"c"], true, 4));
    let ordered = Range { sort: Some((SortTarget::Mod, SortOrder::Descend)), ..wish };
    let OperationResponse::Range(found) = run(&mut store, &Operation::Range(ordered), 7).response else {
        panic!("a range")
    };
    let keys: Vec<_> = found.key_values.iter().map(|found| found.key()).collect();
    assert_eq!((keys, found.more, found.count), (vec![&b"a"[..], b"d"], true, 4));
}

#[test]
fn what_was_prepared_runs_at_any_later_revision() {
    let store = filled();
    let operation = txn(vec![put("b", "1"), Operation::Range(range("b", RangeEnd::Single))]);
    let prepared = prepare(&operation, &store, &Known, Revision(6)).expect("nothing stands in its way");
    assert!(prepared.writes());
    let OperationResponse::Range(found) = &responses(prepared.run(&store, Revision(40)))[1] else { panic!("a range") };
    assert_eq!((found.revision, found.key_values[0].mod_revision()), (Revision(41), Revision(41)));
}

#[test]
fn a_limited_read_asks_a_shard_for_no_more_than_it_can_use() {
    let store = filled();
    let operation = Operation::Range(Range { limit: 1, ..range("a", RangeEnd::Unbounded) });
    let [need] = &needs(&operation).reads[..] else { panic!("one range") };
    let found = find(need, &store, Revision(6), 1_000);
    assert_eq!((found.key_values.len(), found.count, found.rest), (2, 4, None));
    let counted = Operation::Range(Range { count_only: true, ..range("a", RangeEnd::Unbounded) });
    let found = find(&needs(&counted).reads[0], &store, Revision(6), 1_000);
    assert_eq!((found.key_values.len(), found.count, found.rest), (0, 4, None));
}

#[test]
fn a_view_that_was_compacted_under_way_is_torn() {
    let mut store = filled();
    let operation = Operation::Range(range("a", RangeEnd::Unbounded));
    let mut gathered = Gathered::default();
    gathered.settle(Revision(4));
    let rest = gathered.add(ShardId(0), find(&needs(&operation).reads[0], &store, Revision(4), 1));
    assert!(!gathered.is_torn());
    store.compact(Revision(6));
    gathered.add(ShardId(0), find(&rest.expect("there is more"), &store, Revision(4), 1));
    assert!(gathered.is_torn());
}
