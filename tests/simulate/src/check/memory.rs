//! What a member holds beside its keys stays bounded: the log in memory, what is not shown yet, and the log on its disk.

use super::{Violation, promise};
use crate::member::keeping::SEGMENT_BYTES;
use crate::plan::Shape;
use campanile_core::executor::CatchUpBounds;
use campanile_core::shard::Shard;
use campanile_storage::bounds::BLOCK_BYTES;

const PROMISE: &str = "memory and the log are bounded";

/// What may be under way when the run ends: the revoke of a lease.
const STAGED_BYTES_MAX: usize = 4 << 10;
/// Of one log: the segment that is written, spares, and one that is on its way out.
const SEGMENTS_MAX: u64 = 4;
/// What a transaction may add to a log: fragments, commit indices, records of the control group.
const TRANSACTION_BYTES_MAX: u64 = 6 * BLOCK_BYTES as u64;
/// With fewer transactions between two checkpoints, a log that is never given back is larger than one that is.
const TRANSACTIONS_MAX: u64 = 40;

/// Right after an executor has looked after its logs: what stays in memory of a group's log, of which a checkpoint could
/// stand for all, is for members that lag.
///
/// # Errors
/// If it is more than may stay for them.
pub fn look_at_log(member: usize, shard: &Shard, bounds: &CatchUpBounds) -> Result<(), Violation> {
    let bytes = shard.group.payload_bytes_up_to(shard.cut().cut.index);
    let bytes_max = bounds.group_log_bytes + bounds.held_log_bytes;
    promise!(PROMISE, bytes <= bytes_max, "member {member}, shard {}: {bytes} bytes of log, not {bytes_max}", shard.id);
    Ok(())
}

/// When the cluster has settled, and everything is visible.
///
/// # Errors
/// If a shard still holds what was waiting for that.
pub fn look_at_staged(member: usize, shard: &Shard) -> Result<(), Violation> {
    let bytes = shard.staged_bytes();
    promise!(PROMISE, bytes <= STAGED_BYTES_MAX, "member {member}, shard {}: {bytes} bytes are still staged", shard.id);
    Ok(())
}

/// When the cluster has settled: all that a member's disk holds, if checkpoints were frequent.
///
/// # Errors
/// If it is more than the logs since the last of them.
pub fn look_at_disk(member: usize, used_bytes: u64, shape: &Shape) -> Result<(), Violation> {
    let transactions = shape.checkpoint_transactions;
    if transactions > TRANSACTIONS_MAX {
        return Ok(());
    }
    let log_bytes_max = SEGMENTS_MAX * SEGMENT_BYTES + transactions * TRANSACTION_BYTES_MAX;
    let bytes_max = u64::from(shape.executors_max) * log_bytes_max;
    promise!(PROMISE, used_bytes <= bytes_max, "member {member}: {used_bytes} bytes on its disk, not {bytes_max}");
    Ok(())
}
