//! The checks that need no state, in etcd's order (`server/etcdserver/api/v3rpc/key.go`). Never looks at a store.
//!
//! What protobuf can say and the core's types cannot (an operation without content, a sort option without meaning) is
//! refused where messages are converted.

use crate::error::UserError;
use crate::request::{DeleteRange, KeyRange, Operation, Put, RangeEnd, Txn};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What the configuration allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations in one transaction (etcd's `--max-txn-ops`). The longest of a level's three lists counts, and what
    /// is nested in it has what remains.
    pub txn_operations_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { txn_operations_max: 128 }
    }
}

/// Checks what can be checked without the state.
///
/// # Errors
/// The first fault in etcd's order: the fields of every operation, then puts and deletes of one key.
pub fn validate(operation: &Operation, limits: Limits) -> Result<(), UserError> {
    check_operation(operation, limits.txn_operations_max)?;
    if let Operation::Txn(txn) = operation {
        collect_writes(&txn.success)?;
        collect_writes(&txn.failure)?;
    }
    Ok(())
}

fn check_operation(operation: &Operation, operations_max: usize) -> Result<(), UserError> {
    match operation {
        Operation::Range(range) => check_key(&range.keys.start),
        Operation::Put(put) => check_put(put),
        Operation::DeleteRange(DeleteRange { keys, .. }) => check_key(&keys.start),
        Operation::Txn(txn) => check_txn(txn, operations_max),
    }
}

fn check_key(key: &[u8]) -> Result<(), UserError> {
    if key.is_empty() { Err(UserError::EmptyKey) } else { Ok(()) }
}

fn check_put(put: &Put) -> Result<(), UserError> {
    check_key(&put.key)?;
    if put.ignore_value && !put.value.is_empty() {
        return Err(UserError::ValueProvided);
    }
    if put.ignore_lease && put.lease.0 != 0 {
        return Err(UserError::LeaseProvided);
    }
    Ok(())
}

fn check_txn(txn: &Txn, operations_max: usize) -> Result<(), UserError> {
    let operations = txn.compares.len().max(txn.success.len()).max(txn.failure.len());
    let left = operations_max.checked_sub(operations).ok_or(UserError::TooManyOperations)?;
    txn.compares.iter().try_for_each(|compare| check_key(&compare.keys.start))?;
    txn.success.iter().chain(&txn.failure).try_for_each(|operation| check_operation(operation, left))
}

/// What a list of operations puts and deletes, whichever of the nested branches is taken.
#[derive(Default)]
struct Writes<'a> {
    puts: FxHashMap<&'a Bytes, Side>,
    deletes: Deletes<'a>,
}

/// In which branch of the transaction that is being collected a key was put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// By an operation before: a second put is a duplicate.
    Settled,
    /// By the success branch: the failure branch may put it too, for only one of them is taken.
    Success,
}

/// Collects puts and deletes, and refuses a key that is put twice, or put and deleted.
///
/// etcd collects in this order: the level's own deletes, then nested transactions one after the other, then the level's
/// own puts; each put is checked against what was collected before it. A delete that is nested behind a put of the same
/// key therefore passes, and so does every delete up to the end of the keyspace: etcd reads its `"\0"` as a key here.
fn collect_writes(operations: &[Operation]) -> Result<Writes<'_>, UserError> {
    let mut writes = Writes::default();
    for operation in operations {
        if let Operation::DeleteRange(delete) = operation {
            writes.deletes.insert(&delete.keys);
        }
    }
    for operation in operations {
        if let Operation::Txn(txn) = operation {
            let success = collect_writes(&txn.success)?;
            let failure = collect_writes(&txn.failure)?;
            writes.put_all(success.puts.keys().copied(), Side::Success)?;
            writes.put_all(failure.puts.keys().copied(), Side::Settled)?;
            // The next transaction's puts meet both branches' alike.
            success.puts.keys().for_each(|key| _ = writes.puts.insert(key, Side::Settled));
            writes.deletes.absorb(success.deletes);
            writes.deletes.absorb(failure.deletes);
        }
    }
    for operation in operations {
        if let Operation::Put(put) = operation {
            writes.put_all(std::iter::once(&put.key), Side::Success)?;
            writes.puts.insert(&put.key, Side::Settled);
        }
    }
    Ok(writes)
}

impl<'a> Writes<'a> {
    fn put_all(&mut self, keys: impl Iterator<Item = &'a Bytes>, side: Side) -> Result<(), UserError> {
        for key in keys {
            let taken_before = match self.puts.get(key) {
                None => false,
                Some(Side::Settled) => true,
                Some(Side::Success) => side == Side::Success,
            };
            if taken_before || self.deletes.contains(key) {
                return Err(UserError::DuplicateKey);
            }
            self.puts.entry(key).or_insert(side);
        }
        Ok(())
    }
}

/// A set of deleted keys as disjoint intervals, start to end, so that a look-up is one step in an ordered map.
#[derive(Default)]
struct Deletes<'a>(BTreeMap<&'a [u8], Before<'a>>);

/// Where an interval ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Before<'a> {
    Key(&'a [u8]),
    /// Behind the one key `0`, and in front of whatever comes next.
    Successor(&'a [u8]),
}

impl Before<'_> {
    fn is_behind(self, key: &[u8]) -> bool {
        match self {
            Before::Key(end) => key < end,
            Before::Successor(last) => key <= last,
        }
    }
}

impl<'a> Deletes<'a> {
    fn insert(&mut self, keys: &'a KeyRange) {
        match &keys.end {
            RangeEnd::Single => self.insert_interval(&keys.start, Before::Successor(&keys.start)),
            RangeEnd::Before(end) => self.insert_interval(&keys.start, Before::Key(end)),
            RangeEnd::Unbounded => {}
        }
    }

    fn insert_interval(&mut self, start: &'a [u8], end: Before<'a>) {
        if !end.is_behind(start) {
            return;
        }
        let (mut start, mut end) = (start, end);
        if let Some((earlier, reach)) = self.0.range(..=start).next_back().filter(|(_, reach)| reach.is_behind(start)) {
            (start, end) = (earlier, further(*reach, end));
        }
        while let Some((&later, &reach)) = self.0.range(start..).next().filter(|(later, _)| end.is_behind(later)) {
            end = further(reach, end);
            self.0.remove(later);
        }
        self.0.insert(start, end);
    }

    /// The smaller set goes into the larger one, so that nesting costs no more than a logarithm.
    fn absorb(&mut self, mut other: Deletes<'a>) {
        if other.0.len() > self.0.len() {
            std::mem::swap(self, &mut other);
        }
        for (start, end) in other.0 {
            self.insert_interval(start, end);
        }
    }

    fn contains(&self, key: &[u8]) -> bool {
        self.0.range(..=key).next_back().is_some_and(|(_, end)| end.is_behind(key))
    }
}

fn further<'a>(one: Before<'a>, other: Before<'a>) -> Before<'a> {
    let (Before::Key(a) | Before::Successor(a), Before::Key(b) | Before::Successor(b)) = (one, other);
    match a.cmp(b) {
        std::cmp::Ordering::Less => other,
        std::cmp::Ordering::Greater => one,
        std::cmp::Ordering::Equal if matches!(one, Before::Successor(_)) => one,
        std::cmp::Ordering::Equal => other,
    }
}
