//! Carries out transactions over several shards: gathers what they need, evaluates once, takes one revision, and has each
//! participant write and log its fragment.
//!
//! What comes to very many keys is gathered, evaluated, dealt out and dropped in slices, one a poll: heartbeats and reads go
//! on between them. The participants pause from the first slice of the gathering to the last that they write.

use super::Control;
use super::coordinator::{Stage, Work};
use super::record::{ControlEntry, ControlFragment, Record};
use super::records::Then;
use crate::clock::Change;
use crate::clock::batch::FragmentHead;
use crate::error::UserError;
use crate::evaluate::{Dealt, Evaluation, Gathered, Leases, Need, needs};
use crate::executor::effect::{ExecutorId, Origin};
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::executor::replies::Reply;
use crate::executor::transact::Part;
use crate::executor::write::owner;
use crate::planted::planted;
use crate::request::{KeyRange, Operation};
use crate::response::{OperationResponse, Response};
use campanile_storage::ids::{Index, LeaseId, Revision, ShardId};
use std::collections::{BTreeMap, BTreeSet};

/// An evaluation that has come to its end. `can_write`: every participant has room for a fragment.
struct Evaluated {
    evaluation: Evaluation,
    response: OperationResponse,
    can_write: bool,
}

type ByHost<T> = BTreeMap<ExecutorId, Vec<(ShardId, T)>>;

impl Control {
    pub(super) fn enqueue(&mut self, work: Work, out: &mut Outbox) {
        if let Err(work) = self.coordinator.enqueue(work) {
            refuse(*work, UserError::TooManyRequests, out);
        }
    }

    /// Begins what can begin, and ends the pause when nothing is left to do in it.
    pub(super) fn coordinate(&mut self, out: &mut Outbox) {
        if self.reign.is_none() {
            return;
        }
        if let Some(work) = self.coordinator.take_visible(self.visible()) {
            self.revoke_without_keys(work, out);
        }
        while let Some(work) = self.coordinator.next() {
            self.begin_work(work, out);
        }
        for executor in self.coordinator.end_pause() {
            out.tell(executor, Message::Resume);
        }
    }

    fn begin_work(&mut self, work: Work, out: &mut Outbox) {
        let shards = self.shards.expect("a reign is open");
        let mut asked: ByHost<Need> = BTreeMap::new();
        let lease = match &work {
            Work::Transaction { operation, .. } => {
                let needs = needs(operation);
                for shard in needs.participants(shards, |key| owner(key, shards)) {
                    asked.entry(self.config.host(shard)).or_default();
                }
                for (shard, need) in needs.assign(shards, |key| owner(key, shards)) {
                    asked.entry(self.config.host(shard)).or_default().push((shard, need));
                }
                None
            }
            Work::Revoke { origin, lease } if !self.leases.is_live(*lease) => {
                if let (Some(origin), Some(reign)) = (*origin, &self.reign) {
                    // What ended it may not be visible yet.
                    let (revision, result) = (reign.newest(), Err(UserError::LeaseNotFound));
                    out.reply(Reply { revision, origin, result });
                }
                return;
            }
            Work::Revoke { lease, .. } => {
                asked.extend((0..out.executors()).map(|executor| (executor, Vec::new())));
                for shard in (0..shards).map(ShardId) {
                    let need = Need::whole(KeyRange::everything());
                    asked.entry(self.config.host(shard)).or_default().push((shard, need));
                }
                Some(*lease)
            }
        };
        let round = self.coordinator.begin(work, asked.keys().copied().collect::<BTreeSet<_>>());
        for (executor, needs) in asked {
            out.tell(executor, Message::Gather { round, needs, lease });
        }
    }

    pub(super) fn gathered(&mut self, from: ExecutorId, round: u64, part: Part, out: &mut Outbox) {
        let Some(reign) = &self.reign else { return };
        let lease = part.lease;
        let rest = self.coordinator.gathered(from, round, part);
        if !rest.is_empty() {
            return out.tell_next(from, Message::Gather { round, needs: rest, lease });
        }
        let changes = Dealt::new(owner, self.shards.expect("a reign is open"));
        self.coordinator.begin_evaluation(reign.newest(), changes);
        self.evaluate_slice(out);
    }

    /// Whether there is a slice to evaluate, or to drop.
    #[must_use]
    pub fn has_slice(&self) -> bool {
        self.coordinator.is_evaluating() || self.coordinator.has_discarded()
    }

    /// A poll's share of what is evaluated, and of what was.
    pub fn work_slice(&mut self, out: &mut Outbox) {
        self.evaluate_slice(out);
        self.coordinator.shed(self.config.bounds.slice_changes_max);
    }

    /// Everything is gathered and every participant paused: evaluates as much as a poll has time for, and at the end writes.
    fn evaluate_slice(&mut self, out: &mut Outbox) {
        let Some((work, mut evaluation, can_write)) = self.coordinator.take_evaluating() else { return };
        let mut left = self.config.bounds.slice_changes_max;
        let done = evaluation.go_on(&work.operation(), &self.leases, &mut left);
        match (done, work) {
            (Ok(None), work) => self.coordinator.hold(work, Stage::Evaluating { evaluation, can_write }),
            (Ok(Some(response)), Work::Transaction { origin, operation }) => {
                let evaluated = Evaluated { evaluation: *evaluation, response, can_write };
                self.transact((origin, &operation), evaluated, out);
            }
            (Ok(Some(_)), Work::Revoke { origin, lease }) => {
                let (dealt, gathered) = evaluation.into_parts();
                self.revoke(origin, lease, dealt, can_write, out);
                self.spend(gathered);
            }
            (Err(error), Work::Transaction { origin, .. }) => {
                let revision = evaluation.newest();
                out.reply_unwritten(Reply { revision, origin, result: Err(error) });
                self.spend(evaluation.into_parts().1);
            }
            (Err(error), Work::Revoke { .. }) => unreachable!("a deletion is never refused: {error}"),
        }
    }

    /// What was gathered is evaluated: a little is dropped at once.
    fn spend(&mut self, mut gathered: Gathered) {
        let mut left = self.config.bounds.slice_changes_max;
        if !gathered.shed(&mut left) {
            self.coordinator.discard(gathered);
        }
    }

    /// A transaction is evaluated: takes its revision, if it changes anything, and writes.
    fn transact(&mut self, (origin, operation): (Origin, &Operation), evaluated: Evaluated, out: &mut Outbox) {
        let reign = self.reign.clone().expect("a dead reign evaluates nothing");
        let Evaluated { evaluation, mut response, can_write } = evaluated;
        let newest = evaluation.newest();
        let Some(dealt) = evaluation.changes() else {
            let result = Ok(Response::Operation(response));
            out.reply_unwritten(Reply { revision: newest, origin, result });
            return self.spend(evaluation.into_parts().1);
        };
        let groups = groups(dealt);
        let control_index = dealt.attached().filter_map(|lease| self.leases.granted(lease)).max().unwrap_or(Index(0));
        let revision = if can_write { reign.take(groups) } else { None };
        if let Some(revision) = revision.filter(|revision| revision.before() != newest) {
            // Shards that take no part went on. The changes are the same; the answer names revisions.
            response = evaluation.answer_at(operation, &self.leases, revision.before());
        }
        let (dealt, gathered) = evaluation.into_parts();
        self.spend(gathered);
        let dealt = dealt.expect("just seen");
        let Some(revision) = revision else {
            self.coordinator.discard_changes(dealt);
            return out.answer(origin, Err(UserError::TooManyRequests));
        };
        self.write(FragmentHead { revision, groups, control_index }, dealt, out);
        out.reply(Reply { revision, origin, result: Ok(Response::Operation(response)) });
    }

    /// A lease dies at the revision that deletes its keys: the control group takes part in the transaction.
    fn revoke(
        &mut self,
        origin: Option<Origin>,
        lease: LeaseId,
        dealt: Option<Dealt>,
        can_write: bool,
        out: &mut Outbox,
    ) {
        let reign = self.reign.clone().expect("a dead reign evaluates nothing");
        let work = Work::Revoke { origin, lease };
        let Some(dealt) = dealt else {
            if planted!(KeylessRevokeAtOnce) {
                return self.revoke_without_keys(work, out);
            }
            // Proposed only when all it saw is visible: what detached the keys may still be void.
            return self.coordinator.hold(work, Stage::AwaitingVisible(reign.newest()));
        };
        let groups = groups(&dealt) + 1;
        let can_write = can_write && self.group.can_propose();
        let revision = if can_write { reign.take(groups) } else { None };
        let Some(revision) = revision else {
            self.coordinator.discard_changes(dealt);
            return refuse(work, UserError::TooManyRequests, out);
        };
        self.write(FragmentHead { revision, groups, control_index: Index(0) }, dealt, out);
        if !planted!(LeaseOutlivesRevoke) {
            self.leases.condemn(lease);
            out.broadcast(&Message::Condemn { lease });
        }
        let fragment = ControlFragment { epoch: reign.epoch(), revision, groups, revoked: vec![lease] };
        match self.group.propose(ControlEntry::Fragment(fragment).encode()) {
            Ok(index) => {
                self.proposed_fragment(revision, index);
                let then = origin.map_or(Then::Nothing, |origin| Then::Answer {
                    origin,
                    response: Response::LeaseRevoke { revision },
                });
                self.adoptions.proposed(index, then);
            }
            Err(_) => out.tell(out.executor, Message::Lost { epoch: reign.epoch() }),
        }
    }

    /// Everything that the revoke saw is visible, and all shards are still paused: its record can do no harm.
    fn revoke_without_keys(&mut self, work: Work, out: &mut Outbox) {
        let Work::Revoke { lease, .. } = work else { unreachable!("only revokes wait for visibility") };
        self.coordinator.hold(work, Stage::AwaitingRecord);
        self.propose_record(Record::Revoke { lease }, Then::Coordinate, out);
    }

    /// The record of the work under way is in force on every executor.
    pub(super) fn record_in_force(&mut self, newest: Revision, out: &mut Outbox) {
        if let Some(Work::Revoke { origin: Some(origin), .. }) = self.coordinator.finish() {
            let result = Ok(Response::LeaseRevoke { revision: newest });
            out.reply(Reply { revision: newest, origin, result });
        }
    }

    fn write(&mut self, head: FragmentHead, dealt: Dealt, out: &mut Outbox) {
        let mut by_host: ByHost<Vec<Vec<Change>>> = BTreeMap::new();
        for (shard, pieces) in dealt.into_pieces() {
            by_host.entry(self.config.host(shard)).or_default().push((shard, pieces));
        }
        for (host, changes) in by_host {
            out.tell(host, Message::Write { head, changes });
        }
    }

    /// The reign is over: what was not evaluated is refused.
    pub(super) fn abandon_work(&mut self, out: &mut Outbox) {
        for work in self.coordinator.abandon() {
            refuse(work, UserError::LeaderChanged, out);
        }
    }
}

fn refuse(work: Work, error: UserError, out: &mut Outbox) {
    match work {
        Work::Transaction { origin, .. } | Work::Revoke { origin: Some(origin), .. } => out.answer(origin, Err(error)),
        Work::Revoke { origin: None, .. } => {}
    }
}

/// How many groups these changes touch.
fn groups(dealt: &Dealt) -> u32 {
    u32::try_from(dealt.shards()).expect("shards are counted in 32 bits")
}
