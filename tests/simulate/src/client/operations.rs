//! Operations on the keyspace with every option that etcd has, over few keys, so that they meet.

use super::draw::Ground;
use crate::dice::Dice;
use crate::record::Counts;
use bytes::Bytes;
use campanile_core::request::{
    Compare, CompareResult, CompareTarget, DeleteRange, KeyRange, Operation, Put, Range, RangeEnd, SortOrder,
    SortTarget, Txn,
};
use campanile_storage::ids::LeaseId;

/// How deep transactions are nested.
const DEPTH_MAX: u32 = 3;

#[must_use]
pub fn key(number: u64) -> Bytes {
    format!("key-{number:02}").into()
}

fn any_key(ground: &Ground, dice: &mut Dice) -> Bytes {
    key(dice.below(ground.keys))
}

fn keys(ground: &Ground, dice: &mut Dice) -> KeyRange {
    let start = any_key(ground, dice);
    let end = match dice.below(6) {
        0..3 => RangeEnd::Single,
        3 => RangeEnd::Unbounded,
        _ => RangeEnd::Before(any_key(ground, dice)),
    };
    KeyRange { start, end }
}

/// A value that no other request writes.
fn value(ground: &Ground, dice: &mut Dice) -> Bytes {
    let padding = if dice.one_in(30) { dice.below(3_000) as usize } else { dice.below(40) as usize };
    format!("{}.{}{}", ground.number, dice.below(1_000_000), "-".repeat(padding)).into()
}

pub fn put(ground: &Ground, dice: &mut Dice, counts: &mut Counts) -> Put {
    counts.note("request: put");
    let lease = if dice.one_in(4) { ground.lease(dice) } else { LeaseId::NONE };
    let mut put = Put {
        key: any_key(ground, dice),
        value: value(ground, dice),
        lease,
        previous: dice.one_in(3),
        ignore_value: false,
        ignore_lease: false,
    };
    match dice.below(20) {
        0 => (put.ignore_value, put.value) = (true, Bytes::new()),
        1 => (put.ignore_lease, put.lease) = (true, LeaseId::NONE),
        2 if dice.one_in(10) => put.key = Bytes::new(),
        _ => {}
    }
    for (is_set, what) in [
        (put.lease != LeaseId::NONE, "put: with a lease"),
        (put.previous, "put: asks for what was there"),
        (put.ignore_value, "put: keeps the value"),
        (put.ignore_lease, "put: keeps the lease"),
        (put.key.is_empty(), "put: without a key"),
    ] {
        counts.add(what, u64::from(is_set));
    }
    put
}

pub fn delete(ground: &Ground, dice: &mut Dice, counts: &mut Counts) -> DeleteRange {
    let delete = DeleteRange { keys: keys(ground, dice), previous: dice.one_in(3) };
    counts.note(if delete.keys.is_single() { "request: delete a key" } else { "request: delete a range" });
    delete
}

pub fn range(ground: &Ground, dice: &mut Dice, counts: &mut Counts) -> Range {
    let targets = [SortTarget::Key, SortTarget::Version, SortTarget::Create, SortTarget::Mod, SortTarget::Value];
    let orders = [SortOrder::None, SortOrder::Ascend, SortOrder::Descend];
    let bound = |dice: &mut Dice| if dice.one_in(12) { ground.revision(dice).0 } else { 0 };
    let range = Range {
        keys: keys(ground, dice),
        at: dice.one_in(5).then(|| ground.revision(dice)),
        limit: if dice.one_in(5) { dice.within(1..4) } else { 0 },
        sort: dice.one_in(5).then(|| (dice.pick(&targets), dice.pick(&orders))),
        serializable: dice.one_in(4),
        keys_only: dice.one_in(10),
        count_only: dice.one_in(10),
        mod_revision_min: bound(dice),
        mod_revision_max: bound(dice),
        create_revision_min: bound(dice),
        create_revision_max: bound(dice),
    };
    counts.note("request: range");
    for (is_set, what) in [
        (!range.keys.is_single(), "range: of several keys"),
        (range.at.is_some(), "range: at a revision"),
        (range.limit > 0, "range: with a limit"),
        (range.sort.is_some(), "range: sorted"),
        (range.serializable, "range: serializable"),
        (range.keys_only, "range: keys only"),
        (range.count_only, "range: count only"),
        (range.mod_revision_min > 0, "range: bound by mod revision"),
        (range.create_revision_max > 0, "range: bound by create revision"),
    ] {
        counts.add(what, u64::from(is_set));
    }
    range
}

pub fn transaction(ground: &Ground, dice: &mut Dice, counts: &mut Counts, depth: u32) -> Txn {
    counts.note(match depth {
        0 => "request: transaction",
        1 => "transaction: nested",
        _ => "transaction: nested twice",
    });
    let compares = (0..dice.below(3)).map(|_| compare(ground, dice)).collect();
    let mut branch = |dice: &mut Dice| -> Vec<Operation> {
        (0..dice.below(4)).map(|_| operation(ground, dice, counts, depth)).collect()
    };
    Txn { compares, success: branch(dice), failure: branch(dice) }
}

fn operation(ground: &Ground, dice: &mut Dice, counts: &mut Counts, depth: u32) -> Operation {
    match dice.below(10) {
        0..5 => Operation::Put(put(ground, dice, counts)),
        5 => Operation::DeleteRange(delete(ground, dice, counts)),
        6 if depth + 1 < DEPTH_MAX => Operation::Txn(transaction(ground, dice, counts, depth + 1)),
        _ => Operation::Range(range(ground, dice, counts)),
    }
}

fn compare(ground: &Ground, dice: &mut Dice) -> Compare {
    let results = [CompareResult::Equal, CompareResult::Greater, CompareResult::Less, CompareResult::NotEqual];
    let target = match dice.below(5) {
        0 => CompareTarget::Version(dice.below(4).cast_signed()),
        1 => CompareTarget::CreateRevision(ground.revision(dice).0),
        2 => CompareTarget::ModRevision(ground.revision(dice).0),
        3 => CompareTarget::Value(format!("{}", dice.below(10)).into()),
        _ => CompareTarget::Lease(dice.below(3).cast_signed()),
    };
    Compare { keys: keys(ground, dice), result: dice.pick(&results), target }
}
