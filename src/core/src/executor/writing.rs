//! Effects that are too large for one poll: written into the index and logged in slices, one a poll.
//!
//! Until the last slice is written nothing else is evaluated here, and nothing is handed to a coordinator: what others
//! find is the whole effect or nothing of it. Reads go on below its revision, heartbeats between its slices. The parts that
//! are logged count with the last one; if the reign ends before that, they are void. A slice waits for room in the group's
//! log, so that an effect of any size is in memory but once.

use super::Executor;
use super::message::Message;
use crate::clock::Change;
use crate::clock::batch::FragmentHead;
use crate::discarded::Discarded;
use crate::shard::Shard;
use campanile_storage::ids::ShardId;
use std::collections::VecDeque;
use std::vec::IntoIter;

/// The rest of a fragment.
#[derive(Debug)]
struct Unwritten {
    shard: ShardId,
    head: FragmentHead,
    next_part: u32,
    pieces: VecDeque<IntoIter<Change>>,
}

impl Unwritten {
    fn take(&mut self, changes_max: usize) -> Vec<Change> {
        let mut slice = Vec::new();
        while slice.len() < changes_max
            && let Some(piece) = self.pieces.front_mut()
        {
            slice.extend(piece.take(changes_max - slice.len()));
            self.pieces.pop_front_if(|piece| piece.len() == 0);
        }
        slice
    }
}

/// What is still to be written, in order, and what waits for the end of it.
#[derive(Debug, Default)]
pub struct Writing {
    queue: VecDeque<Unwritten>,
    awaiting: Vec<Message>,
    /// What never will be written.
    discarded: Discarded,
}

impl Writing {
    pub fn is_under_way(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The message is taken again when everything is written.
    pub fn await_end(&mut self, message: Message) {
        self.awaiting.push(message);
    }
}

impl Executor {
    /// Writes and logs a fragment: at once if one poll can, else from the end of this poll on.
    /// Its changes come in pieces.
    pub(super) fn write_fragment(&mut self, shard: ShardId, head: FragmentHead, pieces: Vec<Vec<Change>>) {
        if let [changes] = &pieces[..]
            && changes.len() <= self.config.bounds.slice_changes_max
            && !self.writing.is_under_way()
        {
            return self.write_at_once(shard, head, changes);
        }
        let pieces = pieces.into_iter().map(Vec::into_iter).collect();
        self.writing.queue.push_back(Unwritten { shard, head, next_part: 0, pieces });
    }

    /// The same of a fragment whose changes are in one list.
    pub(super) fn write_changes(&mut self, shard: ShardId, head: FragmentHead, changes: Vec<Change>) {
        if changes.len() <= self.config.bounds.slice_changes_max && !self.writing.is_under_way() {
            return self.write_at_once(shard, head, &changes);
        }
        self.write_fragment(shard, head, vec![changes]);
    }

    fn write_at_once(&mut self, shard: ShardId, head: FragmentHead, changes: &[Change]) {
        let shard = self.shards.get_mut(&shard).expect("fragments go to the executor that hosts their shard");
        shard.write(head, changes);
    }

    /// Whether there is a slice to write, and room for it. Where there is none, what is committed begins another poll.
    pub(super) fn can_write_slice(&self) -> bool {
        self.writing.queue.front().is_some_and(|unwritten| self.shards[&unwritten.shard].can_write())
    }

    /// Writes the next slice, if there is one and room for it.
    pub(super) fn write_slice(&mut self) {
        let mut left = self.config.bounds.slice_changes_max;
        while left > 0 && self.can_write_slice() {
            let unwritten = self.writing.queue.front_mut().expect("just seen");
            let shard = self.shards.get_mut(&unwritten.shard).expect("shards are never removed");
            let slice = unwritten.take(left);
            left -= slice.len();
            let is_last = unwritten.pieces.is_empty();
            unwritten.next_part = shard.write_slice(unwritten.head, &slice, unwritten.next_part, is_last);
            if is_last {
                self.writing.queue.pop_front();
                self.end_writing();
            }
        }
    }

    fn end_writing(&mut self) {
        if self.writing.is_under_way() {
            return;
        }
        for message in std::mem::take(&mut self.writing.awaiting) {
            self.out.tell(self.config.executor, message);
        }
        self.evaluate_deferred();
    }

    /// The reign is over: what is not written never will be.
    pub(super) fn abandon_writing(&mut self) {
        self.writing.awaiting.clear();
        self.writing.discarded.add(self.writing.queue.drain(..).flat_map(|unwritten| unwritten.pieces));
    }

    pub(super) fn has_discarded(&self) -> bool {
        !self.writing.discarded.is_empty() || self.shards.values().any(Shard::has_discarded)
    }

    /// Drops a slice of what is of no use any more.
    pub(super) fn shed_slice(&mut self) {
        let mut left = self.config.bounds.slice_changes_max;
        self.writing.discarded.shed(&mut left);
        self.shards.values_mut().for_each(|shard| shard.shed(&mut left));
    }
}
