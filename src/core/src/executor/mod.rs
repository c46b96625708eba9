//! One executor of a member: its shards, their groups, and on executor 0 the control group.
//!
//! `step(input)` takes what happened; `finish()` ends a poll: it proposes what was evaluated, takes what the groups hand
//! out, and leaves the effects. Between two calls of `finish` any number of inputs may be stepped; nothing that a step
//! decides is told to anybody before `finish` returns.
//!
//! | file | what |
//! | --- | --- |
//! | `effect`, `message` | what goes in and out; what executors of a member say to each other |
//! | `requests` | where a request goes: the owner of its key, the coordinator, the primary |
//! | `write` | evaluates a transaction on one shard, takes its revision, logs it |
//! | `writing` | an effect that is too large for one poll, a slice at a time |
//! | `replies` | answers wait here until their revision is visible |
//! | `read` | linearizable and serializable reads, of one shard or gathered from several |
//! | `transact` | this executor's part in a transaction over several shards |
//! | `groups` | drives the Raft groups: collects, applies, persists |
//! | `adopt` | control records take effect |
//! | `watching` | watch streams, and the watchers of shards |
//! | `checkpoint` | this executor's part in a checkpoint |
//! | `held_logs` | how much of the logs stays in memory, and who needs more |
//! | `halt` | the end of its life, before a checkpoint of another member is installed |
//! | `inspect` | status, members, hashes |
//! | `dispatch` | hands messages to these |
//! | `reigns` | wins, serves and gives up groups as the control executor says |

mod adopt;
pub mod checkpoint;
mod dispatch;
pub mod effect;
mod groups;
mod halt;
mod held_logs;
pub mod inspect;
pub mod message;
pub(crate) mod outbox;
mod read;
mod reigns;
pub(crate) mod replies;
mod requests;
pub(crate) mod transact;
pub mod watching;
pub(crate) mod write;
pub mod writing;

use crate::bounds::Bounds;
use crate::checkpoint::Meta;
use crate::clock::{Epoch, Opens, Reign};
use crate::codec::Malformed;
use crate::control::members::Announced;
use crate::control::{CheckpointPolicy, Control, ControlStart};
use crate::evaluate::Limits;
use crate::group::{Group, GroupConfig, GroupStart};
use crate::lease::LiveLeases;
use crate::response::Member;
use crate::shard::Shard;
use crate::time::Instant;
use campanile_storage::checkpoint::Header;
use campanile_storage::ids::{GroupId, Index, LeaseId, MemberId, Revision, ShardId};
use campanile_storage::log::Cut;
use campanile_storage::store::{Store, UNCOMPACTED};
use checkpoint::Checkpointing;
use effect::{CONTROL_EXECUTOR, Effect, ExecutorId, Input};
use groups::Batches;
use halt::Halt;
use held_logs::HeldLogs;
pub use held_logs::{CatchUpBounds, PART_BYTES};
use inspect::Hashes;
use message::Message;
use outbox::Outbox;
use read::Reads;
use reigns::Accession;
use replies::Replies;
use requests::Held;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use transact::Pause;
use watching::Watching;
use writing::Writing;

/// What an executor needs to know of its member and of the cluster.
#[derive(Clone)]
pub struct Config {
    pub executor: ExecutorId,
    pub executors: u16,
    pub member: MemberId,
    /// The cluster's voters, this member among them.
    pub voters: Vec<MemberId>,
    /// The members as clients are told of them.
    pub members: Vec<Member>,
    /// How many shards a new cluster gets; an existing one knows its own number.
    pub shards_for_new_cluster: u32,
    /// Ticks are heartbeat intervals.
    pub election_ticks: usize,
    /// Ticks after which a request that waits for a primary is refused.
    pub request_ticks_max: u32,
    /// The least time to live of a lease, in seconds.
    pub lease_ttl_min_seconds: i64,
    /// What a request may ask for at most.
    pub limits: Limits,
    /// How much may wait, and how much one poll does.
    pub bounds: Bounds,
    /// When a checkpoint is due.
    pub checkpoint: CheckpointPolicy,
    pub seed: u64,
    /// Makes the shared memory of a reign: its epoch, its base, and how many revisions may be taken and not yet visible.
    pub reign: fn(Epoch, Revision, u64) -> Arc<dyn Reign>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "executor {} of member {}", self.executor, self.member)
    }
}

impl Config {
    /// The executor that hosts a shard. With more shards than executors, executors share.
    #[must_use]
    pub fn host(&self, shard: ShardId) -> ExecutorId {
        u16::try_from(shard.0 % u32::from(self.executors)).expect("below the number of executors")
    }

    fn group(&self, group: GroupId) -> GroupConfig {
        GroupConfig {
            member: self.member,
            voters: self.voters.clone(),
            heartbeat_ticks: 1,
            election_ticks: self.election_ticks,
            seed: self.seed ^ u64::from(group.0) << 32 ^ self.member.0,
            bounds: self.bounds.group,
        }
    }
}

/// What an executor starts from: what recovery found, or nothing.
#[derive(Debug)]
pub struct Start {
    /// The revision of the checkpoint that the stores come from; 0 if there is none.
    pub visible: Revision,
    pub opens: Opens,
    /// The number of shards, if the checkpoint knows it.
    pub shards: Option<u32>,
    pub compacted: Revision,
    /// Compactions above that, in force once their revision is visible.
    pub compactions: Vec<Revision>,
    /// The cuts of the checkpoint, for every group of the member.
    pub cuts: BTreeMap<GroupId, Cut>,
    /// The groups hosted here for which anything was found.
    pub groups: HashMap<GroupId, GroupStart>,
    pub stores: HashMap<ShardId, Store>,
    /// Live leases: (id, time to live in seconds, index of the grant).
    pub leases: Vec<(LeaseId, i64, Index)>,
    /// What members had announced of themselves.
    pub announced: Announced,
}

impl Default for Start {
    /// Nothing was found.
    fn default() -> Start {
        Start {
            visible: Revision(0),
            opens: Opens::default(),
            shards: None,
            compacted: UNCOMPACTED,
            compactions: Vec::new(),
            cuts: BTreeMap::new(),
            groups: HashMap::new(),
            stores: HashMap::new(),
            leases: Vec::new(),
            announced: Announced::new(),
        }
    }
}

impl Start {
    /// From a checkpoint; the groups and stores that are hosted here come with it.
    #[must_use]
    pub fn from_checkpoint(header: &Header, meta: &Meta) -> Start {
        Start {
            visible: header.revision,
            opens: meta.opens.clone(),
            shards: Some(header.shards),
            compacted: meta.compacted,
            compactions: meta.compactions.clone(),
            cuts: meta.cuts(),
            leases: meta.leases.clone(),
            announced: meta.announced.clone(),
            ..Start::default()
        }
    }
}

#[derive(Debug)]
pub struct Executor {
    config: Config,
    shards: BTreeMap<ShardId, Shard>,
    /// The number of shards of the cluster, once known.
    shards_total: Option<u32>,
    control: Option<Control>,
    /// The reign that this executor serves.
    reign: Option<Arc<dyn Reign>>,
    /// The one that it is about to serve.
    accession: Option<Accession>,
    /// Who leads the control group, as far as this member knows.
    leader: Option<MemberId>,
    /// What this executor shows.
    visible: Revision,
    /// What the member may show, as far as this executor knows.
    may_show: Revision,
    /// What is shown next: the shards take what is in between into their index. It stays until they have, so that what
    /// comes meanwhile holds nothing up.
    showing: Revision,
    opens: Opens,
    /// The newest epoch this executor knows of.
    epoch: Epoch,
    leases: LiveLeases,
    compacted: Revision,
    /// Compactions whose revision is not visible here yet.
    compactions: VecDeque<Revision>,
    checkpointing: Checkpointing,
    held_logs: HeldLogs,
    halt: Halt,
    batches: Batches,
    replies: Replies,
    reads: Reads,
    pause: Pause,
    writing: Writing,
    held: Held,
    hashes: Hashes,
    watching: Watching,
    /// The visible revision at which the other executors were last told that it moved.
    woken_at: Revision,
    /// What other executors asked of shards here before this one knew that it hosts them: what they ask in the moment
    /// until it is told.
    early: Vec<(ExecutorId, Message)>,
    /// Groups found at the start whose number of shards is not known yet.
    unclaimed: (HashMap<GroupId, GroupStart>, HashMap<ShardId, Store>),
    out: Outbox,
}

impl Executor {
    #[must_use]
    pub fn new(config: Config, mut start: Start, now: Instant) -> Executor {
        let visible = start.visible.max(Revision::EMPTY);
        let mut checkpointing = Checkpointing::default();
        start.groups.values().for_each(|group| checkpointing.note_found(&group.entries));
        let mut leases = LiveLeases::default();
        start.leases.iter().for_each(|&(lease, _, index)| leases.insert(lease, index));
        let control = (config.executor == CONTROL_EXECUTOR).then(|| {
            let group_start = start.groups.remove(&GroupId::CONTROL).unwrap_or_default();
            let group = Group::new(GroupId::CONTROL, &config.group(GroupId::CONTROL), group_start);
            let control_start = ControlStart {
                visible,
                cuts: start.cuts,
                opens: start.opens.clone(),
                compacted: start.compacted,
                compactions: start.compactions.clone(),
                leases: start.leases,
                announced: start.announced,
            };
            Control::new(config.clone(), group, control_start, now)
        });
        let mut executor = Executor {
            shards: BTreeMap::new(),
            shards_total: None,
            control,
            reign: None,
            accession: None,
            leader: None,
            visible,
            may_show: visible,
            showing: visible,
            epoch: start.opens.newest_epoch(),
            opens: start.opens,
            leases,
            compacted: start.compacted,
            batches: Batches::default(),
            replies: Replies::default(),
            reads: Reads::default(),
            pause: Pause::default(),
            writing: Writing::default(),
            held: Held::default(),
            hashes: Hashes::default(),
            watching: Watching::Early(Vec::new()),
            woken_at: visible,
            compactions: start.compactions.into(),
            checkpointing,
            held_logs: HeldLogs::default(),
            halt: Halt::No,
            early: Vec::new(),
            unclaimed: (start.groups, start.stores),
            out: Outbox::new(config.executor, config.executors),
            config,
        };
        if let Some(control) = &mut executor.control {
            control.start(start.shards, &mut executor.out);
        }
        executor
    }

    /// Takes what happened. What follows from it is done by [`Executor::finish`], for all inputs of a poll at once.
    pub fn step(&mut self, input: Input, now: Instant) {
        if self.is_halting() {
            return self.step_halting(input);
        }
        self.refresh_visible();
        match input {
            Input::Request { ticket, request, relayed } => self.take_request(ticket, request, relayed),
            Input::Watch { stream, command } => self.watch(stream, command, now),
            Input::Message { from, message } => self.take_message(from, message, now),
            Input::Peer { from, message } => self.take_peer(from, message, now),
            Input::Persisted { batch } => self.persisted(batch),
            Input::CheckpointStep { done } => {
                let control = self.control.as_mut().expect("checkpoints are written by the control executor");
                control.file_step(done, &mut self.out);
            }
            Input::CheckpointReceived(received) => {
                let control = self.control.as_mut().expect("checkpoints are received by the control executor");
                control.checkpoint_received(received, &mut self.out);
            }
            Input::OfferRead { to, offer, offset, read } => {
                let control = self.control.as_mut().expect("checkpoints are offered by the control executor");
                control.offer_read(to, offer, offset, read, &mut self.out);
            }
            Input::LogCut(floors) => self.out.tell(CONTROL_EXECUTOR, Message::LogsCut(floors)),
            Input::Tick => self.tick(now),
        }
    }

    /// Ends a poll: proposes, collects, persists, answers. Leaves what is to be done, and says whether it wants to be
    /// called again soon although nothing happens: compactions and watches catch up in slices.
    ///
    /// # Errors
    /// If a log holds what its format does not: the member must stop.
    pub fn finish(&mut self, now: Instant, effects: &mut Vec<Effect>) -> Result<bool, Malformed> {
        if self.is_halting() {
            self.finish_halting(effects);
            return Ok(false);
        }
        self.take_postponed(now);
        self.take_slices();
        let mut more = false;
        for turn in 1.. {
            self.drive(now);
            self.flush();
            self.ask_for_confirmation();
            let progressed = self.collect(now)?;
            self.drive(now);
            self.watch_window();
            more |= self.hand_on_events();
            let is_settled = !self.has_unflushed() && !self.out.has_local() && self.reads.all_asked();
            if is_settled && (!progressed || turn >= self.config.bounds.turns_max) {
                more |= progressed;
                break;
            }
        }
        self.persist();
        self.out.drain(effects);
        self.carry_out_compactions();
        more |= self.compact_slice();
        if matches!(self.halt, Halt::Asked(_)) {
            self.finish_halting(effects);
            return Ok(false);
        }
        Ok(more || self.has_slices() || self.out.has_postponed())
    }

    /// A poll's share of what takes several.
    fn take_slices(&mut self) {
        self.write_slice();
        self.show_slice();
        self.accede();
        self.shed_slice();
        if let Some(control) = &mut self.control {
            control.work_slice(&mut self.out);
        }
    }

    fn has_slices(&self) -> bool {
        self.can_write_slice()
            || self.can_show_slice()
            || self.has_discarded()
            || self.control.as_ref().is_some_and(Control::has_slice)
    }

    /// Takes what this executor put off to the next poll.
    fn take_postponed(&mut self, now: Instant) {
        for message in self.out.take_postponed() {
            self.take_message(self.config.executor, message, now);
        }
    }

    /// Handles the messages that this executor sent itself, and what follows from them.
    fn drive(&mut self, now: Instant) {
        loop {
            self.pursue_groups();
            if let Some(control) = &mut self.control {
                control.pursue(now, &mut self.out);
            }
            let Some(message) = self.out.next_local() else { return };
            self.take_message(self.config.executor, message, now);
        }
    }

    fn tick(&mut self, now: Instant) {
        for shard in self.shards.values_mut() {
            shard.group.tick();
        }
        self.report_growth();
        self.notice_members_behind();
        if let Some(control) = &mut self.control {
            control.tick(now, &mut self.out);
        }
        self.expire_held();
        self.notify_streams(now);
        self.release_memory();
    }

    /// Whether this is the executor of the control group.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.control.is_some()
    }

    /// Whether this executor serves an open reign of its member.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.reign.is_some()
    }

    /// The members of the cluster, as far as this one knows; the control executor tells.
    #[must_use]
    pub fn members(&self) -> Option<Vec<Member>> {
        self.control.as_ref().map(Control::members)
    }

    /// What the member may show now.
    #[must_use]
    pub fn visible(&self) -> Revision {
        self.visible
    }

    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.values()
    }

    /// The groups hosted here, the control group too.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        let control = self.control.iter().map(|control| &control.group);
        self.shards.values().map(|shard| &shard.group).chain(control)
    }

    /// On the primary the window says what is visible; shards drop what they staged up to there.
    fn refresh_visible(&mut self) {
        if let Some(reign) = &self.reign {
            self.show(reign.visible());
        }
    }

    /// The member may show everything up to `visible`. What is shown here follows, at once unless it takes more than a
    /// slice.
    fn show(&mut self, visible: Revision) {
        if visible <= self.may_show {
            return;
        }
        self.may_show = visible;
        if !self.can_show_slice() {
            self.showing = visible;
            self.show_slice();
        }
    }

    fn can_show_slice(&self) -> bool {
        self.visible < self.showing || self.shards.values().any(Shard::is_withdrawing)
    }

    /// Takes the next slice of what the member may show into the index, once what a dead reign wrote has left it.
    fn show_slice(&mut self) {
        if !self.can_show_slice() {
            return;
        }
        let mut left = self.config.bounds.slice_changes_max;
        let (showing, opens) = (self.showing, &self.opens);
        if self.shards.values_mut().all(|shard| shard.show(showing, opens, &mut left)) {
            self.visible = showing;
            self.showing = self.may_show;
            self.answer_reads();
        }
    }
}
