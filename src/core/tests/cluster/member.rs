//! One simulated member: its executors, the messages between them, and its disk.

use super::disk::Disk;
use campanile_core::clock::AtomicReign;
use campanile_core::evaluate::Limits;
use campanile_core::executor::effect::{Effect, Input, Ticket};
use campanile_core::executor::message::Message;
use campanile_core::executor::{Config, Executor, Start};
use campanile_core::peer::PeerMessage;
use campanile_core::request::Request;
use campanile_core::time::Instant;
use campanile_core::watch::StreamLimits;
use campanile_storage::ids::{GroupId, MemberId, Revision};
use campanile_storage::log::Update;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What a member wants the simulation to do.
#[derive(Debug)]
pub enum Outside {
    Send { to: MemberId, message: PeerMessage },
    Respond { ticket: Ticket, result: Result<campanile_core::response::Response, campanile_core::error::UserError> },
    Relay { ticket: Ticket, to: MemberId },
}

pub struct Member {
    pub id: MemberId,
    pub executors: Vec<Executor>,
    /// Messages under way between two executors, in order.
    pub queues: BTreeMap<(u16, u16), VecDeque<Message>>,
    /// The batch that each executor's disk is writing.
    pub writing: BTreeMap<u16, (u64, Vec<Update>)>,
    pub disk: Disk,
    /// The highest revision shown in this life.
    pub shown: Revision,
    incarnation: u64,
}

impl Member {
    pub fn new(id: MemberId) -> Member {
        Member {
            id,
            executors: Vec::new(),
            queues: BTreeMap::new(),
            writing: BTreeMap::new(),
            disk: Disk::default(),
            shown: Revision::EMPTY,
            incarnation: 0,
        }
    }

    pub fn is_up(&self) -> bool {
        !self.executors.is_empty()
    }

    /// Starts from what the disk holds.
    pub fn start(&mut self, seed: u64, voters: &[MemberId], executors: u16, shards: u32, now: Instant) {
        self.incarnation += 1;
        self.shown = Revision::EMPTY;
        let mut groups = self.disk.recover();
        for executor in 0..executors {
            let config = Config {
                executor,
                executors,
                member: self.id,
                voters: voters.to_vec(),
                members: Vec::new(),
                shards_for_new_cluster: shards,
                election_ticks: 10,
                request_ticks_max: 60,
                lease_ttl_min_seconds: 2,
                limits: Limits { txn_operations_max: 128 },
                stream_limits: StreamLimits::default(),
                seed: seed ^ self.incarnation << 8 ^ self.id.0 << 40,
                reign: |epoch, base| Arc::new(AtomicReign::new(epoch, base)),
            };
            let hosted = |group: &GroupId| group.shard().map_or(0, |shard| config.host(shard)) == executor;
            let (here, elsewhere) = groups.into_iter().partition(|(group, _)| hosted(group));
            groups = elsewhere;
            self.executors.push(Executor::new(config, Start { groups: here, ..Start::default() }, now));
        }
    }

    /// Power is lost. A batch under way is written whole or not at all.
    pub fn crash(&mut self, keep_writing: bool) {
        self.executors.clear();
        self.queues.clear();
        for (_, (_, updates)) in std::mem::take(&mut self.writing) {
            if keep_writing {
                self.disk.write(&updates);
            }
        }
    }

    pub fn step(&mut self, executor: u16, input: Input, now: Instant) -> Vec<Outside> {
        let state = &mut self.executors[usize::from(executor)];
        state.step(input, now);
        let mut effects = Vec::new();
        state.finish(now, &mut effects).expect("the simulated disk returns what was written");
        let visible = state.visible();
        self.shown = self.shown.max(visible);
        let mut outside = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist { batch, appends } => {
                    let before = self.writing.insert(executor, (batch, appends));
                    assert!(before.is_none(), "two batches under way");
                }
                Effect::Tell { to, message } => self.queues.entry((executor, to)).or_default().push_back(message),
                Effect::Send { to, message } => outside.push(Outside::Send { to, message }),
                Effect::Respond { ticket, result } => outside.push(Outside::Respond { ticket, result }),
                Effect::Relay { ticket, to } => outside.push(Outside::Relay { ticket, to }),
                Effect::WatchReady(_) => {}
                Effect::Report(event) => {
                    if std::env::var_os("CAMPANILE_TRACE").is_some() {
                        eprintln!("member {} executor {executor}: {event:?}", self.id);
                    }
                }
            }
        }
        outside
    }

    pub fn request(&mut self, executor: u16, ticket: Ticket, request: Request, relayed: bool, now: Instant) -> Vec<Outside> {
        self.step(executor, Input::Request { ticket, request, relayed }, now)
    }

    /// Delivers the oldest message of one queue.
    pub fn deliver(&mut self, from: u16, to: u16, now: Instant) -> Vec<Outside> {
        let queue = self.queues.get_mut(&(from, to)).expect("the queue was chosen among those there are");
        let message = queue.pop_front().expect("empty queues are removed");
        if queue.is_empty() {
            self.queues.remove(&(from, to));
        }
        self.step(to, Input::Message { from, message }, now)
    }

    /// One executor's write is durable.
    pub fn complete_write(&mut self, executor: u16, now: Instant) -> Vec<Outside> {
        let (batch, updates) = self.writing.remove(&executor).expect("chosen among those there are");
        self.disk.write(&updates);
        self.step(executor, Input::Persisted { batch }, now)
    }

    /// The executor that hosts a group here.
    pub fn host(&self, group: GroupId) -> u16 {
        let executors = u32::try_from(self.executors.len()).expect("few");
        group.shard().map_or(0, |shard| u16::try_from(shard.0 % executors).expect("few"))
    }
}
