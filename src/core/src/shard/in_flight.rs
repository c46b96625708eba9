//! Revisions that a shard evaluated and proposed, and that are not committed yet, oldest first.

use campanile_storage::ids::{Index, Revision};
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub struct InFlight {
    /// Each with the entry that completes it; bounded by the reign's window.
    proposed: VecDeque<(Revision, Index)>,
    /// Evaluated in this poll, and not proposed yet.
    evaluated: VecDeque<Revision>,
}

impl InFlight {
    pub fn push(&mut self, revision: Revision) {
        self.evaluated.push_back(revision);
    }

    /// The oldest so many that were evaluated in this poll are complete with the entry at this index.
    pub fn proposed_at(&mut self, index: Index, completes: usize) {
        self.proposed.extend(self.evaluated.drain(..completes).map(|revision| (revision, index)));
    }

    /// Whether everything that was evaluated is proposed.
    pub fn is_proposed(&self) -> bool {
        self.evaluated.is_empty()
    }

    /// The oldest revision, if the entry that completes it is committed.
    pub fn pop_committed(&mut self, commit: Index) -> Option<Revision> {
        self.proposed.pop_front_if(|(_, index)| *index <= commit).map(|(revision, _)| revision)
    }

    pub fn clear(&mut self) {
        self.proposed.clear();
        self.evaluated.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_committed_with_the_entry_that_completes_it() {
        let mut in_flight = InFlight::default();
        [2, 3, 4].map(Revision).into_iter().for_each(|revision| in_flight.push(revision));
        for (index, completes) in [(11, 1), (12, 0), (13, 2)] {
            in_flight.proposed_at(Index(index), completes);
        }
        assert!(in_flight.is_proposed());
        let mut committed = |commit| std::iter::from_fn(|| in_flight.pop_committed(Index(commit))).collect::<Vec<_>>();
        assert_eq!(committed(12), [Revision(2)]);
        assert_eq!(committed(13), [Revision(3), Revision(4)]);
    }
}
