//! How much may wait, and how much one poll does. Who asks for more than may wait is refused, and has changed nothing.

use crate::clock::batch::ENTRY_BYTES_MAX;
use crate::executor::CatchUpBounds;
use crate::group::GroupBounds;
use crate::watch::{SliceLimits, StreamLimits};

#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Revisions that may be taken and not yet visible. A full window refuses before a revision is taken.
    pub window_revisions: u64,
    /// An entry of several changes has at most so many bytes; a larger fragment is cut into parts.
    pub entry_bytes_max: usize,
    /// Changes that a poll writes, or takes into the index when they become visible: some 1 ms. What is more takes several
    /// polls.
    pub slice_changes_max: usize,
    /// Keys that the shards of an executor hand over at once, to a read or a transaction: some 0.2 ms.
    pub slice_keys_max: usize,
    /// Entries of a shard that go into a hash at once: some 0.2 ms.
    pub hash_entries_max: usize,
    /// Steps of the physical work of a compaction in one poll, for each shard: far below 1 ms. At least 2, for a version is
    /// looked at before it is removed.
    pub compaction_steps_max: usize,
    /// Leases that are revoked at once because they ran out, each at a revision of its own.
    pub expired_leases_max: usize,
    /// Changes that a poll hands on to watchers, and as many that it reads for those who catch up, for each shard: some
    /// 0.2 ms each.
    pub watched_changes_max: usize,
    /// Turns of one poll after which what its groups still hand out waits for the next: a restart has very much of it.
    pub turns_max: u32,
    /// Requests that wait for a primary, on one executor.
    pub held_requests_max: usize,
    /// Reads that wait for a confirmation or for another shard, on one executor.
    pub reads_max: usize,
    /// Questions for a confirmation of executors and other members.
    pub questions_max: usize,
    /// Transactions over several shards.
    pub transactions_max: usize,
    /// Transactions over several shards that share one pause.
    pub shared_pause_max: u32,
    /// Writes that wait for the end of a pause, on one executor.
    pub paused_writes_max: usize,
    /// Hashes under way, on one executor.
    pub hashes_max: usize,
    /// What is kept and sent for members that fell behind.
    pub catch_up: CatchUpBounds,
    /// What a group sends, hands out and takes at once.
    pub group: GroupBounds,
    /// The events of a watch stream that wait for its client.
    pub streams: StreamLimits,
    /// The history that is read for watches at once.
    pub slices: SliceLimits,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            window_revisions: 1 << 16,
            entry_bytes_max: ENTRY_BYTES_MAX,
            slice_changes_max: 1_024,
            slice_keys_max: 1_024,
            hash_entries_max: 2_048,
            compaction_steps_max: 128,
            expired_leases_max: 64,
            watched_changes_max: 1_024,
            turns_max: 8,
            held_requests_max: 16_384,
            reads_max: 65_536,
            questions_max: 65_536,
            transactions_max: 16_384,
            shared_pause_max: 64,
            paused_writes_max: 65_536,
            hashes_max: 64,
            catch_up: CatchUpBounds::default(),
            group: GroupBounds::default(),
            streams: StreamLimits::default(),
            slices: SliceLimits::default(),
        }
    }
}
