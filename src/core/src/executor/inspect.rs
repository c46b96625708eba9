//! What a member says of itself and of its keyspace: status, members, hashes. Answered from what it has, asking nobody.
//!
//! HashKV puts the entries of all shards together in the order of their positions. They are asked for in parts, so that
//! no executor is held up, and again from the start if a compaction changed what counts meanwhile.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, Origin};
use super::message::Message;
use crate::control::Control;
use crate::error::UserError;
use crate::request::Request;
use crate::response::{HashKv, Response, Status};
use campanile_storage::ids::{MemberId, Position, Revision, ShardId};
use campanile_storage::store::{HashEntry, HashMerge};
use std::collections::BTreeMap;

/// A shard's part of a hash.
#[derive(Clone, Debug)]
pub struct HashPart {
    pub shard: ShardId,
    pub entries: Vec<HashEntry>,
    pub ended: bool,
}

#[derive(Debug)]
struct Hashing {
    at: Revision,
    /// No revision was named: it is the newest one, whichever that is by the time.
    is_newest: bool,
    compacted: Revision,
    merge: HashMerge,
    after: Vec<Option<Position>>,
}

/// The hashes that were asked of this executor.
#[derive(Debug, Default)]
pub struct Hashes {
    under_way: BTreeMap<Origin, Hashing>,
}

impl Executor {
    pub(super) fn inspect(&mut self, origin: Origin, request: Request) {
        let revision = self.visible;
        match request {
            Request::HashKv { at } => self.hash(origin, at),
            Request::Hash => self.hash(origin, Revision(0)),
            Request::AlarmGet { .. } => {
                self.out.answer(origin, Ok(Response::AlarmGet { revision, alarms: Vec::new() }));
            }
            request => match &self.control {
                Some(control) => self.out.answer(origin, Ok(self.of_control(control, &request))),
                None => self.out.tell(CONTROL_EXECUTOR, Message::Inspect { origin, request }),
            },
        }
    }

    /// What the control executor knows.
    fn of_control(&self, control: &Control, request: &Request) -> Response {
        let revision = self.visible;
        match request {
            Request::MemberList { .. } => Response::MemberList { revision, members: control.members() },
            Request::Status => {
                let (committed_index, applied_index) = control.indices();
                let leader = self.leader.unwrap_or(MemberId::NONE);
                let status = Status { revision, leader, committed_index, applied_index, is_learner: false };
                Response::Status(status)
            }
            _ => unreachable!("not a request to inspect: {request:?}"),
        }
    }

    fn hash(&mut self, origin: Origin, at: Revision) {
        let result = match at {
            at if at > self.visible => Err(UserError::FutureRevision),
            at if at.0 > 0 && at < self.compacted => Err(UserError::Compacted),
            _ if self.hashes.under_way.len() >= self.config.bounds.hashes_max => Err(UserError::TooManyRequests),
            Revision(0) => Ok((self.visible, true)),
            at => Ok((at, false)),
        };
        match result {
            Ok((at, is_newest)) => self.begin_hash(origin, at, is_newest),
            Err(error) => self.out.answer(origin, Err(error)),
        }
    }

    fn begin_hash(&mut self, origin: Origin, at: Revision, is_newest: bool) {
        // As etcd: at a negative revision there is nothing, and nothing to refuse.
        let shards = if at.0 < 0 { 0 } else { self.shards_total.unwrap_or(0) as usize };
        let (compacted, merge, after) = (self.compacted, HashMerge::new(shards), vec![None; shards]);
        let hashing = Hashing { at, is_newest, compacted, merge, after };
        self.hashes.under_way.insert(origin, hashing);
        self.drive_hash(origin);
    }

    /// Asks the shard whose entries are missing, or answers.
    fn drive_hash(&mut self, origin: Origin) {
        let Some(hashing) = self.hashes.under_way.get(&origin) else { return };
        if let Some(stream) = hashing.merge.wanted() {
            let shard = ShardId(u32::try_from(stream).expect("shards are counted in 32 bits"));
            let message = Message::HashAsk {
                origin,
                shard,
                at: hashing.at,
                compacted: hashing.compacted,
                after: hashing.after[stream],
            };
            return self.out.tell(self.config.host(shard), message);
        }
        let hashing = self.hashes.under_way.remove(&origin).expect("just seen");
        let response = HashKv {
            revision: self.visible,
            hash: hashing.merge.finish(),
            compacted: hashing.compacted,
            hash_revision: hashing.at,
        };
        self.out.answer(origin, Ok(Response::HashKv(response)));
    }

    /// Hashes a part of a shard's entries; `None` tells that a compaction came between.
    pub(super) fn hash_part(
        &mut self,
        origin: Origin,
        shard: ShardId,
        at: Revision,
        compacted: Revision,
        after: Option<Position>,
    ) {
        if self.visible < at {
            return self.reads.await_visible(at, Message::HashAsk { origin, shard, at, compacted, after });
        }
        let (store, entries_max) = (&self.shards[&shard].store, self.config.bounds.hash_entries_max);
        let part = (store.compacted() == compacted).then(|| {
            let entries: Vec<_> = store.hash_entries(at, compacted, after).take(entries_max).collect();
            HashPart { shard, ended: entries.len() < entries_max, entries }
        });
        self.out.tell(origin.executor, Message::HashPart { origin, part });
    }

    pub(super) fn take_hash_part(&mut self, origin: Origin, part: Option<HashPart>) {
        let Some(hashing) = self.hashes.under_way.get_mut(&origin) else { return };
        let Some(HashPart { shard, entries, ended }) = part else {
            let (is_newest, at) = (hashing.is_newest, hashing.at);
            let at = if is_newest { self.visible } else { at };
            self.hashes.under_way.remove(&origin);
            return if at < self.compacted {
                self.out.answer(origin, Err(UserError::Compacted));
            } else {
                self.begin_hash(origin, at, is_newest);
            };
        };
        let stream = shard.0 as usize;
        hashing.after[stream] = entries.last().map(|entry| entry.position).or(hashing.after[stream]);
        hashing.merge.push(stream, entries, ended);
        self.drive_hash(origin);
    }
}
