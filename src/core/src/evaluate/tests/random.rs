//! Random operations over few keys, so that they meet; and a count of the corners that they reached.

use crate::error::UserError;
use crate::evaluate::{Evaluated, Limits};
use crate::request::*;
use crate::response::OperationResponse;
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Revision};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// What a run must have met.
pub const CORNERS: [&str; 33] = [
    "refused without a look at the state",
    "error: etcdserver: key not found",
    "error: etcdserver: requested lease not found",
    "error: etcdserver: mvcc: required revision has been compacted",
    "error: etcdserver: mvcc: required revision is a future revision",
    "range at a revision",
    "range with more",
    "range with count beyond what is answered",
    "range sorted by Key None",
    "range sorted by Key Ascend",
    "range sorted by Key Descend",
    "range sorted by Version None",
    "range sorted by Version Ascend",
    "range sorted by Version Descend",
    "range sorted by Create Descend",
    "range sorted by Mod Ascend",
    "range sorted by Value Descend",
    "range keys only",
    "range keys only by value",
    "range count only",
    "range bounded by revision",
    "range in a transaction",
    "range in a transaction that wrote before",
    "put ignoring the value",
    "put ignoring the lease",
    "put with previous",
    "delete of nothing",
    "delete of several",
    "txn failed",
    "txn succeeded",
    "txn at depth 3",
    "one key put and deleted in one transaction",
    "a transaction that turned out to write nothing",
];

pub struct Generator {
    random: StdRng,
    limits: Limits,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        Generator { random: StdRng::seed_from_u64(seed), limits: Limits { txn_operations_max: 12 } }
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub fn slice(&mut self) -> usize {
        *[1, 2, 3, 1_000].choose(&mut self.random).expect("not empty")
    }

    pub fn compaction(&mut self, compacted: Revision, newest: Revision) -> Option<Revision> {
        let first = compacted.0.max(0) + 1;
        (self.random.random_ratio(1, 60) && first <= newest.0)
            .then(|| Revision(self.random.random_range(first..=newest.0)))
    }

    pub fn operation(&mut self, newest: Revision) -> Operation {
        match self.random.random_range(0..10) {
            0..3 => Operation::Put(self.put()),
            3..6 => Operation::Range(self.range(newest)),
            6 => Operation::DeleteRange(self.delete()),
            _ => Operation::Txn(self.txn(newest, 0)),
        }
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.random.random_ratio(1, one_in)
    }

    fn key(&mut self) -> Bytes {
        if self.chance(150) {
            return Bytes::new();
        }
        let length = self.random.random_range(1..3);
        (0..length).map(|_| *b"\0abc\xff".choose(&mut self.random).expect("not empty")).collect()
    }

    fn keys(&mut self) -> KeyRange {
        let end = match self.random.random_range(0..10) {
            0..4 => RangeEnd::Single,
            4..9 => RangeEnd::Before(self.key()),
            _ => RangeEnd::Unbounded,
        };
        KeyRange { start: self.key(), end }
    }

    fn revision(&mut self, newest: Revision) -> Revision {
        Revision(self.random.random_range(-3..newest.0 + 2))
    }

    fn range(&mut self, newest: Revision) -> Range {
        let bound = |this: &mut Generator| if this.chance(12) { this.revision(newest).0.max(0) } else { 0 };
        let keys = if self.chance(3) {
            KeyRange { start: Bytes::from_static(b"\0"), end: RangeEnd::Unbounded }
        } else {
            self.keys()
        };
        let targets = [SortTarget::Key, SortTarget::Version, SortTarget::Create, SortTarget::Mod, SortTarget::Value];
        let orders = [SortOrder::None, SortOrder::Ascend, SortOrder::Descend];
        Range {
            keys,
            at: self.chance(4).then(|| self.revision(newest)),
            limit: if self.chance(2) { 0 } else { self.random.random_range(1..6) },
            sort: self.chance(2).then(|| {
                let target = targets.choose(&mut self.random).expect("not empty");
                (*target, *orders.choose(&mut self.random).expect("not empty"))
            }),
            serializable: self.chance(2),
            keys_only: self.chance(6),
            count_only: self.chance(10),
            mod_revision_min: bound(self),
            mod_revision_max: bound(self),
            create_revision_min: bound(self),
            create_revision_max: bound(self),
        }
    }

    fn put(&mut self) -> Put {
        let ignore_value = self.chance(6);
        let ignore_lease = self.chance(6);
        let lease = *[0, 0, 0, 7, 8, 9].choose(&mut self.random).expect("not empty");
        let value: Bytes = (0..self.random.random_range(0..3)).map(|_| self.random.random_range(b'x'..=b'z')).collect();
        Put {
            key: self.key(),
            value: if ignore_value && !self.chance(9) { Bytes::new() } else { value },
            lease: LeaseId(if ignore_lease && !self.chance(9) { 0 } else { lease }),
            previous: self.chance(3),
            ignore_value,
            ignore_lease,
        }
    }

    fn delete(&mut self) -> DeleteRange {
        DeleteRange { keys: self.keys(), previous: self.chance(2) }
    }

    fn compare(&mut self, newest: Revision) -> Compare {
        let results = [CompareResult::Equal, CompareResult::NotEqual, CompareResult::Greater, CompareResult::Less];
        let revision = self.revision(newest).0;
        let target = match self.random.random_range(0..5) {
            0 => CompareTarget::Version(self.random.random_range(0..3)),
            1 => CompareTarget::CreateRevision(revision),
            2 => CompareTarget::ModRevision(revision),
            3 => CompareTarget::Lease(*[0, 7, 8].choose(&mut self.random).expect("not empty")),
            _ => CompareTarget::Value(self.put().value),
        };
        Compare { keys: self.keys(), result: *results.choose(&mut self.random).expect("not empty"), target }
    }

    fn txn(&mut self, newest: Revision, depth: usize) -> Txn {
        let compares = (0..self.random.random_range(0..3)).map(|_| self.compare(newest)).collect();
        let mut branch = || {
            let count = self.random.random_range(0..5);
            (0..count)
                .map(|_| match self.random.random_range(0..8) {
                    0 if depth < 4 => Operation::Txn(self.txn(newest, depth + 1)),
                    0..3 => Operation::Put(self.put()),
                    3 | 4 => Operation::DeleteRange(self.delete()),
                    _ => Operation::Range(self.range(newest)),
                })
                .collect()
        };
        Txn { success: branch(), compares, failure: branch() }
    }
}

/// Counts what an operation is an example of.
pub fn note(operation: &Operation, result: &Result<Evaluated, UserError>, seen: &mut BTreeMap<String, usize>) {
    let mut add = |corner: String| *seen.entry(corner).or_insert(0) += 1;
    match result {
        Err(error) => add(format!("error: {error}")),
        Ok(evaluated) => {
            if !operation.is_read_only() && evaluated.changes.is_empty() {
                add("a transaction that turned out to write nothing".to_owned());
            }
            let mut keys: Vec<_> = evaluated.changes.iter().map(|change| change.key()).collect();
            keys.sort();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                add("one key put and deleted in one transaction".to_owned());
            }
            note_response(operation, &evaluated.response, 0, false, &mut add);
        }
    }
}

fn note_response(
    operation: &Operation,
    response: &OperationResponse,
    depth: usize,
    wrote: bool,
    add: &mut impl FnMut(String),
) {
    match (operation, response) {
        (Operation::Range(range), OperationResponse::Range(response)) => {
            note_range(range, add);
            let corners = [
                (response.more, "range with more"),
                (response.count > response.key_values.len() as u64 + 1, "range with count beyond what is answered"),
                (depth > 0, "range in a transaction"),
                (depth > 0 && wrote && range.at.is_none(), "range in a transaction that wrote before"),
            ];
            corners.into_iter().filter(|(met, _)| *met).for_each(|(_, corner)| add(corner.to_owned()));
        }
        (Operation::Put(put), _) => {
            let corners = [
                (put.ignore_value, "put ignoring the value"),
                (put.ignore_lease, "put ignoring the lease"),
                (put.previous, "put with previous"),
            ];
            corners.into_iter().filter(|(met, _)| *met).for_each(|(_, corner)| add(corner.to_owned()));
        }
        (_, OperationResponse::DeleteRange(response)) if response.deleted == 0 => add("delete of nothing".to_owned()),
        (_, OperationResponse::DeleteRange(response)) if response.deleted > 1 => add("delete of several".to_owned()),
        (Operation::Txn(txn), OperationResponse::Txn(response)) => {
            add(format!("txn {}", if response.succeeded { "succeeded" } else { "failed" }));
            add(format!("txn at depth {depth}"));
            let branch = if response.succeeded { &txn.success } else { &txn.failure };
            let mut wrote = wrote;
            for (operation, response) in branch.iter().zip(&response.responses) {
                note_response(operation, response, depth + 1, wrote, add);
                wrote |= matches!(operation, Operation::Put(_));
            }
        }
        _ => {}
    }
}

fn note_range(range: &Range, add: &mut impl FnMut(String)) {
    let bounds = [range.mod_revision_min, range.mod_revision_max, range.create_revision_min, range.create_revision_max];
    if let Some((target, order)) = range.sort {
        add(format!("range sorted by {target:?} {order:?}"));
        if range.keys_only && target == SortTarget::Value {
            add("range keys only by value".to_owned());
        }
    }
    let corners = [
        (range.at.is_some_and(|at| at.0 > 0), "range at a revision"),
        (range.keys_only, "range keys only"),
        (range.count_only, "range count only"),
        (bounds != [0; 4], "range bounded by revision"),
    ];
    corners.into_iter().filter(|(met, _)| *met).for_each(|(_, corner)| add(corner.to_owned()));
}
