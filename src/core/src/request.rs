//! What a client may ask of the keyspace, in the core's own words, with etcd's meaning.
//!
//! Shapes only. The RPC layer converts protobuf to these and back; [`crate::evaluate`] says what they do.

use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Revision};

/// The keys from `start` on, up to and without `end`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    pub start: Bytes,
    pub end: RangeEnd,
}

/// Where a range of keys ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RangeEnd {
    /// The range is the one key `start`.
    Single,
    /// Up to and without this key.
    Before(Bytes),
    /// To the end of the keyspace (etcd writes it as `range_end = "\0"`).
    Unbounded,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    pub keys: KeyRange,
    /// Revision to read at; `None` reads the newest.
    pub at: Option<Revision>,
    /// Most key-values to return; 0 is no limit.
    pub limit: u64,
    pub sort: Option<(SortTarget, SortOrder)>,
    pub serializable: bool,
    pub keys_only: bool,
    pub count_only: bool,
    /// Bounds on mod and create revision; 0 is no bound. Key-values outside are left out (but counted, as etcd does).
    pub mod_revision_min: i64,
    pub mod_revision_max: i64,
    pub create_revision_min: i64,
    pub create_revision_max: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortTarget {
    Key,
    Version,
    Create,
    Mod,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortOrder {
    None,
    Ascend,
    Descend,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    pub key: Bytes,
    pub value: Bytes,
    pub lease: LeaseId,
    pub previous: bool,
    pub ignore_value: bool,
    pub ignore_lease: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DeleteRange {
    pub keys: KeyRange,
    pub previous: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    pub keys: KeyRange,
    pub result: CompareResult,
    pub target: CompareTarget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareResult {
    Equal,
    Greater,
    Less,
    NotEqual,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CompareTarget {
    Version(i64),
    CreateRevision(i64),
    ModRevision(i64),
    Value(Bytes),
    Lease(i64),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Txn {
    pub compares: Vec<Compare>,
    pub success: Vec<Operation>,
    pub failure: Vec<Operation>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Range(Range),
    Put(Put),
    DeleteRange(DeleteRange),
    Txn(Txn),
}
