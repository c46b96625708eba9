//! Carries out transactions over several shards: gathers what they need, evaluates once, takes one revision, and has each
//! participant write and log its fragment.

use super::Control;
use super::coordinator::{Stage, Work};
use super::record::{ControlEntry, ControlFragment, Record};
use super::records::Then;
use crate::clock::Change;
use crate::clock::batch::FragmentHead;
use crate::error::UserError;
use crate::evaluate::{Evaluated, Gathered, Leases, Need, needs, prepare};
use crate::executor::effect::{ExecutorId, Origin};
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::executor::replies::Reply;
use crate::executor::transact::Part;
use crate::executor::write::{newest_grant, owner};
use crate::request::Operation;
use crate::response::Response;
use bytes::Bytes;
use campanile_storage::ids::{Index, LeaseId, Revision, ShardId};
use std::collections::{BTreeMap, BTreeSet};

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
                Some(*lease)
            }
        };
        let round = self.coordinator.begin(work, asked.keys().copied().collect::<BTreeSet<_>>());
        for (executor, needs) in asked {
            out.tell(executor, Message::Gather { round, needs, lease });
        }
    }

    pub(super) fn gathered(&mut self, from: ExecutorId, round: u64, part: Part, out: &mut Outbox) {
        if self.reign.is_none() {
            return;
        }
        let rest: Vec<_> = part.found.iter().filter_map(|(shard, found)| Some((*shard, found.rest.clone()?))).collect();
        let again = !rest.is_empty();
        if again {
            out.tell_next(from, Message::Gather { round, needs: rest, lease: None });
        }
        match self.coordinator.gathered(from, round, part, again) {
            Some((Work::Transaction { origin, operation }, part)) => self.transact(origin, &operation, part, out),
            Some((Work::Revoke { origin, lease }, part)) => self.revoke(origin, lease, part, out),
            None => {}
        }
    }

    /// Everything is gathered and every participant paused: evaluates, and writes.
    fn transact(&mut self, origin: Origin, operation: &Operation, part: Part, out: &mut Outbox) {
        let reign = self.reign.clone().expect("just seen");
        let newest = reign.newest();
        let mut gathered = Gathered::new(newest);
        for (_, found) in part.found {
            gathered.add(found);
        }
        let prepared = match prepare(operation, &gathered, &self.leases, newest) {
            Ok(prepared) => prepared,
            Err(error) => return out.reply_unwritten(Reply { revision: newest, origin, result: Err(error) }),
        };
        if !prepared.writes() {
            let result = Ok(Response::Operation(prepared.run(&gathered, newest).response));
            return out.reply_unwritten(Reply { revision: newest, origin, result });
        }
        let Evaluated { changes, mut response } = prepared.run(&gathered, newest);
        let control_index = newest_grant(&changes, |lease| self.leases.granted(lease));
        let fragments = self.by_owner(changes);
        let groups = u32::try_from(fragments.len()).expect("shards are counted in 32 bits");
        let revision = if part.can_write { reign.take(groups) } else { None };
        let Some(revision) = revision else {
            return out.answer(origin, Err(UserError::TooManyRequests));
        };
        if revision.before() != newest {
            // Shards that take no part went on. The changes are the same; the answer names revisions.
            response = prepared.run(&gathered, revision.before()).response;
        }
        self.write(FragmentHead { revision, groups, control_index }, fragments, out);
        out.reply(Reply { revision, origin, result: Ok(Response::Operation(response)) });
    }

    /// A lease dies at the revision that deletes its keys: the control group takes part in the transaction.
    fn revoke(&mut self, origin: Option<Origin>, lease: LeaseId, part: Part, out: &mut Outbox) {
        let reign = self.reign.clone().expect("just seen");
        let work = Work::Revoke { origin, lease };
        if part.keys.is_empty() {
            // Proposed only when all it saw is visible: what detached the keys may still be void.
            return self.coordinator.hold(work, Stage::AwaitingVisible(reign.newest()));
        }
        let fragments = self.by_owner(deletions(part.keys));
        let groups = u32::try_from(fragments.len() + 1).expect("shards are counted in 32 bits");
        let can_write = part.can_write && self.group.can_propose();
        let revision = if can_write { reign.take(groups) } else { None };
        let Some(revision) = revision else {
            return refuse(work, UserError::TooManyRequests, out);
        };
        self.write(FragmentHead { revision, groups, control_index: Index(0) }, fragments, out);
        self.leases.condemn(lease);
        out.broadcast(&Message::Condemn { lease });
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

    fn write(&mut self, head: FragmentHead, fragments: BTreeMap<ShardId, Vec<Change>>, out: &mut Outbox) {
        let mut by_host: ByHost<Vec<Change>> = BTreeMap::new();
        for (shard, changes) in fragments {
            by_host.entry(self.config.host(shard)).or_default().push((shard, changes));
        }
        for (host, changes) in by_host {
            out.tell(host, Message::Write { head, changes });
        }
    }

    fn owner(&self, key: &[u8]) -> ShardId {
        owner(key, self.shards.expect("a reign is open"))
    }

    /// Each shard's part of the changes.
    fn by_owner(&self, changes: Vec<Change>) -> BTreeMap<ShardId, Vec<Change>> {
        // Counted first: lists that grow by doubling cost more than their changes, if there are very many.
        let owners: Vec<ShardId> = changes.iter().map(|change| self.owner(change.key())).collect();
        let mut counts: BTreeMap<ShardId, usize> = BTreeMap::new();
        owners.iter().for_each(|&owner| *counts.entry(owner).or_default() += 1);
        let mut by_shard: BTreeMap<ShardId, Vec<Change>> =
            counts.into_iter().map(|(shard, count)| (shard, Vec::with_capacity(count))).collect();
        for (owner, change) in owners.into_iter().zip(changes) {
            by_shard.get_mut(&owner).expect("just counted").push(change);
        }
        by_shard
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

/// Deletes keys in key order, as etcd does when a lease goes.
fn deletions(mut keys: Vec<Bytes>) -> Vec<Change> {
    keys.sort_unstable();
    let numbered = keys.into_iter().zip(0..);
    numbered.map(|(key, sub)| Change::Delete { sub, key }).collect()
}
