//! How much of the groups' logs stays in memory, and who needs more than that.
//!
//! A follower that lags a little is sent entries from memory; one that needs older ones is sent a checkpoint. From the
//! moment in which a checkpoint is begun for it the entries behind its cuts stay, so that the member finds them when the
//! checkpoint is installed. They are given up all the same when they become too many: the member needs a newer one then.

use super::Executor;
use super::effect::CONTROL_EXECUTOR;
use super::message::Message;
use crate::group::Group;
use crate::planted::planted;
use campanile_storage::ids::{GroupId, Index, MemberId};
use std::collections::{BTreeMap, BTreeSet};

/// Bounds on what is kept and sent for members that fell behind, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchUpBounds {
    /// Entries of one group that stay in memory for followers that lag.
    pub group_log_bytes: usize,
    /// Entries of all groups that stay beyond that, behind a checkpoint that is offered.
    pub held_log_bytes: usize,
    /// One part of a checkpoint's file.
    pub part_bytes: usize,
}

/// One part of a checkpoint's file on its way to another member.
pub const PART_BYTES: usize = 1 << 20;

impl Default for CatchUpBounds {
    fn default() -> CatchUpBounds {
        CatchUpBounds { group_log_bytes: 32 << 20, held_log_bytes: 256 << 20, part_bytes: PART_BYTES }
    }
}

/// The entry before the first one that stays, for each group hosted here.
type HeldFrom = BTreeMap<GroupId, Index>;

#[derive(Debug, Default)]
pub struct HeldLogs {
    /// Behind the checkpoint that is offered.
    offered: HeldFrom,
    /// Behind the one that is being taken.
    taken: HeldFrom,
}

impl HeldLogs {
    /// The checkpoint that was begun is live; one that was begun for a member is offered from now on.
    pub fn checkpoint_is_live(&mut self) {
        if !self.taken.is_empty() {
            self.offered = std::mem::take(&mut self.taken);
        }
    }

    pub fn checkpoint_is_given_up(&mut self) {
        self.taken.clear();
    }

    /// The offer has ended. `taken`: and the checkpoint that is being taken will not be offered.
    pub fn offer_ended(&mut self, taken: bool) {
        self.offered.clear();
        if taken {
            self.taken.clear();
        }
    }

    /// Entries up to here are not needed for an offer.
    fn superfluous_up_to(&self, group: GroupId) -> Index {
        let held = [self.offered.get(&group), self.taken.get(&group)];
        held.into_iter().flatten().min().copied().unwrap_or(Index(u64::MAX))
    }
}

impl Executor {
    /// A checkpoint is begun for a member that fell behind: what comes behind its cuts stays.
    pub(super) fn hold_logs(&mut self) {
        self.held_logs.taken = self.shards.values().map(|shard| (shard.group.id(), shard.cut().cut.index)).collect();
        if let Some(control) = &self.control {
            self.held_logs.taken.insert(GroupId::CONTROL, control.applied());
        }
    }

    /// Drops log entries from memory that nobody will ask for, and never those of which a checkpoint has not all: with
    /// every batch, so that the allocator gives the same few megabytes out again and again.
    pub(super) fn release_memory(&mut self) {
        if planted!(LogStaysInMemory) {
            return;
        }
        self.give_up_hold_if_too_large();
        let (held, keep_bytes) = (&self.held_logs, self.config.bounds.catch_up.group_log_bytes);
        for shard in self.shards.values_mut() {
            if shard.group.is_trimmable(keep_bytes) {
                let checkpointable = shard.cut().cut.index;
                let up_to = checkpointable.min(held.superfluous_up_to(shard.group.id()));
                shard.group.trim(up_to, keep_bytes);
            }
        }
        if let Some(control) = &mut self.control {
            let up_to = control.applied().min(held.superfluous_up_to(GroupId::CONTROL));
            control.group.trim(up_to, keep_bytes);
        }
    }

    fn give_up_hold_if_too_large(&mut self) {
        let is_holding = !self.held_logs.offered.is_empty() || !self.held_logs.taken.is_empty();
        let bounds = self.config.bounds.catch_up;
        let held_bytes_max = bounds.held_log_bytes / usize::from(self.config.executors);
        let beyond = |group: &Group| group.payload_bytes().saturating_sub(bounds.group_log_bytes);
        if is_holding
            && self.groups().map(beyond).sum::<usize>() > held_bytes_max
            && self.held_bytes(beyond) > held_bytes_max
        {
            self.held_logs = HeldLogs::default();
            self.out.tell(CONTROL_EXECUTOR, Message::HoldExceeded);
        }
    }

    /// What would be dropped if nothing were held. Entries that no checkpoint stands for stay in any case: to give up the
    /// hold for their sake would free nothing, again and again.
    fn held_bytes(&self, beyond: impl Fn(&Group) -> usize) -> usize {
        let of = |group: &Group, up_to: Index| beyond(group).min(group.payload_bytes_up_to(up_to));
        let data = self.shards.values().map(|shard| of(&shard.group, shard.cut().cut.index)).sum::<usize>();
        data + self.control.as_ref().map_or(0, |control| of(&control.group, control.applied()))
    }

    /// Tells the control executor of members that lack entries which are in memory no more.
    pub(super) fn notice_members_behind(&mut self) {
        let groups = self.shards.values_mut().map(|shard| &mut shard.group);
        let groups = groups.chain(self.control.iter_mut().map(|control| &mut control.group));
        let behind: BTreeSet<MemberId> = groups.flat_map(Group::take_behind).collect();
        if !behind.is_empty() {
            self.out.tell(CONTROL_EXECUTOR, Message::Behind { members: behind.into_iter().collect() });
        }
    }
}
