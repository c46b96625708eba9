//! Revisions that a shard evaluated and proposed, and that are not committed yet, oldest first.

use campanile_storage::ids::{Index, Revision};
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub struct InFlight {
    /// Each with the entry that holds it; bounded by the reign's window.
    proposed: VecDeque<(Revision, Index)>,
    /// Evaluated in this poll, and not proposed yet.
    evaluated: Vec<Revision>,
}

impl InFlight {
    pub fn push(&mut self, revision: Revision) {
        self.evaluated.push(revision);
    }

    /// What was evaluated in this poll stands in the entry at this index.
    pub fn proposed_at(&mut self, index: Index) {
        self.proposed.extend(self.evaluated.drain(..).map(|revision| (revision, index)));
    }

    /// The oldest revision, if its entry is committed.
    pub fn pop_committed(&mut self, commit: Index) -> Option<Revision> {
        self.proposed.pop_front_if(|(_, index)| *index <= commit).map(|(revision, _)| revision)
    }

    pub fn clear(&mut self) {
        self.proposed.clear();
        self.evaluated.clear();
    }
}
