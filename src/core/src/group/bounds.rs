//! How much a group sends, hands out and takes at once.

use crate::clock::batch::ENTRY_BYTES_MAX;

#[derive(Clone, Copy, Debug)]
pub struct GroupBounds {
    /// Largest append message, in bytes, unless a single entry is larger, which only a single change makes.
    pub message_bytes_max: u64,
    /// Append messages under way to one follower.
    pub messages_in_flight_max: usize,
    /// Committed entries handed out at once, in bytes.
    pub committed_bytes_max: u64,
    /// Proposed and not yet committed bytes at which a group takes no more. raft-rs has no bound set, because a revision
    /// that was taken must never fail to be proposed. The last one taken may go beyond it, however large: what a request
    /// changes is what it brought, and keys that the shard holds in memory anyway.
    pub uncommitted_bytes_max: usize,
}

impl Default for GroupBounds {
    fn default() -> GroupBounds {
        GroupBounds {
            message_bytes_max: ENTRY_BYTES_MAX as u64,
            messages_in_flight_max: 128,
            committed_bytes_max: 1 << 20,
            uncommitted_bytes_max: 64 << 20,
        }
    }
}
