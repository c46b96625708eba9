//! Operations of the KV service become the core's. What protobuf can say and the core cannot is refused here, in etcd's
//! order of checks (`server/etcdserver/api/v3rpc/key.go`).

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_api::etcdserverpb::compare::{
    CompareResult as PbResult, CompareTarget as PbTarget, TargetUnion as PbOperand,
};
use campanile_api::etcdserverpb::range_request::{SortOrder as PbOrder, SortTarget as PbSortTarget};
use campanile_core::error::UserError;
use campanile_core::evaluate::{Limits, validate};
use campanile_core::request::{
    Compare, CompareResult, CompareTarget, DeleteRange, KeyRange, Operation, Put, Range, RangeEnd, SortOrder,
    SortTarget, Txn,
};
use campanile_storage::ids::{LeaseId, Revision};

/// The keys that a pair (key, range_end) names.
pub(super) fn key_range(start: Bytes, end: Bytes) -> KeyRange {
    let end = match &end[..] {
        b"" => RangeEnd::Single,
        b"\0" => RangeEnd::Unbounded,
        _ => RangeEnd::Before(end),
    };
    KeyRange { start, end }
}

/// A limit of zero or less is none.
fn limit(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(0)
}

pub(super) fn range(request: pb::RangeRequest) -> Result<Operation, UserError> {
    if request.key.is_empty() {
        return Err(UserError::EmptyKey);
    }
    let order = PbOrder::try_from(request.sort_order).map_err(|_| UserError::InvalidSortOption)?;
    let target = PbSortTarget::try_from(request.sort_target).map_err(|_| UserError::InvalidSortOption)?;
    Ok(Operation::Range(Range {
        keys: key_range(request.key, request.range_end),
        at: (request.revision != 0).then_some(Revision(request.revision)),
        limit: limit(request.limit),
        sort: sort(target, order),
        serializable: request.serializable,
        keys_only: request.keys_only,
        count_only: request.count_only,
        mod_revision_min: request.min_mod_revision,
        mod_revision_max: request.max_mod_revision,
        create_revision_min: request.min_create_revision,
        create_revision_max: request.max_create_revision,
    }))
}

fn sort(target: PbSortTarget, order: PbOrder) -> Option<(SortTarget, SortOrder)> {
    let target = match target {
        PbSortTarget::Key => SortTarget::Key,
        PbSortTarget::Version => SortTarget::Version,
        PbSortTarget::Create => SortTarget::Create,
        PbSortTarget::Mod => SortTarget::Mod,
        PbSortTarget::Value => SortTarget::Value,
    };
    let order = match order {
        PbOrder::None => SortOrder::None,
        PbOrder::Ascend => SortOrder::Ascend,
        PbOrder::Descend => SortOrder::Descend,
    };
    // The order of keys is the order in which they come.
    let is_default = target == SortTarget::Key && order != SortOrder::Descend;
    (!is_default).then_some((target, order))
}

pub(super) fn put(request: pb::PutRequest) -> Operation {
    Operation::Put(Put {
        key: request.key,
        value: request.value,
        lease: LeaseId(request.lease),
        previous: request.prev_kv,
        ignore_value: request.ignore_value,
        ignore_lease: request.ignore_lease,
    })
}

pub(super) fn delete_range(request: pb::DeleteRangeRequest) -> Operation {
    Operation::DeleteRange(DeleteRange { keys: key_range(request.key, request.range_end), previous: request.prev_kv })
}

/// A transaction whose own fields are right. That no key is written twice is checked by the core, after this.
pub(super) fn txn(request: pb::TxnRequest, limits: Limits) -> Result<Operation, UserError> {
    let longest = request.compare.len().max(request.success.len()).max(request.failure.len());
    let left = limits.txn_operations_max.checked_sub(longest).ok_or(UserError::TooManyOperations)?;
    let left = Limits { txn_operations_max: left };
    if request.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(UserError::EmptyKey);
    }
    let branch = |steps: Vec<pb::RequestOp>| -> Result<Vec<Operation>, UserError> {
        steps.into_iter().map(|step| operation(step, left)).collect()
    };
    Ok(Operation::Txn(Txn {
        compares: request.compare.into_iter().filter_map(compare).collect(),
        success: branch(request.success)?,
        failure: branch(request.failure)?,
    }))
}

fn operation(step: pb::RequestOp, limits: Limits) -> Result<Operation, UserError> {
    use pb::request_op::Request;
    let operation = match step.request {
        Some(Request::RequestRange(request)) => range(request)?,
        Some(Request::RequestPut(request)) => put(request),
        Some(Request::RequestDeleteRange(request)) => delete_range(request),
        Some(Request::RequestTxn(request)) => return txn(request, limits),
        None => return Err(UserError::KeyNotFound),
    };
    // Here and not only with the whole: the first fault in the order of steps counts.
    validate(&operation, limits)?;
    Ok(operation)
}

/// A condition; `None` if it always holds.
///
/// A target without an operand, or with another's, compares with zero or nothing. A target that is not known is equal to
/// anything, and a comparison that is not known always holds: unless it asks for the value of a key that is not there.
fn compare(compare: pb::Compare) -> Option<Compare> {
    let keys = key_range(compare.key, compare.range_end);
    let result = PbResult::try_from(compare.result).ok().map(|result| match result {
        PbResult::Equal => CompareResult::Equal,
        PbResult::Greater => CompareResult::Greater,
        PbResult::Less => CompareResult::Less,
        PbResult::NotEqual => CompareResult::NotEqual,
    });
    let target = PbTarget::try_from(compare.target).ok().map(|target| match (target, compare.target_union) {
        (PbTarget::Version, Some(PbOperand::Version(version))) => CompareTarget::Version(version),
        (PbTarget::Version, _) => CompareTarget::Version(0),
        (PbTarget::Create, Some(PbOperand::CreateRevision(revision))) => CompareTarget::CreateRevision(revision),
        (PbTarget::Create, _) => CompareTarget::CreateRevision(0),
        (PbTarget::Mod, Some(PbOperand::ModRevision(revision))) => CompareTarget::ModRevision(revision),
        (PbTarget::Mod, _) => CompareTarget::ModRevision(0),
        (PbTarget::Value, Some(PbOperand::Value(value))) => CompareTarget::Value(value),
        (PbTarget::Value, _) => CompareTarget::Value(Bytes::new()),
        (PbTarget::Lease, Some(PbOperand::Lease(lease))) => CompareTarget::Lease(lease),
        (PbTarget::Lease, _) => CompareTarget::Lease(0),
    });
    match (result, target) {
        (Some(result), Some(target)) => Some(Compare { keys, result, target }),
        (None, Some(CompareTarget::Value(_))) => {
            Some(Compare { keys, result: CompareResult::Greater, target: CompareTarget::Version(0) })
        }
        (None, _) | (Some(CompareResult::Equal), None) => None,
        (Some(_), None) => Some(Compare { keys, result: CompareResult::Less, target: CompareTarget::Version(0) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn range_ends_have_three_meanings() {
        assert_eq!(key_range(bytes("a"), bytes("")).end, RangeEnd::Single);
        assert_eq!(key_range(bytes("a"), bytes("\0")).end, RangeEnd::Unbounded);
        assert_eq!(key_range(bytes("a"), bytes("b")).end, RangeEnd::Before(bytes("b")));
    }

    #[test]
    fn ranges_keep_every_option() {
        let request = pb::RangeRequest {
            key: bytes("a"),
            limit: -3,
            revision: -1,
            sort_order: 2,
            sort_target: 4,
            keys_only: true,
            min_mod_revision: 1,
            max_mod_revision: 2,
            min_create_revision: 3,
            max_create_revision: 4,
            ..Default::default()
        };
        let Ok(Operation::Range(range)) = range(request.clone()) else { panic!("it is a range") };
        assert_eq!((range.limit, range.at), (0, Some(Revision(-1))));
        assert_eq!(range.sort, Some((SortTarget::Value, SortOrder::Descend)));
        assert_eq!((range.mod_revision_min, range.mod_revision_max), (1, 2));
        assert_eq!((range.create_revision_min, range.create_revision_max), (3, 4));
        assert!(range.keys_only && !range.count_only && !range.serializable);
        for (order, target) in [(3, 0), (0, 5), (-1, 0)] {
            let request = pb::RangeRequest { sort_order: order, sort_target: target, ..request.clone() };
            assert_eq!(super::range(request), Err(UserError::InvalidSortOption));
        }
        let keyless = pb::RangeRequest { key: Bytes::new(), sort_order: 9, ..request };
        assert_eq!(super::range(keyless), Err(UserError::EmptyKey));
    }

    fn step(request: pb::request_op::Request) -> pb::RequestOp {
        pb::RequestOp { request: Some(request) }
    }

    #[test]
    fn the_first_fault_of_a_transaction_counts() {
        use pb::request_op::Request;
        let unsorted =
            || step(Request::RequestRange(pb::RangeRequest { key: bytes("a"), sort_order: 9, ..Default::default() }));
        let keyless = || step(Request::RequestPut(pb::PutRequest::default()));
        let empty = || pb::RequestOp { request: None };
        let found = |success, max| {
            txn(pb::TxnRequest { success, ..Default::default() }, Limits { txn_operations_max: max }).unwrap_err()
        };
        assert_eq!(found(vec![keyless(), unsorted()], 9), UserError::EmptyKey);
        assert_eq!(found(vec![unsorted(), keyless()], 9), UserError::InvalidSortOption);
        assert_eq!(found(vec![empty(), keyless()], 9), UserError::KeyNotFound);
        assert_eq!(found(vec![unsorted(), keyless()], 1), UserError::TooManyOperations);
        let nested = |inner| step(Request::RequestTxn(pb::TxnRequest { success: vec![inner], ..Default::default() }));
        assert_eq!(found(vec![nested(nested(keyless()))], 3), UserError::EmptyKey);
        assert_eq!(found(vec![nested(nested(keyless()))], 2), UserError::TooManyOperations);
    }

    #[test]
    fn conditions_without_sense_have_the_one_that_etcd_gives_them() {
        let of = |result, target, target_union| {
            compare(pb::Compare { result, target, key: bytes("a"), range_end: Bytes::new(), target_union })
                .map(|compare| (compare.result, compare.target))
        };
        let (equal, unequal, value, unknown) = (0, 3, 3, 99);
        assert_eq!(of(equal, 0, Some(PbOperand::Lease(7))), Some((CompareResult::Equal, CompareTarget::Version(0))));
        assert_eq!(of(equal, value, None), Some((CompareResult::Equal, CompareTarget::Value(Bytes::new()))));
        assert_eq!(of(equal, unknown, None), None);
        assert_eq!(of(unequal, unknown, None), Some((CompareResult::Less, CompareTarget::Version(0))));
        assert_eq!(of(unknown, 0, None), None);
        assert_eq!(of(unknown, value, None), Some((CompareResult::Greater, CompareTarget::Version(0))));
    }
}
