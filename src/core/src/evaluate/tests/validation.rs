//! The checks that need no state: etcd's order and its oddities by hand, and overlaps against a plain search.

use super::random::Generator;
use crate::error::UserError;
use crate::evaluate::{Limits, validate};
use crate::request::*;
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Revision};
use std::collections::BTreeSet;

fn key(key: &'static str) -> Bytes {
    Bytes::from_static(key.as_bytes())
}

fn put(name: &'static str) -> Operation {
    Operation::Put(Put {
        key: key(name),
        value: Bytes::new(),
        lease: LeaseId(0),
        previous: false,
        ignore_value: false,
        ignore_lease: false,
    })
}

fn delete(start: &'static str, end: RangeEnd) -> Operation {
    Operation::DeleteRange(DeleteRange { keys: KeyRange { start: key(start), end }, previous: false })
}

fn txn(success: Vec<Operation>, failure: Vec<Operation>) -> Operation {
    Operation::Txn(Txn { compares: vec![], success, failure })
}

fn check(operation: &Operation) -> Result<(), UserError> {
    validate(operation, Limits::default())
}

#[test]
fn fields_are_checked_in_order() {
    let with = |change: fn(&mut Put)| {
        let Operation::Put(mut wish) = put("k") else { unreachable!() };
        change(&mut wish);
        check(&Operation::Put(wish))
    };
    assert_eq!(check(&put("")), Err(UserError::EmptyKey));
    assert_eq!(check(&delete("", RangeEnd::Unbounded)), Err(UserError::EmptyKey));
    let value_and_lease = with(|put| {
        (put.ignore_value, put.ignore_lease) = (true, true);
        (put.value, put.lease) = (key("v"), LeaseId(1));
    });
    assert_eq!(value_and_lease, Err(UserError::ValueProvided));
    let lease = with(|put| (put.ignore_lease, put.lease) = (true, LeaseId(1)));
    assert_eq!(lease, Err(UserError::LeaseProvided));
    let duplicate_and_empty = txn(vec![put("a"), put("a")], vec![put("")]);
    assert_eq!(check(&duplicate_and_empty), Err(UserError::EmptyKey));
}

#[test]
fn nested_operations_have_what_their_parents_left() {
    let flat = |count| txn((0..count).map(|_| delete("a", RangeEnd::Single)).collect(), vec![]);
    assert_eq!(check(&flat(128)), Ok(()));
    assert_eq!(check(&flat(129)), Err(UserError::TooManyOperations));
    assert_eq!(check(&txn(vec![], vec![flat(127)])), Ok(()));
    assert_eq!(check(&txn(vec![flat(127), put("b")], vec![])), Err(UserError::TooManyOperations));
}

#[test]
fn overlaps_are_found_as_etcd_finds_them() {
    let duplicate = Err(UserError::DuplicateKey);
    assert_eq!(check(&txn(vec![put("a"), put("a")], vec![])), duplicate);
    assert_eq!(check(&txn(vec![put("a")], vec![put("a")])), Ok(()));
    assert_eq!(check(&txn(vec![put("b"), delete("a", RangeEnd::Before(key("c")))], vec![])), duplicate);
    assert_eq!(check(&txn(vec![put("c"), delete("a", RangeEnd::Before(key("c")))], vec![])), Ok(()));
    assert_eq!(check(&txn(vec![put("b"), delete("c", RangeEnd::Before(key("a")))], vec![])), Ok(()));
    // A delete to the end of the keyspace is never found.
    assert_eq!(check(&txn(vec![put("b"), delete("a", RangeEnd::Unbounded)], vec![])), Ok(()));
    // Both branches of a nested transaction may put a key; its parent and its siblings may not.
    let either = txn(vec![put("a")], vec![put("a")]);
    assert_eq!(check(&txn(vec![either.clone()], vec![])), Ok(()));
    assert_eq!(check(&txn(vec![either.clone(), put("a")], vec![])), duplicate);
    assert_eq!(check(&txn(vec![either.clone(), either.clone()], vec![])), duplicate);
    // A delete behind a sibling's put passes, one before it does not.
    let deletes = txn(vec![delete("a", RangeEnd::Single)], vec![]);
    assert_eq!(check(&txn(vec![either.clone(), deletes.clone()], vec![])), Ok(()));
    assert_eq!(check(&txn(vec![deletes, either], vec![])), duplicate);
}

/// The same rules with lists that are searched through.
fn collect(operations: &[Operation]) -> Option<(BTreeSet<Bytes>, Vec<KeyRange>)> {
    let (mut puts, mut deletes) = (BTreeSet::<Bytes>::new(), Vec::new());
    let is_deleted = |deletes: &[KeyRange], key: &Bytes| {
        deletes.iter().any(|keys| keys.end != RangeEnd::Unbounded && keys.contains(key))
    };
    for operation in operations {
        if let Operation::DeleteRange(delete) = operation {
            deletes.push(delete.keys.clone());
        }
    }
    for operation in operations {
        let Operation::Txn(txn) = operation else { continue };
        let (success, success_deletes) = collect(&txn.success)?;
        let (failure, failure_deletes) = collect(&txn.failure)?;
        if success.iter().chain(&failure).any(|key| puts.contains(key) || is_deleted(&deletes, key)) {
            return None;
        }
        puts.extend(success.into_iter().chain(failure));
        deletes.extend(success_deletes.into_iter().chain(failure_deletes));
    }
    for operation in operations {
        let Operation::Put(put) = operation else { continue };
        if is_deleted(&deletes, &put.key) || !puts.insert(put.key.clone()) {
            return None;
        }
    }
    Some((puts, deletes))
}

#[test]
fn overlaps_are_those_that_a_plain_search_finds() {
    let (mut passed, mut refused) = (0, 0);
    for seed in 0..200 {
        println!("seed {seed}");
        let mut generator = Generator::new(seed);
        for _ in 0..100 {
            let operation = generator.operation(Revision(9));
            let Operation::Txn(txn) = &operation else { continue };
            let found = validate(&operation, Limits { txn_operations_max: 1_000 });
            if !matches!(found, Ok(()) | Err(UserError::DuplicateKey)) {
                continue;
            }
            let expected = collect(&txn.success).and_then(|_| collect(&txn.failure)).is_some();
            assert_eq!(found.is_ok(), expected, "{operation:?}");
            *(if expected { &mut passed } else { &mut refused }) += 1;
        }
    }
    assert!(passed > 1_000 && refused > 500, "{passed} passed, {refused} were refused");
}
