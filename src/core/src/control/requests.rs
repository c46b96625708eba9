//! Requests that the control executor answers: leases, compaction, and what depends on the control group's log.

use super::Control;
use super::confirm::Asker;
use super::coordinator::Work;
use super::record::Record;
use super::records::Then;
use crate::error::UserError;
use crate::evaluate::Leases;
use crate::executor::effect::Origin;
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::executor::replies::Reply;
use crate::planted::planted;
use crate::request::Request;
use crate::response::{LeaseTimeToLive, Response};
use crate::time::Instant;
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Revision, Term};
use std::collections::BTreeMap;

/// Executors are asked for the keys of a lease.
#[derive(Debug)]
struct AskingKeys {
    origin: Origin,
    lease: LeaseId,
    missing: u16,
    keys: Vec<Bytes>,
}

#[derive(Debug, Default)]
pub struct Requests {
    /// The term in which this member proposed the number of shards.
    pub shards_proposed_in: Option<Term>,
    /// Requests that wait for the leadership to be confirmed.
    confirming: BTreeMap<u64, (Origin, Request)>,
    next: u64,
    /// Compactions that wait for their revision to be visible.
    compactions: BTreeMap<Revision, Vec<Origin>>,
    /// Leases of grants under way: a second grant of the same id is refused.
    granting: Vec<LeaseId>,
    asking_keys: BTreeMap<u64, AskingKeys>,
}

impl Requests {
    pub fn waits_for_visible(&self) -> bool {
        !self.compactions.is_empty()
    }
}

impl Control {
    pub(super) fn take_request(&mut self, origin: Origin, request: Request, now: Instant, out: &mut Outbox) {
        let Some(reign) = &self.reign else {
            return out.answer(origin, Err(UserError::LeaderChanged));
        };
        let newest = reign.newest();
        match request {
            Request::Operation(operation) => self.enqueue(Work::Transaction { origin, operation }, out),
            Request::LeaseGrant { id, ttl_seconds } => self.grant(origin, id, ttl_seconds, newest, out),
            Request::LeaseRevoke { id } if self.leases.is_live(id) => {
                self.enqueue(Work::Revoke { origin: Some(origin), lease: id }, out);
            }
            Request::LeaseRevoke { .. } => {
                let result = Err(UserError::LeaseNotFound);
                out.reply_unwritten(Reply { revision: newest, origin, result });
            }
            Request::Compact { at, .. } => self.compact(origin, at, out),
            Request::LeaseKeepAlive { .. } | Request::LeaseTimeToLive { .. } | Request::LeaseLeases => {
                let number = self.requests.next;
                self.requests.next += 1;
                self.requests.confirming.insert(number, (origin, request));
                if planted!(KeepaliveUnconfirmed) {
                    return self.answer_confirmed(number, now, out);
                }
                self.ask(Asker::Control { request: number }, now, out);
            }
            Request::Status
            | Request::Hash
            | Request::HashKv { .. }
            | Request::MemberList { .. }
            | Request::AlarmGet { .. } => unreachable!("inspected on any member: {request:?}"),
        }
    }

    fn grant(&mut self, origin: Origin, id: LeaseId, ttl_seconds: i64, newest: Revision, out: &mut Outbox) {
        let id = if id == LeaseId::NONE { self.draw_lease() } else { id };
        let granting = self.requests.granting.contains(&id);
        let checked = self.leases.check_grant(id, ttl_seconds);
        let ttl_seconds = match checked {
            Ok(ttl_seconds) if !granting => ttl_seconds,
            Ok(_) | Err(UserError::LeaseExists) => {
                let result = Err(UserError::LeaseExists);
                return out.reply_unwritten(Reply { revision: newest, origin, result });
            }
            Err(error) => return out.answer(origin, Err(error)),
        };
        let response = Response::LeaseGrant { revision: Revision(0), id, ttl_seconds };
        self.requests.granting.push(id);
        self.propose_record(Record::Grant { lease: id, ttl_seconds }, Then::Answer { origin, response }, out);
    }

    /// A grant is in the table, or will never be.
    pub(super) fn grant_settled(&mut self, lease: LeaseId) {
        self.requests.granting.retain(|&granting| granting != lease);
    }

    fn draw_lease(&mut self) -> LeaseId {
        loop {
            let id = LeaseId((self.random.draw() >> 1).cast_signed());
            if id != LeaseId::NONE && self.leases.granted(id).is_none() {
                return id;
            }
        }
    }

    fn compact(&mut self, origin: Origin, at: Revision, out: &mut Outbox) {
        let Some(reign) = &self.reign else { return };
        let newest = reign.newest();
        if at <= self.compactions.newest() {
            out.reply(Reply { revision: newest, origin, result: Err(UserError::Compacted) });
        } else if at > newest {
            // A primary that another one has followed must not say so: what it does not have may be there.
            let reply = Reply { revision: newest, origin, result: Err(UserError::FutureRevision) };
            if planted!(RefusedUnconfirmed) { out.reply(reply) } else { out.reply_unwritten(reply) }
        } else {
            self.requests.compactions.entry(at).or_default().push(origin);
        }
    }

    /// Proposes the compactions whose revision is visible: what survives a change of primary is never below it.
    pub(super) fn propose_compactions(&mut self, out: &mut Outbox) {
        let visible = self.visible();
        while let Some(first) = self.requests.compactions.first_entry()
            && (*first.key() <= visible || planted!(CompactAboveVisible))
        {
            let (at, origins) = first.remove_entry();
            for origin in origins {
                if at <= self.compactions.newest() {
                    out.answer(origin, Err(UserError::Compacted));
                    continue;
                }
                let response = Response::Compact { revision: Revision(0) };
                self.propose_record(Record::Compact { at }, Then::Answer { origin, response }, out);
            }
        }
    }

    /// The leadership was confirmed after the request came: it is answered.
    pub(super) fn answer_confirmed(&mut self, number: u64, now: Instant, out: &mut Outbox) {
        let Some((origin, request)) = self.requests.confirming.remove(&number) else { return };
        let Some(reign) = &self.reign else {
            return out.answer(origin, Err(UserError::LeaderChanged));
        };
        let revision = reign.visible();
        let response = match request {
            Request::LeaseKeepAlive { id } => {
                let ttl_seconds = self.leases.keep_alive(id, now).unwrap_or(0);
                Response::LeaseKeepAlive { revision, id, ttl_seconds }
            }
            Request::LeaseLeases => Response::LeaseLeases { revision, leases: self.leases.list() },
            Request::LeaseTimeToLive { id, keys: true } if self.leases.granted(id).is_some() => {
                let asking = AskingKeys { origin, missing: out.executors(), keys: Vec::new(), lease: id };
                self.requests.asking_keys.insert(number, asking);
                return out.broadcast(&Message::AskKeys { request: number, lease: id });
            }
            Request::LeaseTimeToLive { id, .. } => {
                Response::LeaseTimeToLive(self.time_to_live(id, revision, Vec::new(), now))
            }
            _ => unreachable!("only requests about leases wait here: {request:?}"),
        };
        out.answer(origin, Ok(response));
    }

    fn time_to_live(&self, id: LeaseId, revision: Revision, keys: Vec<Bytes>, now: Instant) -> LeaseTimeToLive {
        let found = self.leases.time_to_live(id, now);
        let (ttl_seconds, granted_ttl_seconds) =
            found.map_or((-1, 0), |found| (found.remaining_seconds, found.granted_seconds));
        LeaseTimeToLive { revision, id, ttl_seconds, granted_ttl_seconds, keys }
    }

    /// An executor names its keys of a lease; the answer is given when all have, and what they saw is visible.
    pub(super) fn take_keys(&mut self, request: u64, keys: Vec<Bytes>, now: Instant, out: &mut Outbox) {
        let Some(asking) = self.requests.asking_keys.get_mut(&request) else { return };
        asking.keys.extend(keys);
        asking.missing -= 1;
        if asking.missing > 0 {
            return;
        }
        let AskingKeys { origin, mut keys, lease, .. } = self.requests.asking_keys.remove(&request).expect("just seen");
        let Some(reign) = &self.reign else { return };
        let revision = reign.newest();
        keys.sort_unstable();
        let result = Ok(Response::LeaseTimeToLive(self.time_to_live(lease, revision, keys, now)));
        out.reply(Reply { revision, origin, result });
    }

    pub(super) fn refuse_confirming(&mut self, number: u64, error: UserError, out: &mut Outbox) {
        if let Some((origin, _)) = self.requests.confirming.remove(&number) {
            out.answer(origin, Err(error));
        }
    }

    /// The reign is over: what waits for it is refused.
    pub(super) fn abandon_requests(&mut self, out: &mut Outbox) {
        self.requests.granting.clear();
        let compactions = std::mem::take(&mut self.requests.compactions).into_values().flatten();
        let confirming = std::mem::take(&mut self.requests.confirming).into_values().map(|(origin, _)| origin);
        let asking = std::mem::take(&mut self.requests.asking_keys).into_values().map(|asking| asking.origin);
        for origin in compactions.chain(confirming).chain(asking) {
            out.answer(origin, Err(UserError::LeaderChanged));
        }
    }
}
