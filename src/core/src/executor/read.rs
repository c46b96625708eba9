//! Reads: at which revision, and from which shards.
//!
//! A serializable read sees what the member may show. A linearizable one asks first, together with all others of the same
//! poll; a single voter is nobody's follower and need not ask. A read of several shards sees one revision everywhere.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, ExecutorId, Origin};
use super::message::Message;
use super::replies::Reply;
use crate::error::UserError;
use crate::evaluate::{Compacted, Found, Gathered, Need, evaluate, find, needs};
use crate::planted::planted;
use crate::request::{Operation, Request};
use crate::response::Response;
use campanile_storage::ids::{Revision, ShardId};
use std::collections::BTreeMap;

/// What waits for the leadership to be confirmed.
#[derive(Debug)]
enum Unconfirmed {
    Read {
        origin: Origin,
        operation: Operation,
    },
    Reply(Reply),
    /// A question about the cluster that is to be answered as of now.
    Inspection {
        origin: Origin,
        request: Request,
    },
}

/// A read of several shards, or of one on another executor.
#[derive(Debug)]
struct Gathering {
    operation: Operation,
    at: Revision,
    /// Nothing below may be read, whatever the shards still have.
    compacted: Revision,
    gathered: Gathered,
    missing: usize,
}

#[derive(Debug, Default)]
pub struct Reads {
    /// Came since the last question.
    unconfirmed: Vec<Unconfirmed>,
    asked: BTreeMap<u64, Vec<Unconfirmed>>,
    round: u64,
    gathering: BTreeMap<Origin, Gathering>,
    /// Messages about a revision that this executor does not show yet.
    awaiting: BTreeMap<Revision, Vec<Message>>,
}

impl Reads {
    /// The message is taken again once the executor shows this revision.
    pub fn await_visible(&mut self, revision: Revision, message: Message) {
        self.awaiting.entry(revision).or_default().push(message);
    }

    /// The reign is over in which these answers were found: what a later one confirms is not theirs.
    pub fn take_replies(&mut self) -> Vec<Reply> {
        let waiting = std::iter::once(&mut self.unconfirmed).chain(self.asked.values_mut());
        let of_the_reign = |unconfirmed: &mut Unconfirmed| matches!(unconfirmed, Unconfirmed::Reply(_));
        let taken = waiting.flat_map(|waiting| waiting.extract_if(.., of_the_reign).collect::<Vec<_>>());
        taken
            .filter_map(|unconfirmed| match unconfirmed {
                Unconfirmed::Reply(reply) => Some(reply),
                Unconfirmed::Read { .. } | Unconfirmed::Inspection { .. } => None,
            })
            .collect()
    }

    fn len(&self) -> usize {
        self.unconfirmed.len() + self.asked.values().map(Vec::len).sum::<usize>() + self.gathering.len()
    }

    pub fn all_asked(&self) -> bool {
        self.unconfirmed.is_empty()
    }

    pub fn is_waiting(&self) -> bool {
        !self.awaiting.is_empty()
    }
}

impl Executor {
    /// A client reads.
    pub(super) fn read(&mut self, origin: Origin, operation: Operation) {
        if operation.is_serializable() || planted!(FollowerReadsLocally) {
            return self.read_at(origin, operation, self.visible, self.compacted_by(self.visible));
        }
        if self.config.voters.len() == 1
            && let Some(reign) = &self.reign
        {
            let at = reign.visible();
            return self.read_at(origin, operation, at, self.compacted_by(at));
        }
        self.ask_first(origin, Unconfirmed::Read { origin, operation });
    }

    /// A client asks about the cluster, and is to be told how it is now.
    pub(super) fn inspect_confirmed(&mut self, origin: Origin, request: Request) {
        self.ask_first(origin, Unconfirmed::Inspection { origin, request });
    }

    fn ask_first(&mut self, origin: Origin, unconfirmed: Unconfirmed) {
        if self.reads.len() >= self.config.bounds.reads_max {
            return self.out.answer(origin, Err(UserError::TooManyRequests));
        }
        self.reads.unconfirmed.push(unconfirmed);
    }

    /// An answer that needs a confirmed leadership.
    pub(super) fn confirm_reply(&mut self, reply: Reply) {
        self.reads.unconfirmed.push(Unconfirmed::Reply(reply));
    }

    /// One question for everything that came in this poll.
    pub(super) fn ask_for_confirmation(&mut self) {
        if self.reads.unconfirmed.is_empty() {
            return;
        }
        self.reads.round += 1;
        let round = self.reads.round;
        self.reads.asked.insert(round, std::mem::take(&mut self.reads.unconfirmed));
        self.out.tell(CONTROL_EXECUTOR, Message::Confirm { executor: self.config.executor, round });
    }

    pub(super) fn confirmed(&mut self, round: u64, result: Result<(Revision, Revision), UserError>) {
        for unconfirmed in self.reads.asked.remove(&round).unwrap_or_default() {
            match (unconfirmed, result) {
                (Unconfirmed::Read { origin, operation }, Ok((at, compacted))) => {
                    self.read_at(origin, operation, at, compacted);
                }
                (Unconfirmed::Inspection { origin, request }, Ok(_)) => self.inspect(origin, request),
                (
                    Unconfirmed::Read { origin, .. }
                    | Unconfirmed::Inspection { origin, .. }
                    | Unconfirmed::Reply(Reply { origin, .. }),
                    Err(error),
                ) => self.out.answer(origin, Err(error)),
                (Unconfirmed::Reply(reply), Ok(_)) if self.reign.is_some() => self.replies.push(reply),
                (Unconfirmed::Reply(reply), Ok(_)) => self.out.answer(reply.origin, Err(UserError::LeaderChanged)),
            }
        }
    }

    /// The newest compaction that took effect here up to a revision, carried out or not.
    fn compacted_by(&self, at: Revision) -> Revision {
        self.compactions.iter().copied().take_while(|compaction| *compaction <= at).fold(self.compacted, Revision::max)
    }

    /// Reads at a revision that the member may show; nothing below `compacted`, which is not above it.
    fn read_at(&mut self, origin: Origin, operation: Operation, at: Revision, compacted: Revision) {
        if let Some(id) = self.only_shard(&operation)
            && let Some(shard) = self.shards.get(&id)
            && at <= self.visible
        {
            // What was compacted since the question was asked can be read no more; what is newer was shown by then.
            let at = at.max(shard.store.compacted());
            let view = Compacted { view: &shard.store, at: compacted };
            let result = evaluate(&operation, &view, &self.leases, at.next());
            return self.out.answer(origin, result.map(|evaluated| Response::Operation(evaluated.response)));
        }
        let shards = self.shards_total.expect("requests are held until the number of shards is known");
        let assigned = needs(&operation).assign(shards, |key| self.owner(key));
        let gathered = Gathered::default();
        let missing = assigned.len();
        self.reads.gathering.insert(origin, Gathering { operation, at, compacted, gathered, missing });
        if missing == 0 {
            return self.finish_read(origin);
        }
        let mut by_host: BTreeMap<ExecutorId, Vec<(ShardId, Need)>> = BTreeMap::new();
        for (shard, need) in assigned {
            by_host.entry(self.config.host(shard)).or_default().push((shard, need));
        }
        for (host, needs) in by_host {
            self.out.tell(host, Message::Find { origin, at, needs });
        }
    }

    /// Another executor's read needs something of the shards here.
    pub(super) fn find(&mut self, origin: Origin, at: Revision, needs: Vec<(ShardId, Need)>) {
        if self.visible < at && !planted!(ReadBeforeStaged) {
            return self.reads.await_visible(at, Message::Find { origin, at, needs });
        }
        let keys_max = self.config.bounds.slice_keys_max;
        let found =
            needs.into_iter().map(|(shard, need)| (shard, find(&need, &self.shards[&shard].store, at, keys_max)));
        let found = found.collect();
        self.out.tell(origin.executor, Message::Found { origin, found });
    }

    pub(super) fn found(&mut self, origin: Origin, found: Vec<(ShardId, Found)>) {
        let Some(gathering) = self.reads.gathering.get_mut(&origin) else { return };
        let mut rest = Vec::new();
        for (shard, found) in found {
            match gathering.gathered.add(shard, found) {
                Some(need) => rest.push((shard, need)),
                None => gathering.missing -= 1,
            }
        }
        let (at, missing) = (gathering.at, gathering.missing);
        for (shard, need) in rest {
            self.out.tell_next(self.config.host(shard), Message::Find { origin, at, needs: vec![(shard, need)] });
        }
        if missing == 0 {
            self.finish_read(origin);
        }
    }

    fn finish_read(&mut self, origin: Origin) {
        let Gathering { operation, at, compacted, mut gathered, .. } =
            self.reads.gathering.remove(&origin).expect("a read finishes once");
        gathered.settle(at);
        if gathered.is_torn() {
            // What it was reading was compacted meanwhile; the newest revision cannot have been.
            let at = self.visible.max(at);
            return self.read_at(origin, operation, at, self.compacted_by(at).max(compacted));
        }
        let view = Compacted { view: &gathered, at: compacted };
        let result = evaluate(&operation, &view, &self.leases, at.next());
        self.out.answer(origin, result.map(|evaluated| Response::Operation(evaluated.response)));
    }

    /// Takes up what waited for a revision that is shown now.
    pub(super) fn answer_reads(&mut self) {
        while let Some(first) = self.reads.awaiting.first_entry()
            && *first.key() <= self.visible
        {
            for message in first.remove() {
                self.out.tell(self.config.executor, message);
            }
        }
    }
}
