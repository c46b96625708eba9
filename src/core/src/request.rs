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
    /// Revision to read at; `None`, which etcd writes as 0, reads the newest. A negative one does too, outside of a
    /// transaction; inside, etcd calls it compacted as soon as it lies below what was compacted.
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

/// Everything that a client may ask of a member, watches apart: those are streams of their own.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Operation(Operation),
    /// Forget what only revisions before `at` can see. `physical`: answer once it is gone from memory.
    Compact {
        at: Revision,
        physical: bool,
    },
    /// `id` 0 asks the server to draw one.
    LeaseGrant {
        id: LeaseId,
        ttl_seconds: i64,
    },
    LeaseRevoke {
        id: LeaseId,
    },
    /// `keys`: name the attached keys too.
    LeaseTimeToLive {
        id: LeaseId,
        keys: bool,
    },
    LeaseLeases,
    LeaseKeepAlive {
        id: LeaseId,
    },
    Status,
    /// A hash over all that the member keeps.
    Hash,
    /// A hash over the keyspace up to `at`; 0 is the newest revision.
    HashKv {
        at: Revision,
    },
    MemberList {
        linearizable: bool,
    },
    /// The alarms that are raised, of one kind or of all.
    AlarmGet {
        kind: Option<AlarmKind>,
    },
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmKind {
    NoSpace,
    Corrupt,
}

impl KeyRange {
    /// The range of one key.
    #[must_use]
    pub fn single(key: Bytes) -> KeyRange {
        KeyRange { start: key, end: RangeEnd::Single }
    }

    /// The whole keyspace: no key is empty.
    #[must_use]
    pub fn everything() -> KeyRange {
        KeyRange { start: Bytes::from_static(b"\0"), end: RangeEnd::Unbounded }
    }

    #[must_use]
    pub fn is_single(&self) -> bool {
        self.end == RangeEnd::Single
    }

    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        match &self.end {
            RangeEnd::Single => self.start == key,
            RangeEnd::Before(end) => *self.start <= *key && *key < **end,
            RangeEnd::Unbounded => *self.start <= *key,
        }
    }

    /// What is left of it from a key of it on; all of it if there is none.
    #[must_use]
    pub fn from(&self, start: Option<&Bytes>) -> KeyRange {
        KeyRange { start: start.unwrap_or(&self.start).clone(), end: self.end.clone() }
    }

    /// Whether no key can be in it: it ends where it starts, or before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.end, RangeEnd::Before(end) if *end <= self.start)
    }
}

impl Operation {
    /// Whether no branch puts or deletes: a read then, which pauses nobody and takes no revision.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match self {
            Operation::Range(_) => true,
            Operation::Put(_) | Operation::DeleteRange(_) => false,
            Operation::Txn(txn) => txn.success.iter().chain(&txn.failure).all(Operation::is_read_only),
        }
    }

    /// Whether every branch holds serializable ranges alone, so that any member may answer from what it has.
    ///
    /// As etcd has it: a nested transaction, even a read-only one, makes the whole linearizable.
    #[must_use]
    pub fn is_serializable(&self) -> bool {
        let serializable = |operation: &Operation| matches!(operation, Operation::Range(range) if range.serializable);
        match self {
            Operation::Txn(txn) => txn.success.iter().chain(&txn.failure).all(serializable),
            operation => serializable(operation),
        }
    }
}
