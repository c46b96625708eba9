//! Nested transactions: every comparison on keys and ranges, every operation, and each way to be refused.

use bytes::Bytes;
use campanile_api::etcdserverpb::{
    Compare, DeleteRangeRequest, RangeRequest, RequestOp, TxnRequest,
    compare::{CompareTarget, TargetUnion},
    request_op::Request,
};
use rand::Rng;

use super::Generator;

/// How deep a transaction's branches may hold further transactions.
pub const DEPTH_MAX: usize = 4;
/// etcd's default for the comparisons or operations of one transaction, nested ones included.
const OPERATIONS_MAX: usize = 128;

impl Generator<'_> {
    pub(super) fn txn(&mut self) -> TxnRequest {
        match self.random.random_range(0..200) {
            0 => TxnRequest { success: self.reads(OPERATIONS_MAX + 1), ..Default::default() },
            1 => TxnRequest { compare: self.compares(OPERATIONS_MAX + 1), ..Default::default() },
            2 => self.overfull_in_sum(),
            3 => TxnRequest { success: self.reads(OPERATIONS_MAX), ..Default::default() },
            4 => Self::only(RangeRequest { key: self.pooled(), sort_target: 5, ..Default::default() }),
            _ => {
                let mut txn = self.txn_of_depth(DEPTH_MAX);
                let mut deleted = Vec::new();
                collect_deletes(&txn, &mut deleted);
                spare_deleted(&mut txn, &deleted);
                txn
            }
        }
    }

    fn txn_of_depth(&mut self, depth: usize) -> TxnRequest {
        let count = self.random.random_range(0..4);
        TxnRequest { compare: self.compares(count), success: self.branch(depth), failure: self.branch(depth) }
    }

    fn branch(&mut self, depth: usize) -> Vec<RequestOp> {
        let count = self.random.random_range(0..4);
        (0..count).map(|_| RequestOp { request: self.request(depth) }).collect()
    }

    fn request(&mut self, depth: usize) -> Option<Request> {
        Some(match self.random.random_range(0..200) {
            0..70 => Request::RequestPut(self.put()),
            70..120 => Request::RequestRange(self.range()),
            120..150 => Request::RequestDeleteRange(self.delete()),
            150..199 if depth > 1 => Request::RequestTxn(self.txn_of_depth(depth - 1)),
            150..199 => Request::RequestPut(self.put()),
            _ => return None,
        })
    }

    fn only(range: RangeRequest) -> TxnRequest {
        let only = RequestOp { request: Some(Request::RequestRange(range)) };
        TxnRequest { failure: vec![only.clone()], success: vec![only], ..Default::default() }
    }

    fn reads(&mut self, count: usize) -> Vec<RequestOp> {
        let read = |key| RangeRequest { key, serializable: true, ..Default::default() };
        (0..count).map(|_| RequestOp { request: Some(Request::RequestRange(read(self.pooled()))) }).collect()
    }

    /// No level has too many operations, but one path through the levels has.
    fn overfull_in_sum(&mut self) -> TxnRequest {
        let inner = TxnRequest { failure: self.reads(OPERATIONS_MAX / 2), ..Default::default() };
        let mut success = self.reads(OPERATIONS_MAX / 2);
        success.push(RequestOp { request: Some(Request::RequestTxn(inner)) });
        TxnRequest { success, ..Default::default() }
    }

    fn compares(&mut self, count: usize) -> Vec<Compare> {
        (0..count).map(|_| self.compare()).collect()
    }

    fn compare(&mut self) -> Compare {
        let (key, range_end) = if self.percent(70) { (self.key(), Bytes::new()) } else { self.key_range() };
        let target = self.random.random_range(0..5);
        // The value's kind names the target once more; etcd takes a kind that does not fit as zero.
        let named = if self.percent(95) { target } else { self.random.random_range(0..6) };
        Compare {
            result: self.random.random_range(0..4),
            target,
            key,
            range_end,
            target_union: self.target_value(named),
        }
    }

    fn target_value(&mut self, target: i32) -> Option<TargetUnion> {
        Some(match CompareTarget::try_from(target).ok()? {
            CompareTarget::Version => TargetUnion::Version(self.random.random_range(0..4)),
            CompareTarget::Create => TargetUnion::CreateRevision(self.bound(60)),
            CompareTarget::Mod => TargetUnion::ModRevision(self.bound(60)),
            CompareTarget::Value => TargetUnion::Value(self.value()),
            CompareTarget::Lease => TargetUnion::Lease(self.lease_or_none()),
        })
    }
}

fn branches(txn: &TxnRequest) -> impl Iterator<Item = &RequestOp> {
    txn.success.iter().chain(&txn.failure)
}

fn collect_deletes(txn: &TxnRequest, deleted: &mut Vec<DeleteRangeRequest>) {
    for operation in branches(txn) {
        match &operation.request {
            Some(Request::RequestDeleteRange(delete)) => deleted.push(delete.clone()),
            Some(Request::RequestTxn(txn)) => collect_deletes(txn, deleted),
            _ => {}
        }
    }
}

/// Takes ignore_value and ignore_lease from puts of keys that the same transaction may delete before. etcd up to 3.7 looks for
/// the key before the transaction, misses it in the middle, and dies.
fn spare_deleted(txn: &mut TxnRequest, deleted: &[DeleteRangeRequest]) {
    for operation in txn.success.iter_mut().chain(&mut txn.failure) {
        match &mut operation.request {
            Some(Request::RequestPut(put)) if deleted.iter().any(|delete| covers(delete, &put.key)) => {
                (put.ignore_value, put.ignore_lease) = (false, false);
            }
            Some(Request::RequestTxn(txn)) => spare_deleted(txn, deleted),
            _ => {}
        }
    }
}

fn covers(delete: &DeleteRangeRequest, key: &Bytes) -> bool {
    match &delete.range_end[..] {
        b"" => *key == delete.key,
        b"\0" => *key >= delete.key,
        end => *key >= delete.key && &key[..] < end,
    }
}
