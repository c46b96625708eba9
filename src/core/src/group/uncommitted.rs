//! How much a leader has proposed that is not committed yet: a group's own bound of admission.

use campanile_storage::ids::Index;
use std::collections::VecDeque;

/// Proposed and not yet committed bytes at which a group takes no more. raft-rs has no bound set, because a revision that
/// was taken must never fail to be proposed. The last one taken may go beyond it, however large: what a request changes is
/// what it brought, and keys that the shard holds in memory anyway.
const UNCOMMITTED_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
pub struct Uncommitted {
    entries: VecDeque<(Index, usize)>,
    bytes: usize,
}

impl Uncommitted {
    /// Whether one more is taken, behind so many bytes that wait to be proposed.
    pub fn has_room_behind(&self, waiting_bytes: usize) -> bool {
        self.bytes + waiting_bytes < UNCOMMITTED_BYTES_MAX
    }

    pub fn push(&mut self, index: Index, bytes: usize) {
        self.entries.push_back((index, bytes));
        self.bytes += bytes;
    }

    /// Everything up to this entry is committed.
    pub fn release(&mut self, up_to: Index) {
        while let Some((_, bytes)) = self.entries.pop_front_if(|(index, _)| *index <= up_to) {
            self.bytes -= bytes;
        }
    }

    /// The group is led by this member no more, and what becomes of its proposals is not its concern.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_comes_back_with_what_is_committed() {
        let mut uncommitted = Uncommitted::default();
        assert!(uncommitted.has_room_behind(UNCOMMITTED_BYTES_MAX - 1));
        assert!(!uncommitted.has_room_behind(UNCOMMITTED_BYTES_MAX));
        uncommitted.push(Index(5), UNCOMMITTED_BYTES_MAX - 1);
        uncommitted.push(Index(6), 1);
        assert!(!uncommitted.has_room_behind(0));
        uncommitted.release(Index(4));
        assert!(!uncommitted.has_room_behind(0), "neither is committed");
        uncommitted.release(Index(5));
        assert!(uncommitted.has_room_behind(UNCOMMITTED_BYTES_MAX - 2));
        assert!(!uncommitted.has_room_behind(UNCOMMITTED_BYTES_MAX - 1), "the second still counts");
        uncommitted.clear();
        assert!(uncommitted.has_room_behind(UNCOMMITTED_BYTES_MAX - 1));
    }
}
