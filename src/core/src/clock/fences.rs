//! The newest fence of one group's log, and with it the first half of validity.
//!
//! A fence lies in the log, it does not stop a deposed leader's entries from being committed behind it. So a fragment is
//! valid only if the newest fence before it has its own epoch *and its own Raft term*. Newest is the greatest epoch: a
//! late fence of an older epoch behind a newer one changes nothing.

use super::Epoch;
use crate::planted::planted;
use campanile_storage::ids::Term;

/// The newest fence before some place in one group's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    pub epoch: Epoch,
    pub term: Term,
}

impl Fence {
    /// Takes note of a fence that stands in the log with this entry term.
    pub fn pass(&mut self, epoch: Epoch, term: Term) {
        if epoch > self.epoch {
            *self = Fence { epoch, term };
        }
    }

    /// Whether an entry of this epoch, in an entry of this term, may stand behind the fence.
    #[must_use]
    pub fn admits(&self, epoch: Epoch, term: Term) -> bool {
        *self == Fence { epoch, term } || planted!(ForwardedCounts) && epoch <= self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(term: u64) -> Epoch {
        Epoch::first_of(Term(term))
    }

    #[test]
    fn a_fence_admits_only_its_own_reign_and_term() {
        let mut fence = Fence::default();
        fence.pass(epoch(2), Term(5));
        assert!(fence.admits(epoch(2), Term(5)));
        assert!(!fence.admits(epoch(1), Term(5)), "an older epoch behind a newer fence is void");
        assert!(!fence.admits(epoch(2), Term(6)), "the group was won again without a new fence");
    }

    #[test]
    fn a_late_older_fence_changes_nothing() {
        let mut fence = Fence::default();
        fence.pass(epoch(3), Term(7));
        fence.pass(epoch(2), Term(8));
        assert!(fence.admits(epoch(3), Term(7)));
    }
}
