//! What a member holds in memory beside its keys stays bounded, whatever it waits for.

use super::{Violation, promise};
use campanile_core::shard::Shard;

const PROMISE: &str = "memory is bounded";

/// Log entries of one group that stay for others (32 MiB), and what may be proposed and not committed (64 MiB).
const LOG_BYTES_MAX: usize = 96 << 20;
/// Committed fragments that wait to become visible. A run writes far less.
const STAGED_BYTES_MAX: usize = 16 << 20;

/// # Errors
/// If a shard holds more than it may.
pub fn look(member: usize, shard: &Shard) -> Result<(), Violation> {
    let (log, staged) = (shard.group.payload_bytes(), shard.staged_bytes());
    promise!(PROMISE, log <= LOG_BYTES_MAX, "member {member}, shard {}: {log} bytes of log", shard.id);
    promise!(PROMISE, staged <= STAGED_BYTES_MAX, "member {member}, shard {}: {staged} bytes staged", shard.id);
    Ok(())
}
