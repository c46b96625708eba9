//! This executor's part in the beginning and the end of a reign, as the control executor says.

use super::Executor;
use super::effect::CONTROL_EXECUTOR;
use super::message::Message;
use crate::clock::opens::Open;
use crate::clock::{Epoch, Reign};
use crate::control::succession::Ends;
use crate::group::{Group, Role};
use crate::planted::planted;
use crate::shard::Shard;
use crate::time::Instant;
use campanile_storage::ids::{GroupId, MemberId, Revision, ShardId};
use std::sync::Arc;

/// A reign that is open, and is served here once everything up to its base is in the index.
#[derive(Debug)]
pub struct Accession {
    reign: Arc<dyn Reign>,
    base: Revision,
    awaiting: Vec<Message>,
}

impl Accession {
    /// The message is taken again when the reign is served.
    pub fn await_end(&mut self, message: Message) {
        self.awaiting.push(message);
    }
}

impl Executor {
    /// The number of shards is known: hosts those that are placed here.
    pub(super) fn host_shards(&mut self, total: u32, now: Instant) {
        if self.shards_total.is_some() {
            return;
        }
        self.shards_total = Some(total);
        for id in (0..total).map(ShardId) {
            if self.config.host(id) != self.config.executor {
                continue;
            }
            let start = self.unclaimed.0.remove(&id.group()).unwrap_or_default();
            let store = self.unclaimed.1.remove(&id).unwrap_or_default();
            let group = Group::new(id.group(), &self.config.group(id.group()), start);
            self.shards.insert(id, Shard::new(id, group, store, self.visible, &self.config.bounds));
        }
        self.open_streams(total, now);
        for (from, message) in std::mem::take(&mut self.early) {
            self.take_message(from, message, now);
        }
        self.retry_held();
    }

    pub(super) fn report_ends(&mut self, asker: MemberId, epoch: Epoch) {
        if self.shards_total.is_none() || epoch < self.epoch {
            return;
        }
        self.epoch = epoch;
        let ends: Ends = self.shards.values().map(|shard| (shard.group.id(), shard.group.end())).collect();
        self.out.tell(CONTROL_EXECUTOR, Message::Ends { asker, epoch, ends });
    }

    pub(super) fn win(&mut self, group: GroupId, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
        self.shard_to_win(group).win(epoch);
    }

    /// Another member was asked to win the group for this one.
    pub(super) fn await_win(&mut self, group: GroupId, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
        self.shard_to_win(group).await_win(epoch);
    }

    fn shard_to_win(&mut self, group: GroupId) -> &mut Shard {
        let shard = group.shard().and_then(|id| self.shards.get_mut(&id));
        shard.expect("a group is won where it is hosted")
    }

    /// Wins a group for another member.
    pub(super) fn win_for(&mut self, shard: ShardId, epoch: Epoch, member: MemberId) {
        if epoch < self.epoch && !planted!(LaterLeaderCounts) {
            return;
        }
        self.epoch = self.epoch.max(epoch);
        if let Some(shard) = self.shards.get_mut(&shard) {
            shard.win_for(epoch, member);
        }
    }

    /// Looks at every group's role: proposes fences, hands groups over, and tells of losses.
    pub(super) fn pursue_groups(&mut self) {
        self.fill_windows();
        let mut lost = None;
        for shard in self.shards.values_mut() {
            if let Err(epoch) = shard.pursue() {
                lost = Some(epoch);
            }
        }
        if let Some(epoch) = lost {
            self.out.tell(CONTROL_EXECUTOR, Message::Lost { epoch });
        }
    }

    /// Tells the window of the reign what is committed.
    pub(super) fn fill_windows(&mut self) {
        let Some(reign) = self.reign.clone() else { return };
        let mut moved = false;
        for shard in self.shards.values_mut() {
            moved |= shard.fill(&*reign);
        }
        if moved {
            self.show(reign.visible());
        }
    }

    pub(super) fn open(&mut self, open: Open) {
        self.epoch = self.epoch.max(open.epoch);
        self.opens.push(open);
        for shard in self.shards.values_mut() {
            shard.drop_void(&self.opens);
        }
    }

    /// The reign of this member is open. What is evaluated meanwhile waits, as what is held does.
    pub(super) fn serve(&mut self, reign: Arc<dyn Reign>, base: Revision) {
        self.accession = Some(Accession { reign, base, awaiting: Vec::new() });
        self.accede();
    }

    /// Serves the reign that is open, if the rest of what came before it is in the index: that may take several polls.
    pub(super) fn accede(&mut self) {
        if self.can_show_slice() {
            return;
        }
        let Some(Accession { reign, base, awaiting }) = self.accession.take() else { return };
        assert!(self.visible == base, "a reign begins where the member stands");
        for shard in self.shards.values_mut() {
            shard.serve(reign.epoch(), base, &self.opens);
        }
        self.reign = Some(reign);
        for message in awaiting {
            self.out.tell(self.config.executor, message);
        }
        self.retry_held();
        self.evaluate_deferred();
    }

    /// The reign is over, or the attempt at one.
    pub(super) fn cease(&mut self, visible: Revision, resign: bool) {
        self.accession = None;
        if self.reign.take().is_some() {
            self.show(visible);
            assert_eq!(self.visible, visible, "nothing was shown beyond the end of the window");
        }
        for shard in self.shards.values_mut() {
            let committed = shard.cease(visible);
            let group = shard.group.id();
            if resign && shard.group.role() != Role::Follower {
                shard.group.resign();
            }
            if !committed.is_empty() {
                self.out.tell(CONTROL_EXECUTOR, Message::Committed { group, committed });
            }
        }
        self.leases.pardon_all();
        self.fail_replies();
        self.abandon_writing();
        self.abandon_pause();
        self.show_slice();
    }

    /// Answers what has become visible, waits for the window if more is to come, and tells the executors that wait.
    ///
    /// While a batch of this executor is on its way to the disk it does not ask to be told: it looks again when that is
    /// durable, which is soon, and answers for both at once.
    pub(super) fn watch_window(&mut self) {
        loop {
            self.refresh_visible();
            self.release_replies();
            let Some(reign) = &self.reign else { return };
            if !self.waits_for_window() || self.batches.is_under_way() {
                break;
            }
            reign.wait(usize::from(self.config.executor));
            // It may have moved between the look and the wait.
            if reign.visible() <= self.visible {
                break;
            }
        }
        if let Some(reign) = self.reign.clone()
            && self.woken_at < self.visible
        {
            self.woken_at = self.visible;
            for executor in 0..self.config.executors {
                if executor != self.config.executor && reign.wake(usize::from(executor)) {
                    self.out.tell(executor, Message::WindowMoved);
                }
            }
        }
    }
}
