//! One simulated member: its executors, the messages between them, and its disk.

use super::disk::Disk;
use campanile_core::clock::AtomicReign;
use campanile_core::control::CheckpointPolicy;
use campanile_core::evaluate::Limits;
use campanile_core::executor::effect::{Effect, FileWork, Input, Ticket};
use campanile_core::executor::message::Message;
use campanile_core::executor::{Config, Executor, Start};
use campanile_core::peer::PeerMessage;
use campanile_core::request::Request;
use campanile_core::time::Instant;
use campanile_core::watch::StreamLimits;
use campanile_storage::ids::{GroupId, MemberId, Revision, ShardId};
use campanile_storage::log::{Cut, Floors, Update};
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
    /// Work on a checkpoint that is under way, and the log cuts that executors wait for.
    pub work: Option<FileWork>,
    pub cutting: BTreeMap<u16, Vec<(GroupId, Cut)>>,
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
            work: None,
            cutting: BTreeMap::new(),
            disk: Disk::new(id.0),
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
        let (start, mut groups, mut stores) = self.disk.recover();
        self.shown = Revision::EMPTY.max(start.visible);
        // Frequent checkpoints in some lives, rare ones or none in others. Several members need more than that: one that
        // lags may miss what the others have cut.
        let transactions = if voters.len() == 1 { 1 << (seed % 9) } else { u64::MAX };
        let policy = CheckpointPolicy { transactions, log_bytes: 1 };
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
                checkpoint: policy,
                seed: seed ^ self.incarnation << 8 ^ self.id.0 << 40,
                reign: |epoch, base| Arc::new(AtomicReign::new(epoch, base)),
            };
            let hosted = |group: &GroupId| group.shard().map_or(0, |shard| config.host(shard)) == executor;
            let (here, elsewhere) = groups.into_iter().partition(|(group, _)| hosted(group));
            groups = elsewhere;
            let placed = |shard: &ShardId| config.host(*shard) == executor;
            let (stores_here, stores_elsewhere) = stores.into_iter().partition(|(shard, _)| placed(shard));
            stores = stores_elsewhere;
            let start = Start {
                opens: start.opens.clone(),
                compactions: start.compactions.clone(),
                leases: start.leases.clone(),
                groups: here,
                stores: stores_here,
                ..start
            };
            self.executors.push(Executor::new(config, start, now));
        }
    }

    /// Power is lost. A batch under way is written whole or not at all.
    pub fn crash(&mut self, keep_writing: bool) {
        self.executors.clear();
        self.queues.clear();
        self.cutting.clear();
        if let Some(work) = self.work.take().filter(|_| keep_writing) {
            self.disk.work(work, false);
        }
        self.disk.crash();
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
                Effect::Checkpoint(work) => {
                    assert!(self.work.is_none(), "one step of work is under way at a time");
                    self.work = Some(work);
                }
                Effect::CutLog(cuts) => {
                    self.cutting.insert(executor, cuts);
                }
                Effect::ReleaseLog(floors) => self.disk.release(&hosted(&floors, executor, self.executors.len())),
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

    pub fn request(
        &mut self,
        executor: u16,
        ticket: Ticket,
        request: Request,
        relayed: bool,
        now: Instant,
    ) -> Vec<Outside> {
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

    /// Does the step of work on a checkpoint that is under way.
    pub fn complete_work(&mut self, fails: bool, now: Instant) -> Vec<Outside> {
        let work = self.work.take().expect("chosen because there is some");
        let done = self.disk.work(work, fails);
        self.step(0, Input::CheckpointStep { done }, now)
    }

    /// One executor's log says where its groups begin.
    pub fn complete_cut(&mut self, executor: u16, now: Instant) -> Vec<Outside> {
        let cuts = self.cutting.remove(&executor).expect("chosen among those there are");
        let floors = self.disk.cut(&cuts);
        self.step(executor, Input::LogCut(floors), now)
    }

    /// The executor that hosts a group here.
    pub fn host(&self, group: GroupId) -> u16 {
        host(group, self.executors.len())
    }
}

fn host(group: GroupId, executors: usize) -> u16 {
    let executors = u32::try_from(executors).expect("few");
    group.shard().map_or(0, |shard| u16::try_from(shard.0 % executors).expect("few"))
}

fn hosted(floors: &Floors, executor: u16, executors: usize) -> Floors {
    floors
        .iter()
        .filter(|&(&group, _)| host(group, executors) == executor)
        .map(|(&group, &state)| (group, state))
        .collect()
}
