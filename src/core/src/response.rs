//! What a client is told, in the core's own words. Shapes only; the RPC layer converts them to protobuf.
//!
//! Every answer names the revision of its header. The cluster's and the member's ids and the term are the RPC layer's to
//! fill in, and as etcd has it only at the outermost answer: those inside a transaction carry a revision alone.

use crate::request::AlarmKind;
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, MemberId, Revision};
use campanile_storage::store::KeyValue;

/// The answer to a [`crate::request::Request`].
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    Operation(OperationResponse),
    Compact {
        revision: Revision,
    },
    LeaseGrant {
        revision: Revision,
        id: LeaseId,
        ttl_seconds: i64,
    },
    LeaseRevoke {
        revision: Revision,
    },
    LeaseTimeToLive(LeaseTimeToLive),
    LeaseLeases {
        revision: Revision,
        leases: Vec<LeaseId>,
    },
    /// `ttl_seconds` is 0 for a lease that is not there; that is no error.
    LeaseKeepAlive {
        revision: Revision,
        id: LeaseId,
        ttl_seconds: i64,
    },
    Status(Status),
    Hash {
        revision: Revision,
        hash: u32,
    },
    HashKv(HashKv),
    MemberList {
        revision: Revision,
        members: Vec<Member>,
    },
    AlarmGet {
        revision: Revision,
        alarms: Vec<Alarm>,
    },
}

/// The answer to an [`crate::request::Operation`].
#[derive(Clone, Debug, PartialEq)]
pub enum OperationResponse {
    Range(RangeResponse),
    Put(PutResponse),
    DeleteRange(DeleteRangeResponse),
    Txn(TxnResponse),
}

#[derive(Clone, Debug, PartialEq)]
pub struct RangeResponse {
    pub revision: Revision,
    pub key_values: Vec<KeyValue>,
    /// The limit left some out.
    pub more: bool,
    /// Keys in the range at the revision read, whatever limit and revision bounds left out.
    pub count: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PutResponse {
    pub revision: Revision,
    pub previous: Option<KeyValue>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DeleteRangeResponse {
    pub revision: Revision,
    pub deleted: u64,
    pub previous: Vec<KeyValue>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TxnResponse {
    /// 0 for a transaction inside another: etcd leaves the header empty there.
    pub revision: Revision,
    pub succeeded: bool,
    pub responses: Vec<OperationResponse>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseTimeToLive {
    pub revision: Revision,
    pub id: LeaseId,
    /// What remains; -1 for a lease that is not there, which is no error.
    pub ttl_seconds: i64,
    pub granted_ttl_seconds: i64,
    pub keys: Vec<Bytes>,
}

/// What a member says of itself. Versions and sizes on disk are the server's to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub revision: Revision,
    /// [`MemberId::NONE`] if this member knows no leader.
    pub leader: MemberId,
    /// The control group's commit and applied index.
    pub committed_index: u64,
    pub applied_index: u64,
    pub is_learner: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashKv {
    pub revision: Revision,
    pub hash: u32,
    /// What was compacted when the hash was taken; -1 if nothing was.
    pub compacted: Revision,
    /// The revision up to which was hashed.
    pub hash_revision: Revision,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: MemberId,
    /// Empty for a member that has not started yet.
    pub name: String,
    pub peer_urls: Vec<String>,
    pub client_urls: Vec<String>,
    pub is_learner: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub member: MemberId,
    pub kind: AlarmKind,
}

impl OperationResponse {
    /// The revision of the header.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            OperationResponse::Range(response) => response.revision,
            OperationResponse::Put(response) => response.revision,
            OperationResponse::DeleteRange(response) => response.revision,
            OperationResponse::Txn(response) => response.revision,
        }
    }
}

impl Response {
    /// The same answer with another revision in its header, for those whose revision is known only when they are given.
    #[must_use]
    pub fn at(self, revision: Revision) -> Response {
        match self {
            Response::Compact { .. } => Response::Compact { revision },
            Response::LeaseGrant { id, ttl_seconds, .. } => Response::LeaseGrant { revision, id, ttl_seconds },
            Response::LeaseRevoke { .. } => Response::LeaseRevoke { revision },
            response => response,
        }
    }

    /// The revision of the header.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Response::Operation(response) => response.revision(),
            Response::LeaseTimeToLive(response) => response.revision,
            Response::Status(response) => response.revision,
            Response::HashKv(response) => response.revision,
            Response::Compact { revision }
            | Response::LeaseGrant { revision, .. }
            | Response::LeaseRevoke { revision }
            | Response::LeaseLeases { revision, .. }
            | Response::LeaseKeepAlive { revision, .. }
            | Response::Hash { revision, .. }
            | Response::MemberList { revision, .. }
            | Response::AlarmGet { revision, .. } => *revision,
        }
    }
}
