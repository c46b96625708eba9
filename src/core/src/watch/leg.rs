//! One watch in one shard, as the stream half sees it: how far the shard's events are known, and those that wait for the
//! other legs.

use super::event::WatchEvent;
use super::message::WatcherId;
use crate::planted::planted;
use campanile_storage::ids::{Revision, ShardId};
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Registered nowhere. Asks for the next slice when its queue is empty and the stream has room.
    Resting,
    /// Registered; a slice will come, for which so many bytes are kept free.
    Asked { reserved_bytes: usize },
    /// Gets events as they become visible.
    Live,
}

#[derive(Debug)]
pub(super) struct Leg {
    pub(super) shard: ShardId,
    /// The registration that is in force, unless the leg rests.
    pub(super) id: WatcherId,
    pub(super) state: State,
    /// Everything up to here has arrived. A live leg is as far as its shard, at least.
    up_to: Revision,
    /// Events that were not sent yet, in the order of positions.
    queue: VecDeque<Arc<WatchEvent>>,
}

impl Leg {
    /// A leg that wants the revisions from `from` on, and rests.
    pub(super) fn new(shard: ShardId, id: WatcherId, from: Revision) -> Leg {
        Leg { shard, id, state: State::Resting, up_to: Revision(from.0 - 1), queue: VecDeque::new() }
    }

    /// Everything up to here has arrived. `handed`: how far each shard has handed on to live legs.
    pub(super) fn reach(&self, handed: &[Revision]) -> Revision {
        match self.state {
            State::Live => self.up_to.max(handed[self.shard.0 as usize]),
            State::Resting | State::Asked { .. } => self.up_to,
        }
    }

    /// The first revision that is still to be asked for.
    pub(super) fn next(&self) -> Revision {
        self.up_to.next()
    }

    pub(super) fn is_hungry(&self) -> bool {
        self.state == State::Resting && self.queue.is_empty()
    }

    pub(super) fn head(&self) -> Option<&Arc<WatchEvent>> {
        self.queue.front()
    }

    pub(super) fn pop(&mut self) -> Option<Arc<WatchEvent>> {
        self.queue.pop_front()
    }

    pub(super) fn queue(&self) -> impl Iterator<Item = &Arc<WatchEvent>> {
        self.queue.iter()
    }

    pub(super) fn push(&mut self, event: Arc<WatchEvent>) {
        let last = self.queue.back().map_or(Revision(0), |last| last.position().revision);
        assert!(event.position().revision >= last, "a shard hands its events on in order");
        self.queue.push_back(event);
    }

    /// A slice came. Afterwards the leg is live or rests.
    pub(super) fn slice(&mut self, events: Vec<Arc<WatchEvent>>, up_to: Revision, is_live: bool) {
        assert!(matches!(self.state, State::Asked { .. }), "a slice comes to a leg that asked");
        let first = events.first().map(|event| event.position().revision);
        assert!(first.is_none_or(|first| first > self.up_to), "a slice begins where the last one ended");
        self.queue.extend(events);
        self.up_to = self.up_to.max(up_to);
        self.state = if is_live { State::Live } else { State::Resting };
    }

    /// A live leg is given up. It keeps what is complete; what it drops of a revision that is not comes again.
    pub(super) fn rest(&mut self, handed: &[Revision]) -> Vec<Arc<WatchEvent>> {
        assert_eq!(self.state, State::Live, "only a live leg is given up");
        self.up_to = self.reach(handed);
        self.state = State::Resting;
        let whole = self.queue.partition_point(|event| event.position().revision <= self.up_to);
        self.queue.split_off(if planted!(SlowWatcherForgets) { 0 } else { whole }).into()
    }
}
