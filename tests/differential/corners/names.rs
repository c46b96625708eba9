//! The corners' names. A corner that is not named here cannot be counted, and one that is named must be reached.

use campanile_api::etcdserverpb::{
    compare::{CompareResult, CompareTarget},
    range_request::{SortOrder, SortTarget},
};

use crate::generate;

/// The corners that are told one by one.
const NAMES: &[&str] = &[
    "compact: logical",
    "compact: physical",
    "delete: of nothing",
    "delete: prev_kv",
    "delete: several keys",
    "error: etcdserver: duplicate key given in txn request",
    "error: etcdserver: invalid sort option",
    "error: etcdserver: key is not provided",
    "error: etcdserver: key not found",
    "error: etcdserver: lease already exists",
    "error: etcdserver: lease is provided",
    "error: etcdserver: mvcc: required revision has been compacted",
    "error: etcdserver: mvcc: required revision is a future revision",
    "error: etcdserver: request is too large",
    "error: etcdserver: requested lease not found",
    "error: etcdserver: too large lease TTL",
    "error: etcdserver: too many operations in txn request",
    "error: etcdserver: value is provided",
    "hash: newest",
    "hash: of the past",
    "lease: alive",
    "lease: keys of",
    "lease: kept alive",
    "lease: list",
    "lease: missing",
    "lease: missing, kept alive",
    "lease: revoked with keys",
    "lease: revoked without keys",
    "lease: short",
    "progress: due",
    "progress: not due",
    "put: empty value",
    "put: ignore_lease",
    "put: ignore_value",
    "put: large value",
    "put: over one with a lease",
    "put: lease",
    "put: prev_kv",
    "range: count_only",
    "range: empty or inverted",
    "range: from key",
    "range: keys_only",
    "range: limit",
    "range: limit reached",
    "range: max create revision",
    "range: max mod revision",
    "range: min create revision",
    "range: min mod revision",
    "range: more than 12 sorted",
    "range: of everything",
    "range: of the past",
    "range: ordinary",
    "range: prefix",
    "range: revision below zero",
    "range: serializable",
    "range: single key",
    "txn: empty",
    "txn: failure branch",
    "txn: success branch",
    "txn: value of another kind than the target",
    "txn: without write",
    "watch: cancelled",
    "watch: deletions received",
    "watch: doomed by compaction",
    "watch: duplicate id",
    "watch: empty range",
    "watch: fragment",
    "watch: fragments received",
    "watch: from history",
    "watch: from now",
    "watch: from the future",
    "watch: given id",
    "watch: no deletions",
    "watch: no puts",
    "watch: prev_kv",
    "watch: prev_kv received",
    "watch: range",
    "watch: refused revision",
];

/// Those, and one for each sort, each comparison and each depth of nesting.
pub fn all() -> Vec<String> {
    let mut names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
    for target in 0..5 {
        names.extend((0..3).map(|order| sort_name(target, order)));
        for result in 0..4 {
            names.extend([false, true].map(|over_range| compare_name(target, result, over_range)));
        }
    }
    names.extend((1..=generate::DEPTH_MAX).map(depth_name));
    names
}

pub fn sort_name(target: i32, order: i32) -> String {
    let target = SortTarget::try_from(target).expect("one of five");
    let order = SortOrder::try_from(order).expect("one of three");
    format!("sort: {} {}", target.as_str_name(), order.as_str_name())
}

pub fn compare_name(target: i32, result: i32, over_range: bool) -> String {
    let target = CompareTarget::try_from(target).expect("one of five");
    let result = CompareResult::try_from(result).expect("one of four");
    format!(
        "compare: {} {}{}",
        target.as_str_name(),
        result.as_str_name(),
        if over_range { " over a range" } else { "" }
    )
}

pub fn depth_name(depth: usize) -> String {
    format!("txn: depth {depth}")
}
