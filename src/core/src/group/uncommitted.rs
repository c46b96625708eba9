//! How much a leader has proposed that is not committed yet: a group's own bound of admission.

use campanile_storage::ids::Index;
use std::collections::VecDeque;

#[derive(Debug)]
pub struct Uncommitted {
    entries: VecDeque<(Index, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl Uncommitted {
    pub fn new(bytes_max: usize) -> Uncommitted {
        Uncommitted { entries: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Whether one more is taken, behind so many bytes that wait to be proposed.
    pub fn has_room_behind(&self, waiting_bytes: usize) -> bool {
        self.bytes + waiting_bytes < self.bytes_max
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
        let mut uncommitted = Uncommitted::new(1000);
        assert!(uncommitted.has_room_behind(999));
        assert!(!uncommitted.has_room_behind(1000));
        uncommitted.push(Index(5), 999);
        uncommitted.push(Index(6), 1);
        assert!(!uncommitted.has_room_behind(0));
        uncommitted.release(Index(4));
        assert!(!uncommitted.has_room_behind(0), "neither is committed");
        uncommitted.release(Index(5));
        assert!(uncommitted.has_room_behind(998));
        assert!(!uncommitted.has_room_behind(999), "the second still counts");
        uncommitted.clear();
        assert!(uncommitted.has_room_behind(999));
    }
}
