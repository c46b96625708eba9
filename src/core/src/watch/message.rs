//! What the two halves say to each other. Delivered in order between a shard and an executor, never lost.

use super::event::WatchEvent;
use crate::request::KeyRange;
use campanile_storage::ids::{Revision, ShardId};
use std::fmt;
use std::sync::Arc;

/// One leg's registration at its shard. Unique on a member, and never used again: what still comes for a registration
/// that was given up is told apart by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatcherId(u64);

/// Bits of a [`WatcherId`] that count; those above name the executor that drew it.
const COUNT_BITS: u32 = 48;

impl WatcherId {
    pub(super) fn new(executor: u16, count: u64) -> WatcherId {
        assert!(count < 1 << COUNT_BITS, "an executor draws fewer than 2^48 registrations");
        WatcherId(u64::from(executor) << COUNT_BITS | count)
    }

    /// The executor that owns the client's stream.
    #[must_use]
    pub fn executor(self) -> u16 {
        (self.0 >> COUNT_BITS) as u16
    }
}

impl fmt::Debug for WatcherId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.executor(), self.0 & ((1 << COUNT_BITS) - 1))
    }
}

/// To the shard half.
#[derive(Clone, Debug)]
pub enum ToShard {
    /// Answered by one [`FromShard::Slice`] or [`FromShard::Compacted`].
    Register(Registration),
    /// Hand nothing on any more. Not answered.
    Unregister(WatcherId),
}

/// What a leg wants to see.
#[derive(Clone, Debug)]
pub struct Registration {
    pub id: WatcherId,
    pub keys: KeyRange,
    /// The first revision wanted; it may lie in the future.
    pub from: Revision,
    pub no_put: bool,
    pub no_delete: bool,
    /// Events are to carry what was there before.
    pub previous: bool,
}

/// To the stream half.
#[derive(Clone, Debug)]
pub enum FromShard {
    /// What just became visible, for all live registrations of this executor.
    Handed(Handed),
    /// The next part of one registration's history. Live: it goes on in [`FromShard::Handed`]. Not live: the registration
    /// is over, and a new one from `up_to` on brings more.
    Slice {
        shard: ShardId,
        id: WatcherId,
        events: Vec<Arc<WatchEvent>>,
        /// Everything up to here has been handed on (to all live registrations of the executor, if this one is live).
        up_to: Revision,
        is_live: bool,
    },
    /// The registration asks for what is compacted, and is over.
    Compacted { id: WatcherId, compacted: Revision },
}

/// Events of one shard, each once, with whom it is for.
#[derive(Clone, Debug)]
pub struct Handed {
    pub shard: ShardId,
    /// Everything of this shard up to here has been handed on.
    pub up_to: Revision,
    events: Vec<(Arc<WatchEvent>, usize)>,
    watchers: Vec<WatcherId>,
}

impl Handed {
    pub(super) fn new(shard: ShardId) -> Handed {
        Handed { shard, up_to: Revision(0), events: Vec::new(), watchers: Vec::new() }
    }

    /// Adds a watcher to an event; all of one event's come one after the other.
    pub(super) fn push(&mut self, event: &Arc<WatchEvent>, watcher: WatcherId) {
        self.watchers.push(watcher);
        let end = self.watchers.len();
        match self.events.last_mut() {
            Some((last, last_end)) if Arc::ptr_eq(last, event) => *last_end = end,
            _ => self.events.push((event.clone(), end)),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Every event, in order, with the watchers that it is for.
    pub fn events(&self) -> impl Iterator<Item = (&Arc<WatchEvent>, &[WatcherId])> {
        let mut start = 0;
        self.events.iter().map(move |(event, end)| {
            let watchers = &self.watchers[start..*end];
            start = *end;
            (event, watchers)
        })
    }
}
