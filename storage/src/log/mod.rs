//! The write-ahead log of one executor, shared by the Raft groups that live on it.
//!
//! # How it is used
//! ```text
//! start      recover(&disk, data_directory, &manifest.groups)  -> Recovered { groups, logs }
//!            Log::open(disk, remains, options)                  one for each executor
//!            log.adopt(group, recovered.cursor)                 the groups that live on this executor
//!            Retired::new(disk, remains)                        directories of executors that are no more
//! running    log.append(batch)? -> Ticket                       gathers, never waits
//!            log.flush().await? -> Ticket                       one task: one durable write of all that was gathered
//!            log.maintain().await?                              another task: zeroes the next segment ahead of time
//! cutting    log.cut(group, Cut) -> GroupState                  what the manifest says once a checkpoint is durable
//!            log.reset(group, Cut, HardState) -> GroupState     the same, for a group whose log an installed one replaces
//!            log.release(&floors).await?                        after the manifest is durable: segments go back to the spares
//! ```
//!
//! # What it guarantees
//! - When `flush` returned `Ok(ticket)`, every batch up to `ticket` survives a loss of power. A batch is there after a
//!   crash whole or not at all, and only if all that was appended to this log before it is there too.
//! - After an error nothing is appended any more ([`Error::Poisoned`](crate::error::Error::Poisoned)): what the failed
//!   write left on the disk is uncertain, and only a restart reads it again.
//! - Damage before what the log knows to have been durable is reported with file and offset, and nothing starts from
//!   it. **Rot in the very last record looks like a torn write and is cut**: no log can tell the two apart without
//!   another copy of the same fact elsewhere. (Here a hole that this leaves in a group's records is still found when
//!   the group went on in another log, because records of one group are numbered without gaps.)
//!
//! # Why recovery is right
//! - One write is in flight at a time, so each record names its own position as the durable one: behind the first
//!   damaged record there is no whole one, unless the damage is rot. The format does not rely on it: recovery takes
//!   the highest durable position that any whole record names.
//! - Bytes of a former life never pass for a record: its position must be the expected one (positions are never used
//!   twice in a log), and its checksum is salted with a number drawn for this use of the segment.
//! - A start never writes into a segment of an earlier start. It cuts that segment off behind the last whole record
//!   and begins a new one, whose header names the position where the old one ended: neither torn bytes nor a write
//!   that a killed process still had under way can come back.
//! - Records of one group carry a [`Stamp`], counted without gaps over all logs it ever lived in. Recovery sorts by it,
//!   and a missing stamp at or above the group's floor is damage. The manifest of the member keeps each group's floor,
//!   its cut and the hard state at that point, so a segment whose stamps all lie below the floors holds nothing that
//!   is needed, and no hard state is ever written a second time to save it.
//!
//! It never interprets a payload, and knows nothing of Raft but terms, indices and that a new entry replaces all from
//! its index on.

mod append;
mod cursor;
pub mod record;
mod recover;
mod release;
mod scan;
pub mod segment;
mod spares;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;

pub use self::append::{Log, Options, Ticket, batch_bytes};
pub use self::cursor::{GroupCursor, GroupState};
pub use self::recover::{LogRemains, Recovered, RecoveredGroup, SegmentRemains, recover};
pub use self::release::{Floors, Retired};
use crate::ids::{GroupId, Index, MemberId, Term};

/// A place in the log of one executor: how many bytes of records stand before it, since the log was begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition(pub u64);

impl fmt::Display for LogPosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// The number of one group's section: 1, 2, 3, … over all logs that the group ever lived in on this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u64);

impl Stamp {
    /// What a group's first section carries.
    pub const FIRST: Stamp = Stamp(1);

    /// The stamp after this one.
    #[must_use]
    pub fn next(self) -> Stamp {
        Stamp(self.0.checked_add(1).expect("fewer than 2^64 sections are ever written"))
    }
}

/// What Raft must never forget of a group: its term, whom it voted for in it, and how far it is known to be committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    pub term: Term,
    pub vote: MemberId,
    pub commit: Index,
}

/// One entry of a group's log. `kind` and `payload` are the group's own business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub index: Index,
    pub term: Term,
    pub kind: u8,
    pub payload: Bytes,
}

/// Where a group's log begins: the last entry that a checkpoint stands for. (0, 0) is the beginning of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    pub index: Index,
    pub term: Term,
}

/// What one group adds, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    pub group: GroupId,
    pub hard_state: Option<HardState>,
    /// Consecutive indices. If the group already has entries from the first one's index on, these replace them all.
    pub entries: Vec<Entry>,
}

/// What becomes durable in one step: updates of one or several groups, applied in order.
pub type Batch = Vec<Update>;
