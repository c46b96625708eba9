//! This executor's part in a checkpoint: says where its groups may be cut, hands over its shards' versions a slice at a
//! time, and cuts its log when the checkpoint is durable.
//!
//! Writing goes on all the while. From the answer to the first question until the last slice is taken nothing is
//! removed by compaction, so that all that is visible at the checkpoint's revision is there.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, Effect};
use super::message::Message;
use crate::checkpoint::{GroupCut, packed};
use crate::planted::planted;
use campanile_storage::bounds::BLOCK_BYTES;
use campanile_storage::checkpoint::{Chunk, ChunkEncoder};
use campanile_storage::ids::{GroupId, Revision, ShardId};
use campanile_storage::log::{Cut, Entry, Floors, Update, batch_bytes};
use campanile_storage::store::KeyValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Asks for the next versions of a shard.
#[derive(Clone, Debug)]
pub struct SliceWanted {
    pub shard: ShardId,
    /// The checkpoint's revision.
    pub at: Revision,
    pub compacted: Revision,
    /// The last version that was handed over.
    pub after: Option<KeyValue>,
}

/// A slice of a shard.
#[derive(Clone, Debug)]
pub struct SliceTaken {
    pub chunk: Option<Chunk>,
    /// The last version in it; `None` if the shard has no more.
    pub after: Option<KeyValue>,
}

/// What a checkpoint needs to know of this executor.
#[derive(Debug, Default)]
pub struct Checkpointing {
    /// Versions that compaction dropped stay for now.
    pub holds_versions: bool,
    /// By how much the log has grown since the control executor was last told, in bytes.
    grown_bytes: u64,
}

impl Checkpointing {
    /// A batch goes to the log, a whole number of blocks.
    pub fn note_growth(&mut self, appends: &[Update]) {
        self.grown_bytes += batch_bytes(appends).next_multiple_of(BLOCK_BYTES) as u64;
    }

    /// Entries that the log held at the start; each may have had blocks of its own.
    pub fn note_found(&mut self, entries: &[Entry]) {
        let bytes = |entry: &Entry| entry.payload.len().next_multiple_of(BLOCK_BYTES) as u64;
        self.grown_bytes += entries.iter().map(bytes).sum::<u64>();
    }
}

impl Executor {
    /// Tells the control executor by how much the log has grown.
    pub(super) fn report_growth(&mut self) {
        let bytes = std::mem::take(&mut self.checkpointing.grown_bytes);
        if bytes > 0 {
            self.out.tell(CONTROL_EXECUTOR, Message::LogGrown { bytes });
        }
    }

    /// A checkpoint begins: says where the groups' logs may be cut. Everything before that is visible here, or void; the
    /// checkpoint's revision is not below what is visible here now.
    pub(super) fn prepare_checkpoint(&mut self, offered: bool) {
        self.checkpointing.holds_versions = true;
        if offered {
            self.hold_logs();
        }
        let cuts = self.shards.values().map(|shard| (shard.group.id(), shard.group_cut())).collect();
        self.out.tell(CONTROL_EXECUTOR, Message::CheckpointPrepared { cuts });
    }

    /// Where every group that is hosted here might be cut now.
    pub(super) fn group_cuts(&self) -> Vec<(GroupId, GroupCut)> {
        let data = self.shards.values().map(|shard| (shard.group.id(), shard.group_cut()));
        let control = self.control.iter().map(|control| (GroupId::CONTROL, control.group_cut()));
        data.chain(control).collect()
    }

    /// Hands over the next versions of a shard, packed: as many as one chunk takes, far below 1 ms of work.
    pub(super) fn take_slice(&mut self, wanted: SliceWanted) {
        if self.visible < wanted.at {
            return self.reads.await_visible(wanted.at, Message::TakeSlice(wanted));
        }
        let SliceWanted { shard, at, compacted, after } = wanted;
        let mut encoder = ChunkEncoder::new(shard);
        let mut last = None;
        for version in self.shards[&shard].store.versions(at, compacted, after.as_ref()) {
            encoder.add(&packed(version)).expect("requests are bounded far below the largest version");
            if encoder.is_full() {
                last = Some(version.clone());
                break;
            }
        }
        let taken = SliceTaken { chunk: encoder.finish(), after: last };
        self.out.tell(CONTROL_EXECUTOR, Message::SliceTaken(taken));
    }

    /// The checkpoint's file is durable: the log says where its groups begin from now on.
    pub(super) fn cut_logs(&mut self, cuts: &BTreeMap<GroupId, Cut>) {
        self.checkpointing.holds_versions = false;
        let hosted = |&(group, _): &(&GroupId, &Cut)| match group.shard() {
            Some(shard) => self.shards.contains_key(&shard),
            None => self.control.is_some(),
        };
        let cuts = cuts.iter().filter(hosted).map(|(&group, &cut)| (group, cut)).collect();
        self.out.push(Effect::CutLog(cuts));
    }

    /// The checkpoint is live: what it stands for is forgotten here.
    pub(super) fn checkpoint_is_live(&mut self, revision: Revision, groups: Arc<Floors>) {
        self.opens.forget_below(revision);
        self.held_logs.checkpoint_is_live();
        if !planted!(LogStaysOnDisk) {
            self.out.push(Effect::ReleaseLog(groups));
        }
    }

    /// The checkpoint is given up.
    pub(super) fn checkpoint_is_given_up(&mut self) {
        self.checkpointing.holds_versions = false;
        self.held_logs.checkpoint_is_given_up();
    }
}
