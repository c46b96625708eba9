//! Control records that are committed take effect on every executor, in the order of the control group's log.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, Event};
use super::message::Message;
use crate::control::record::Record;
use crate::planted::planted;
use campanile_storage::ids::{Index, MemberId, Term};

impl Executor {
    pub(super) fn adopt(&mut self, index: Index, records: &[Record]) {
        for record in records {
            match *record {
                Record::Grant { lease, .. } => self.leases.insert(lease, index),
                Record::Revoke { lease } => {
                    self.leases.remove(lease);
                }
                Record::Compact { at } => self.compactions.push_back(at),
                Record::Shards(_) | Record::Announce { .. } => {}
            }
        }
        self.out.tell(CONTROL_EXECUTOR, Message::Adopted { index });
    }

    /// A compaction is carried out once its revision is visible here, and was handed on to those who watch.
    pub(super) fn carry_out_compactions(&mut self) {
        let ready = self.visible.min(self.handed_on());
        while let Some(at) = self.compactions.pop_front_if(|at| *at <= ready) {
            if at > self.compacted {
                self.compacted = at;
                for shard in self.shards.values_mut() {
                    shard.store.compact(at);
                }
            }
        }
    }

    /// One slice of the physical work of a compaction; none while a checkpoint is written. Says whether more is left.
    pub(super) fn compact_slice(&mut self) -> bool {
        if self.checkpointing.holds_versions && !planted!(CompactUnderCheckpoint) {
            return false;
        }
        let steps = self.config.bounds.compaction_steps_max;
        self.shards.values_mut().fold(false, |more, shard| !shard.store.compact_slice(steps) | more)
    }

    /// Another member leads the control group now, or nobody does.
    pub(super) fn follow_leader(&mut self, leader: Option<MemberId>, term: Term) {
        self.leader = leader;
        self.out.report(Event::Leader { leader, term });
        if leader.is_some_and(|leader| leader != self.config.member) {
            self.retry_held();
        }
    }
}
