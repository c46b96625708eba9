//! The control executor's part of a member: the control group, and what is decided once for all shards.
//!
//! | file | what |
//! | --- | --- |
//! | `succession` | the steps from winning the control group to an open reign |
//! | `reigns` | carries those steps out; opens and ends reigns |
//! | `entries` | applies the control group's log, in order, behind what is not visible yet |
//! | `confirm`, `reads` | which revision a linearizable read may see |
//! | `coordinator`, `transactions` | transactions over several shards, one pause at a time |
//! | `requests`, `records` | grants, revokes, compactions: records that take effect on every executor |
//! | `compactions` | those that are in force, and those whose revision is not visible yet |
//! | `checkpoint` | when one is due, and its steps |
//! | `behind` | members that fell behind, and the checkpoint that is offered to them |
//! | `install` | this member fell behind: receives a checkpoint and makes it live |
//! | `members` | what members announce of themselves |
//! | `expiry` | leases run out on the open primary |

mod behind;
mod checkpoint;
mod compactions;
mod confirm;
mod coordinator;
mod entries;
mod expiry;
mod install;
pub mod members;
mod reads;
pub mod record;
mod records;
mod reigns;
mod requests;
pub mod succession;
mod transactions;

use crate::clock::{Counter, Opens, Reign};
use crate::executor::Config;
use crate::executor::effect::ExecutorId;
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::group::{Collected, Group};
use crate::lease::LeaseTable;
use crate::peer::{CatchUp, PeerMessage};
use crate::random::Random;
use crate::time::Instant;
use behind::Behind;
use campanile_storage::ids::{GroupId, Index, LeaseId, MemberId, Revision, Term};
use campanile_storage::log::Cut;
pub use checkpoint::CheckpointPolicy;
use checkpoint::Checkpoints;
use compactions::Compactions;
use confirm::Confirmations;
use coordinator::Coordinator;
use entries::Applying;
use install::Install;
use members::{Announced, Members};
use records::Adoptions;
use requests::Requests;
use std::collections::BTreeMap;
use std::sync::Arc;
use succession::{Ends, Succession};

/// What the control executor starts from: the control state of a checkpoint, or nothing.
#[derive(Debug)]
pub struct ControlStart {
    pub visible: Revision,
    /// The cuts of the checkpoint, for every group.
    pub cuts: BTreeMap<GroupId, Cut>,
    pub opens: Opens,
    pub compacted: Revision,
    /// Compactions above `visible`.
    pub compactions: Vec<Revision>,
    /// Live leases: (id, time to live in seconds, index of the grant).
    pub leases: Vec<(LeaseId, i64, Index)>,
    pub announced: Announced,
}

#[derive(Debug)]
pub struct Control {
    config: Config,
    pub group: Group,
    counter: Counter,
    succession: Succession,
    /// The open reign of this member.
    reign: Option<Arc<dyn Reign>>,
    shards: Option<u32>,
    leader: Option<MemberId>,
    told_term: Term,
    /// Ends that this member's executors report, for each member that asked.
    ends: BTreeMap<MemberId, (crate::clock::Epoch, Ends)>,
    applying: Applying,
    confirmations: Confirmations,
    coordinator: Coordinator,
    adoptions: Adoptions,
    requests: Requests,
    random: Random,
    leases: LeaseTable,
    compactions: Compactions,
    checkpoints: Checkpoints,
    behind: Behind,
    install: Install,
    members: Members,
    /// What was broadcast last.
    shown: Revision,
}

impl Control {
    #[must_use]
    pub fn new(config: Config, group: Group, start: ControlStart, now: Instant) -> Control {
        let visible = start.visible.max(Revision::EMPTY);
        let patience_ticks = u32::try_from(config.election_ticks).expect("election ticks are few");
        let (bounds, random) = (config.bounds, Random::new(config.seed));
        let checkpoints = Checkpoints::new(config.checkpoint, visible, start.cuts);
        let behind = Behind::new(config.seed);
        let mut leases = LeaseTable::new(config.lease_ttl_min_seconds);
        for (lease, ttl_seconds, index) in start.leases {
            leases.restore(lease, ttl_seconds, index, now);
        }
        Control {
            succession: Succession::new(config.member, config.voters.len(), patience_ticks),
            confirmations: Confirmations::new(config.seed, bounds.questions_max),
            applying: Applying::default(),
            members: Members::new(config.member, &config.members, start.announced),
            config,
            group,
            counter: Counter::new(visible, start.opens),
            reign: None,
            shards: None,
            leader: None,
            told_term: Term(0),
            ends: BTreeMap::new(),
            coordinator: Coordinator::new(bounds.transactions_max, bounds.shared_pause_max),
            adoptions: Adoptions::default(),
            requests: Requests::default(),
            random,
            leases,
            compactions: Compactions::new(start.compacted, start.compactions),
            checkpoints,
            behind,
            install: Install::default(),
            shown: visible,
        }
    }

    /// The member starts. A single voter need not wait for an election timeout.
    pub fn start(&mut self, shards: Option<u32>, out: &mut Outbox) {
        if let Some(shards) = shards {
            self.learn_shards(shards, out);
        }
        if self.config.voters == [self.config.member] {
            self.group.campaign();
        }
    }

    /// The newest revision that this member may show.
    #[must_use]
    pub fn visible(&self) -> Revision {
        self.reign.as_ref().map_or(self.counter.visible(), |reign| reign.visible())
    }

    /// The control group's commit and applied index.
    #[must_use]
    pub fn indices(&self) -> (u64, u64) {
        (self.group.commit().0, self.applied().0)
    }

    /// Whether something here waits for the visible revision to move.
    #[must_use]
    pub fn waits_for_window(&self) -> bool {
        self.coordinator.waits_for_visible() || self.requests.waits_for_visible() || self.applying.waits()
    }

    fn is_alone(&self) -> bool {
        self.config.voters.len() == 1
    }

    /// The executor that hosts a group.
    fn host(&self, group: GroupId) -> ExecutorId {
        group.shard().map_or(0, |shard| self.config.host(shard))
    }

    pub fn tick(&mut self, now: Instant, out: &mut Outbox) {
        self.group.tick();
        let actions = self.succession.tick();
        self.perform(actions, now, out);
        self.expire_questions(now, out);
        self.expire_leases(now, out);
        self.tick_members(out);
        self.tick_behind(out);
        self.tick_install(out);
        self.tick_checkpoints(out);
    }

    /// Looks for what changed since the last look: the role, the window, what waits for either.
    pub fn pursue(&mut self, now: Instant, out: &mut Outbox) {
        self.follow_role(now, out);
        self.fill_window();
        self.advance(now, out);
        self.drive_questions(now, out);
        self.propose_compactions(out);
        self.coordinate(out);
    }

    /// Takes what the control group hands out.
    ///
    /// # Errors
    /// If the log holds what its format does not; the member must stop.
    pub fn collected(
        &mut self,
        collected: &mut Collected,
        now: Instant,
        out: &mut Outbox,
    ) -> Result<(), crate::codec::Malformed> {
        for context in collected.confirmed.drain(..) {
            self.leadership_confirmed(&context, now, out);
        }
        let committed = std::mem::take(&mut collected.committed);
        self.apply(committed, now, out)
    }

    pub fn peer(&mut self, from: MemberId, message: PeerMessage, now: Instant, out: &mut Outbox) {
        match message {
            PeerMessage::Raft { message, .. } if message.from != from.0 => {}
            PeerMessage::Raft { message, .. } => self.group.step(*message),
            PeerMessage::AskEnds { epoch } => out.broadcast(&Message::AskEnds { asker: from, epoch }),
            PeerMessage::Ends { epoch, ends } => {
                let actions = self.succession.ends(from, epoch, ends);
                self.perform(actions, now, out);
            }
            PeerMessage::AskVisible { question } => self.asked_by_member(from, question, now, out),
            PeerMessage::Visible { question, seen } => self.primary_answered(question, seen),
            PeerMessage::CatchUp(message) => self.catch_up(from, message, out),
            PeerMessage::Announce(attributes) => self.take_announcement(from, attributes, out),
            PeerMessage::WinFor { .. } => {}
        }
    }

    pub fn message(&mut self, from: ExecutorId, message: Message, now: Instant, out: &mut Outbox) {
        match message {
            Message::Ends { asker, epoch, ends } => self.gather_ends(asker, epoch, ends, now, out),
            Message::Fenced { group, epoch } => {
                let actions = self.succession.fenced(group, epoch);
                self.perform(actions, now, out);
            }
            Message::Lost { epoch } => {
                let actions = self.succession.lost(epoch);
                self.perform(actions, now, out);
            }
            Message::Committed { committed, .. } => {
                committed.into_iter().for_each(|committed| self.counter.report(committed));
            }
            Message::Confirm { executor, round } => self.asked_by_executor(executor, round, now, out),
            Message::Control { origin, request } => self.take_request(origin, request, now, out),
            Message::Gathered { round, part } => self.gathered(from, round, part, out),
            Message::Keys { request, keys } => self.take_keys(request, keys, now, out),
            Message::Adopted { index } => self.adopted(index, out),
            Message::LogGrown { bytes } => self.note_log_growth(bytes),
            Message::CheckpointPrepared { cuts } => self.checkpoint_prepared(cuts, out),
            Message::SliceTaken(slice) => self.slice_taken(slice, out),
            Message::LogsCut(floors) => self.logs_cut_behind(floors, out),
            Message::LogsReplaced { floors, own } => self.log_replaced(floors, own, out),
            Message::Behind { members } => self.members_behind(members, out),
            Message::HoldExceeded => self.hold_exceeded(out),
            _ => unreachable!("executor {from} sends the control executor what it never sends: {message:?}"),
        }
    }

    /// What members say when one of them has fallen behind, each half to its part.
    fn catch_up(&mut self, from: MemberId, message: CatchUp, out: &mut Outbox) {
        match message {
            CatchUp::Behind => self.told_behind(from, out),
            CatchUp::Ask { revision, opened, refused } => {
                self.counter.shown_elsewhere(revision, opened);
                self.asked_for_checkpoint(from, revision, refused, out);
            }
            CatchUp::AskPart { offer, offset } => self.asked_for_part(from, offer, offset, out),
            CatchUp::Part { offer, file_bytes, offset, bytes } => {
                self.part_arrived(from, install::Part { offer, file_bytes, offset, bytes }, out);
            }
            CatchUp::Withdrawn { offer } => self.offer_withdrawn(from, offer, out),
        }
    }

    /// The runtime has done the last step of work on a checkpoint's file, or has failed to: on one that is received, or
    /// on one of this member's own.
    pub fn file_step(&mut self, done: bool, out: &mut Outbox) {
        if self.install.needs_files() { self.install_step(done, out) } else { self.checkpoint_step(done, out) }
    }

    fn follow_role(&mut self, now: Instant, out: &mut Outbox) {
        // An epoch has the term in its name, and other executors write it down: it must not come twice.
        let leads = self.group.leads_for_good();
        let actions = match (leads, self.succession.is_trying()) {
            (true, false) => self.succession.elected(self.group.term()),
            (false, true) => self.succession.deposed(),
            (true, true) if self.succession.epoch().term != self.group.term() => {
                let mut actions = self.succession.deposed();
                actions.extend(self.succession.elected(self.group.term()));
                actions
            }
            _ => Vec::new(),
        };
        self.perform(actions, now, out);
        let (leader, term) = (self.group.leader(), self.group.term());
        if (leader, term) != (self.leader, self.told_term) {
            (self.leader, self.told_term) = (leader, term);
            out.broadcast(&Message::Leader { leader, term });
        }
        if leads && self.shards.is_none() {
            self.propose_shards();
        }
    }
}
