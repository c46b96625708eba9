//! This executor's part in transactions over several shards: it pauses, hands over what they need, writes and logs its
//! fragments, and goes on. Reads go on all the while.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, Origin};
use super::message::Message;
use crate::clock::Change;
use crate::clock::batch::FragmentHead;
use crate::error::UserError;
use crate::evaluate::{Found, Need, find, find_attached};
use crate::planted::planted;
use crate::request::Operation;
use crate::shard::Shard;
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Revision, ShardId};
use std::collections::VecDeque;

/// Whether this executor is paused, and what waits for the end of it.
#[derive(Debug, Default)]
pub struct Pause {
    paused: bool,
    queue: VecDeque<(Origin, ShardId, Operation)>,
}

/// What one executor hands over.
#[derive(Clone, Debug, Default)]
pub struct Part {
    pub found: Vec<(ShardId, Found)>,
    /// Only keys attached to this lease were asked for.
    pub lease: Option<LeaseId>,
    /// Whether every shard here has room for a fragment.
    pub can_write: bool,
}

impl Executor {
    pub(super) fn is_paused(&self) -> bool {
        self.pause.paused || self.writing.is_under_way() || self.accession.is_some()
    }

    /// An evaluation that came during a pause waits for its end.
    pub(super) fn defer(&mut self, origin: Origin, shard: ShardId, operation: Operation) {
        if self.pause.queue.len() >= self.config.bounds.paused_writes_max {
            return self.out.answer(origin, Err(UserError::TooManyRequests));
        }
        self.pause.queue.push_back((origin, shard, operation));
    }

    /// Stops evaluating, and hands over the newest state of what a transaction needs.
    pub(super) fn gather(&mut self, round: u64, needs: Vec<(ShardId, Need)>, lease: Option<LeaseId>) {
        if let Some(accession) = &mut self.accession {
            return accession.await_end(Message::Gather { round, needs, lease });
        }
        if self.reign.is_none() {
            return;
        }
        if self.writing.is_under_way() {
            return self.writing.await_end(Message::Gather { round, needs, lease });
        }
        self.pause.paused = !planted!(NobodyPauses);
        let can_write = self.shards.values().all(Shard::can_write);
        let keys_max = (self.config.bounds.slice_keys_max / needs.len().max(1)).max(1);
        let found = needs.into_iter().map(|(id, need)| {
            let shard = self.shards.get(&id).expect("needs go to the executor that hosts their shard");
            let found = match lease {
                Some(lease) => find_attached(&need, &shard.store, lease, keys_max),
                None => find(&need, &shard.store, Revision::NEWEST, keys_max),
            };
            (id, found)
        });
        let part = Part { found: found.collect(), lease, can_write };
        self.out.tell(CONTROL_EXECUTOR, Message::Gathered { round, part });
    }

    /// What `LeaseTimeToLive` answers.
    fn attached_keys(&self, lease: LeaseId) -> Vec<Bytes> {
        let keys = self.shards.values().flat_map(|shard| shard.store.keys_of_lease(lease));
        keys.map(Bytes::copy_from_slice).collect()
    }

    /// Somebody wants to know which keys a lease has; nobody pauses for it.
    pub(super) fn keys_of_lease(&mut self, request: u64, lease: LeaseId) {
        let keys = self.attached_keys(lease);
        self.out.tell(CONTROL_EXECUTOR, Message::Keys { request, keys });
    }

    /// Writes and logs this executor's fragments of a revision.
    pub(super) fn write_fragments(&mut self, head: FragmentHead, fragments: Vec<(ShardId, Vec<Vec<Change>>)>) {
        if self.reign.is_none() {
            return;
        }
        assert!(
            self.is_paused() || planted!(NobodyPauses),
            "a transaction over several shards writes during its pause"
        );
        for (shard, pieces) in fragments {
            self.write_fragment(shard, head, pieces);
        }
    }

    /// The pause is over.
    pub(super) fn resume(&mut self) {
        self.pause.paused = false;
        self.evaluate_deferred();
    }

    /// Evaluates what waited, as long as nothing makes it wait again.
    pub(super) fn evaluate_deferred(&mut self) {
        if self.is_paused() {
            return;
        }
        for (origin, shard, operation) in std::mem::take(&mut self.pause.queue) {
            self.evaluate(origin, shard, operation);
        }
    }

    /// The reign is over: what waited was never evaluated.
    pub(super) fn abandon_pause(&mut self) {
        self.pause.paused = false;
        for (origin, _, _) in std::mem::take(&mut self.pause.queue) {
            self.out.answer(origin, Err(UserError::LeaderChanged));
        }
    }
}
