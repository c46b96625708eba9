//! Decides when a checkpoint is due, and leads it through its steps, on any member.
//!
//! ```text
//! Idle -> Preparing (every executor says where its groups may be cut)
//!      -> Writing   (all shards at one revision, one slice after the other, beside the traffic)
//!      -> Finishing (the file is made durable) -> Cutting (every log says where it begins from now on)
//!      -> Publishing (the manifest names it: the one step that makes it live) -> Idle
//! ```
//!
//! The revision is taken after every executor has answered: so it is not below anything that stands before a cut. One
//! step is under way at a time. A step that fails gives the checkpoint up and harms nothing; it is tried again later.

use super::Control;
use super::members::Announced;
use crate::checkpoint::{GroupCut, Meta};
use crate::executor::checkpoint::{SliceTaken, SliceWanted};
use crate::executor::effect::{Effect, Event, FileWork};
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::planted::planted;
use campanile_storage::ids::{GroupId, Index, Revision, ShardId};
use campanile_storage::log::{Cut, Floors};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Ticks before a checkpoint that failed is tried again.
const RETRY_TICKS: u32 = 100;

/// When a checkpoint is due: when both have been reached since the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointPolicy {
    /// Revisions, and entries of the control group's log.
    pub transactions: u64,
    /// Growth of the logs of all executors.
    pub log_bytes: u64,
}

/// Where a checkpoint stands.
#[derive(Debug)]
struct Taken {
    revision: Revision,
    cuts: Arc<BTreeMap<GroupId, Cut>>,
    /// The logs' growth that it makes superfluous.
    log_bytes: u64,
}

#[derive(Debug)]
enum Stage {
    Idle,
    Preparing { missing: u16, groups: BTreeMap<GroupId, GroupCut> },
    Writing { taken: Taken, next: SliceWanted },
    Finishing(Taken),
    Cutting { taken: Taken, missing: u16, groups: Floors },
    Publishing { taken: Taken, groups: Arc<Floors> },
}

#[derive(Debug)]
pub struct Checkpoints {
    policy: CheckpointPolicy,
    stage: Stage,
    /// Where the newest one stands: its revision, and its cuts of the groups' logs.
    newest: Revision,
    cuts: Arc<BTreeMap<GroupId, Cut>>,
    /// Growth of the logs since then.
    log_bytes: u64,
    retry_in_ticks: u32,
}

impl Checkpoints {
    #[must_use]
    pub fn new(policy: CheckpointPolicy, newest: Revision, cuts: BTreeMap<GroupId, Cut>) -> Checkpoints {
        Checkpoints { policy, stage: Stage::Idle, newest, cuts: Arc::new(cuts), log_bytes: 0, retry_in_ticks: 0 }
    }

    /// Whether none is being taken.
    #[must_use]
    pub fn are_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    /// How the newest checkpoint's cut of this group's log compares with this one.
    #[must_use]
    pub fn compare_with(&self, group: GroupId, cut: Cut) -> Ordering {
        self.cuts.get(&group).map_or(Index(0), |own| own.index).cmp(&cut.index)
    }

    fn is_due(&self, visible: Revision, applied: Index) -> bool {
        let control_cut = self.cuts.get(&GroupId::CONTROL).map_or(Index(0), |cut| cut.index);
        let transactions = visible.0.abs_diff(self.newest.0) + applied.0.abs_diff(control_cut.0);
        transactions >= self.policy.transactions && self.log_bytes >= self.policy.log_bytes
    }
}

impl Control {
    pub(super) fn note_log_growth(&mut self, bytes: u64) {
        self.checkpoints.log_bytes += bytes;
    }

    /// Time goes on: begins a checkpoint if one is due, or if a member that fell behind wants one.
    pub(super) fn tick_checkpoints(&mut self, out: &mut Outbox) {
        self.checkpoints.retry_in_ticks = self.checkpoints.retry_in_ticks.saturating_sub(1);
        let can_begin = self.checkpoints.are_idle() && self.checkpoints.retry_in_ticks == 0 && self.shards.is_some();
        if !can_begin || self.install.needs_files() {
            return;
        }
        let offered = self.behind.is_checkpoint_wanted();
        let is_due = !self.install.is_asking() && self.checkpoints.is_due(self.visible(), self.applied());
        if offered || is_due {
            self.behind.checkpoint_begins(offered);
            self.checkpoints.stage = Stage::Preparing { missing: out.executors(), groups: BTreeMap::new() };
            out.broadcast(&Message::PrepareCheckpoint { offered });
        }
    }

    /// An executor says where its groups may be cut. When all have, the checkpoint's revision is taken.
    pub(super) fn checkpoint_prepared(&mut self, cuts: Vec<(GroupId, GroupCut)>, out: &mut Outbox) {
        let Stage::Preparing { missing, groups } = &mut self.checkpoints.stage else {
            unreachable!("executors answer while a checkpoint is prepared")
        };
        groups.extend(cuts);
        *missing -= 1;
        if *missing > 0 {
            return;
        }
        let groups = std::mem::take(groups);
        self.take_checkpoint(groups, out);
    }

    /// How a member goes on from what is visible, with these groups cut here, and the control state as it is.
    pub(super) fn meta(&mut self, groups: BTreeMap<GroupId, GroupCut>) -> Meta {
        let visible = self.visible();
        self.compactions.settle(visible);
        let mut opens = self.counter.opens().clone();
        opens.forget_below(if planted!(NewestOpenAlone) { Revision::NEWEST } else { visible });
        Meta {
            compacted: self.compactions.settled(),
            compactions: self.compactions.ahead(),
            opens,
            leases: self.leases.snapshot(),
            announced: if planted!(AnnouncementsForgotten) { Announced::new() } else { self.announced().clone() },
            groups,
        }
    }

    fn take_checkpoint(&mut self, mut groups: BTreeMap<GroupId, GroupCut>, out: &mut Outbox) {
        let revision = self.visible();
        let shards = self.shards.expect("checkpoints are taken once the number of shards is known");
        assert_eq!(groups.len(), shards as usize, "every data group has a cut");
        groups.insert(GroupId::CONTROL, self.group_cut());
        if planted!(CutWithoutFence) {
            groups.values_mut().for_each(|cut| cut.place.fence = crate::clock::Fence::default());
        }
        let meta = self.meta(groups);
        let cuts = meta.cuts();
        out.push(Effect::Checkpoint(FileWork::Begin { revision, shards, meta: meta.encode() }));
        self.checkpoints.stage = Stage::Writing {
            taken: Taken { revision, cuts: Arc::new(cuts), log_bytes: self.checkpoints.log_bytes },
            next: SliceWanted { shard: ShardId(0), at: revision, compacted: meta.compacted, after: None },
        };
    }

    /// The runtime has done the last step of work on the file, or has failed to.
    pub(super) fn checkpoint_step(&mut self, done: bool, out: &mut Outbox) {
        if !done {
            return self.give_checkpoint_up(out);
        }
        match std::mem::replace(&mut self.checkpoints.stage, Stage::Idle) {
            Stage::Writing { taken, next } => self.write_next(taken, next, out),
            Stage::Finishing(taken) => {
                out.broadcast(&Message::CutLogs { cuts: Arc::clone(&taken.cuts) });
                let (missing, groups) = (out.executors(), Floors::new());
                self.checkpoints.stage = Stage::Cutting { taken, missing, groups };
            }
            Stage::Publishing { taken, groups } => self.checkpoint_is_live(&taken, groups, out),
            stage => unreachable!("no work on a file is under way in {stage:?}"),
        }
    }

    /// Asks for the next slice, or has the file finished.
    fn write_next(&mut self, taken: Taken, next: SliceWanted, out: &mut Outbox) {
        if self.shards.is_some_and(|shards| next.shard.0 < shards) {
            out.tell(self.config.host(next.shard), Message::TakeSlice(next.clone()));
            self.checkpoints.stage = Stage::Writing { taken, next };
        } else {
            out.push(Effect::Checkpoint(FileWork::Finish));
            self.checkpoints.stage = Stage::Finishing(taken);
        }
    }

    /// An executor hands over a slice.
    pub(super) fn slice_taken(&mut self, slice: SliceTaken, out: &mut Outbox) {
        let Stage::Writing { taken, mut next } = std::mem::replace(&mut self.checkpoints.stage, Stage::Idle) else {
            unreachable!("slices come while a checkpoint is written")
        };
        if slice.after.is_none() {
            next.shard = ShardId(next.shard.0 + 1);
        }
        next.after = slice.after;
        match slice.chunk {
            Some(chunk) => {
                out.push(Effect::Checkpoint(FileWork::Write(chunk)));
                self.checkpoints.stage = Stage::Writing { taken, next };
            }
            None => self.write_next(taken, next, out),
        }
    }

    /// An executor's log says where its groups begin from now on.
    pub(super) fn logs_cut_behind(&mut self, floors: Floors, out: &mut Outbox) {
        let Stage::Cutting { taken, mut missing, mut groups } =
            std::mem::replace(&mut self.checkpoints.stage, Stage::Idle)
        else {
            unreachable!("logs are cut when a checkpoint's file is durable")
        };
        groups.extend(floors);
        missing -= 1;
        if missing > 0 {
            self.checkpoints.stage = Stage::Cutting { taken, missing, groups };
            return;
        }
        assert_eq!(groups.len(), taken.cuts.len(), "every group's log says where it begins");
        if planted!(ReleaseBeforeManifest) {
            let (revision, groups) = (taken.revision, Arc::new(groups.clone()));
            out.broadcast(&Message::CheckpointLive { revision, groups });
        }
        out.push(Effect::Checkpoint(FileWork::MakeLive { revision: taken.revision, groups: groups.clone() }));
        self.checkpoints.stage = Stage::Publishing { taken, groups: Arc::new(groups) };
    }

    fn checkpoint_is_live(&mut self, taken: &Taken, groups: Arc<Floors>, out: &mut Outbox) {
        let revision = taken.revision;
        self.checkpoints.newest = revision;
        self.checkpoints.cuts = Arc::clone(&taken.cuts);
        self.checkpoints.log_bytes -= taken.log_bytes;
        self.counter.forget_opens_below(revision);
        out.broadcast(&Message::CheckpointLive { revision, groups });
        out.report(Event::Checkpoint { revision });
        self.begin_offer(revision, out);
    }

    fn give_checkpoint_up(&mut self, out: &mut Outbox) {
        self.checkpoints.stage = Stage::Idle;
        self.checkpoints.retry_in_ticks = RETRY_TICKS;
        self.behind.checkpoint_is_given_up();
        out.broadcast(&Message::CheckpointGivenUp);
        out.report(Event::CheckpointFailed);
    }
}
