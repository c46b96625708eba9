//! The numbers that everything is named by. Each is a type of its own, so that a term is never taken for an index.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}", self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}", self.0)
            }
        }
    };
}

number! {
    /// etcd's revision of the whole keyspace: dense, one more for each modifying transaction. An empty store is at 1.
    Revision(i64)
}
number! {
    /// A lease, as clients name it. 0 is no lease.
    LeaseId(i64)
}
number! {
    /// A member of the cluster, as etcd prints it in hexadecimal. 0 is nobody.
    MemberId(u64)
}
number! {
    /// A Raft term of one group. Terms of different groups have nothing to do with each other.
    Term(u64)
}
number! {
    /// The position of an entry in one group's log. The first entry has index 1.
    Index(u64)
}
number! {
    /// One Raft group. 0 is the control group; shard `s` is replicated by group `s + 1`.
    GroupId(u32)
}
number! {
    /// One part of the keyspace.
    ShardId(u32)
}

impl Revision {
    /// Where an empty store stands.
    pub const EMPTY: Revision = Revision(1);
    /// Above every revision: reads at it see the newest versions, visible or not.
    pub const NEWEST: Revision = Revision(i64::MAX);

    /// The revision before this one.
    #[must_use]
    pub fn before(self) -> Revision {
        Revision(self.0 - 1)
    }

    /// The revision after this one.
    #[must_use]
    pub fn next(self) -> Revision {
        Revision(self.0.checked_add(1).expect("fewer than 2^63 revisions are ever taken"))
    }
}

impl LeaseId {
    /// No lease.
    pub const NONE: LeaseId = LeaseId(0);
}

impl MemberId {
    /// Nobody.
    pub const NONE: MemberId = MemberId(0);
}

impl GroupId {
    /// The control group.
    pub const CONTROL: GroupId = GroupId(0);

    /// The shard that this group replicates; none for the control group.
    #[must_use]
    pub fn shard(self) -> Option<ShardId> {
        self.0.checked_sub(1).map(ShardId)
    }
}

impl ShardId {
    /// The group that replicates this shard.
    #[must_use]
    pub fn group(self) -> GroupId {
        GroupId(self.0 + 1)
    }
}

/// Where a change stands in the history of the whole keyspace: its transaction's revision, and its place in that
/// transaction (etcd's main and sub revision).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub revision: Revision,
    pub sub: u32,
}
