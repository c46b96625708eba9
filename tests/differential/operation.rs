//! One step of a differential run: a request of etcd's API, or a point at which all watchers must have caught up.

use campanile_api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, HashKvRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest,
    LeaseTimeToLiveRequest, PutRequest, RangeRequest, TxnRequest, WatchCreateRequest,
};

/// How many watch streams each side holds for generated watchers.
pub const STREAMS: usize = 2;

/// What both sides are asked.
#[derive(Clone, Debug)]
pub enum Operation {
    Range(RangeRequest),
    Put(PutRequest),
    Delete(DeleteRangeRequest),
    Txn(TxnRequest),
    Compact(CompactionRequest),
    Grant(LeaseGrantRequest),
    Revoke(LeaseRevokeRequest),
    TimeToLive(LeaseTimeToLiveRequest),
    Leases,
    KeepAlive(LeaseKeepAliveRequest),
    HashKv(HashKvRequest),
    Watch {
        stream: usize,
        request: WatchCreateRequest,
    },
    CancelWatch {
        stream: usize,
        watch_id: i64,
    },
    Progress {
        stream: usize,
    },
    /// All watchers receive all that was written before, and it is compared.
    Settle,
}
