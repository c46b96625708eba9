//! Requests of the core's own words become protobuf: the way back from what the server's services do.

use bytes::Bytes;
use campanile_api::etcdserverpb::{
    self as pb, compare as pb_compare,
    range_request::{SortOrder as PbOrder, SortTarget as PbTarget},
    request_op,
};
use campanile_core::request::{
    Compare, CompareResult, CompareTarget, DeleteRange, KeyRange, Operation, Put, Range, RangeEnd, SortOrder,
    SortTarget, Txn,
};

/// A pair (key, range_end).
pub fn keys(keys: &KeyRange) -> (Bytes, Bytes) {
    let end = match &keys.end {
        RangeEnd::Single => Bytes::new(),
        RangeEnd::Unbounded => Bytes::from_static(b"\0"),
        RangeEnd::Before(end) => end.clone(),
    };
    (keys.start.clone(), end)
}

pub fn range(range: &Range) -> pb::RangeRequest {
    let (key, range_end) = keys(&range.keys);
    let (target, order) = range.sort.unwrap_or((SortTarget::Key, SortOrder::None));
    pb::RangeRequest {
        key,
        range_end,
        limit: range.limit.cast_signed(),
        revision: range.at.map_or(0, |at| at.0),
        sort_order: match order {
            SortOrder::None => PbOrder::None,
            SortOrder::Ascend => PbOrder::Ascend,
            SortOrder::Descend => PbOrder::Descend,
        } as i32,
        sort_target: match target {
            SortTarget::Key => PbTarget::Key,
            SortTarget::Version => PbTarget::Version,
            SortTarget::Create => PbTarget::Create,
            SortTarget::Mod => PbTarget::Mod,
            SortTarget::Value => PbTarget::Value,
        } as i32,
        serializable: range.serializable,
        keys_only: range.keys_only,
        count_only: range.count_only,
        min_mod_revision: range.mod_revision_min,
        max_mod_revision: range.mod_revision_max,
        min_create_revision: range.create_revision_min,
        max_create_revision: range.create_revision_max,
    }
}

pub fn put(put: &Put) -> pb::PutRequest {
    pb::PutRequest {
        key: put.key.clone(),
        value: put.value.clone(),
        lease: put.lease.0,
        prev_kv: put.previous,
        ignore_value: put.ignore_value,
        ignore_lease: put.ignore_lease,
    }
}

pub fn delete(delete: &DeleteRange) -> pb::DeleteRangeRequest {
    let (key, range_end) = keys(&delete.keys);
    pb::DeleteRangeRequest { key, range_end, prev_kv: delete.previous }
}

pub fn txn(txn: &Txn) -> pb::TxnRequest {
    let branch = |steps: &[Operation]| steps.iter().map(step).collect();
    pb::TxnRequest {
        compare: txn.compares.iter().map(compare).collect(),
        success: branch(&txn.success),
        failure: branch(&txn.failure),
    }
}

fn step(operation: &Operation) -> pb::RequestOp {
    use request_op::Request;
    let request = match operation {
        Operation::Range(inner) => Request::RequestRange(range(inner)),
        Operation::Put(inner) => Request::RequestPut(put(inner)),
        Operation::DeleteRange(inner) => Request::RequestDeleteRange(delete(inner)),
        Operation::Txn(inner) => Request::RequestTxn(txn(inner)),
    };
    pb::RequestOp { request: Some(request) }
}

fn compare(compare: &Compare) -> pb::Compare {
    use pb_compare::{CompareResult as PbResult, CompareTarget as PbCompared, TargetUnion};
    let (key, range_end) = keys(&compare.keys);
    let (target, operand) = match &compare.target {
        CompareTarget::Version(number) => (PbCompared::Version, TargetUnion::Version(*number)),
        CompareTarget::CreateRevision(number) => (PbCompared::Create, TargetUnion::CreateRevision(*number)),
        CompareTarget::ModRevision(number) => (PbCompared::Mod, TargetUnion::ModRevision(*number)),
        CompareTarget::Value(value) => (PbCompared::Value, TargetUnion::Value(value.clone())),
        CompareTarget::Lease(number) => (PbCompared::Lease, TargetUnion::Lease(*number)),
    };
    let result = match compare.result {
        CompareResult::Equal => PbResult::Equal,
        CompareResult::Greater => PbResult::Greater,
        CompareResult::Less => PbResult::Less,
        CompareResult::NotEqual => PbResult::NotEqual,
    };
    pb::Compare { result: result as i32, target: target as i32, key, range_end, target_union: Some(operand) }
}
