//! Counts the visible revision of a member upwards, from what its groups report.
//!
//! The visible revision is the largest r such that every revision up to r is complete in valid, counted fragments. It is
//! found by counting, never as a minimum over groups. While a reign of this member is open, the completion window of
//! [`super::Reign`] counts instead; at its end the groups report what stands above, and counting goes on here.

use super::opens::Open;
use super::{Epoch, Opens};
use crate::planted::planted;
use campanile_storage::ids::{Index, Revision};
use std::collections::BTreeMap;

/// One committed fragment, as a group reports it once. It is behind a fence that admits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    pub epoch: Epoch,
    pub revision: Revision,
    /// How many groups the transaction touches.
    pub groups: u32,
    /// The control group's index that must be applied before it counts.
    pub control_index: Index,
    /// Whether this member saw it committed while the group was still in the fragment's own Raft term. What a later
    /// leader commits counts only once an open has a base at or above it.
    pub in_own_term: bool,
}

/// How much of one revision is there.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    groups: u32,
    reported: u32,
    in_own_term: u32,
    control_index: Index,
}

#[derive(Debug)]
pub struct Counter {
    visible: Revision,
    opens: Opens,
    /// Above the visible revision only.
    progress: BTreeMap<(Revision, Epoch), Progress>,
    control_applied: Index,
    /// The highest revision that another member showed, by opens that are all known here.
    shown: Revision,
}

impl Counter {
    #[must_use]
    pub fn new(visible: Revision, opens: Opens) -> Counter {
        Counter { visible, opens, progress: BTreeMap::new(), control_applied: Index(0), shown: visible }
    }

    #[must_use]
    pub fn visible(&self) -> Revision {
        self.visible
    }

    #[must_use]
    pub fn opens(&self) -> &Opens {
        &self.opens
    }

    /// The control group is applied up to here: grants that fragments wait for are in force.
    pub fn control_applied(&mut self, index: Index) {
        self.control_applied = self.control_applied.max(index);
    }

    /// Another member shows this revision, and `epoch` is the newest open that it knows. What was shown is final: up to
    /// there it does not matter in which term this member saw a fragment committed. Which fragment of a revision is the
    /// valid one is only known by the opens that the other one knew.
    pub fn shown_elsewhere(&mut self, revision: Revision, epoch: Epoch) {
        if epoch <= self.opens.newest_epoch() {
            self.shown = self.shown.max(revision);
        }
    }

    /// Takes a group's report.
    ///
    /// # Panics
    /// If two groups disagree how many groups a transaction touches, or one reports twice.
    pub fn report(&mut self, committed: Committed) {
        if committed.revision <= self.visible || self.opens.is_void(committed.epoch, committed.revision) {
            return;
        }
        let progress = self.progress.entry((committed.revision, committed.epoch)).or_default();
        assert!(
            progress.reported == 0 || progress.groups == committed.groups,
            "fragments of revision {} in epoch {} differ",
            committed.revision,
            committed.epoch
        );
        progress.groups = committed.groups;
        progress.reported += 1;
        progress.in_own_term += u32::from(committed.in_own_term);
        progress.control_index = progress.control_index.max(committed.control_index);
        assert!(progress.reported <= progress.groups, "revision {} was reported too often", committed.revision);
    }

    /// Takes note of an open: what is above its base in older epochs is void.
    pub fn open(&mut self, open: Open) {
        assert!(open.base >= self.visible, "base {} below what was shown, {}", open.base, self.visible);
        self.opens.push(open);
        let opens = &self.opens;
        self.progress.retain(|&(revision, epoch), _| !opens.is_void(epoch, revision));
    }

    /// Moves the visible revision as far as it goes, and returns it.
    pub fn advance(&mut self) -> Revision {
        let decided = self.opens.newest_base().max(self.shown);
        while let Some((epoch, progress)) = self.complete(self.visible.next()) {
            let next = self.visible.next();
            let in_own_term = progress.in_own_term == progress.groups || planted!(LaterLeaderCounts);
            let counted = next <= decided || in_own_term;
            if !counted || progress.control_index > self.control_applied {
                break;
            }
            self.progress.remove(&(next, epoch));
            self.visible = next;
        }
        self.visible
    }

    /// The base of an epoch that is about to open: the largest r such that all revisions up to r are complete in valid
    /// fragments. Asked when the fences of all groups are committed and everything before them was reported.
    #[must_use]
    pub fn base(&self) -> Revision {
        let mut base = self.visible;
        while self.complete(base.next()).is_some() {
            base = base.next();
        }
        base
    }

    /// A reign of this member counted up to here by its window; the groups report what they hold above it.
    pub fn settle(&mut self, visible: Revision) {
        assert!(visible >= self.visible, "the visible revision goes back from {} to {visible}", self.visible);
        self.visible = visible;
        self.progress = self.progress.split_off(&(visible.next(), Epoch::NONE));
    }

    /// Forgets opens that can decide nothing any more; `durable` is the revision of the newest durable checkpoint.
    pub fn forget_opens_below(&mut self, durable: Revision) {
        self.opens.forget_below(durable);
    }

    fn complete(&self, revision: Revision) -> Option<(Epoch, Progress)> {
        let epoch = self.opens.owner(revision)?;
        let progress = self.progress.get(&(revision, epoch))?;
        (progress.reported == progress.groups).then_some((epoch, *progress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_storage::ids::Term;

    fn epoch(term: u64) -> Epoch {
        Epoch::first_of(Term(term))
    }

    fn committed(term: u64, revision: i64, groups: u32, in_own_term: bool) -> Committed {
        Committed { epoch: epoch(term), revision: Revision(revision), groups, control_index: Index(0), in_own_term }
    }

    fn counter(opens: &[(u64, i64)]) -> Counter {
        let mut list = Opens::default();
        for &(term, base) in opens {
            list.push(Open { epoch: epoch(term), base: Revision(base) });
        }
        Counter::new(Revision::EMPTY, list)
    }

    #[test]
    fn counts_upwards_over_groups() {
        let mut counter = counter(&[(1, 1)]);
        counter.report(committed(1, 3, 1, true));
        counter.report(committed(1, 2, 2, true));
        assert_eq!(counter.advance(), Revision(1));
        counter.report(committed(1, 2, 2, true));
        assert_eq!(counter.advance(), Revision(3));
    }

    #[test]
    fn what_another_member_shows_counts_whoever_committed_it() {
        let mut counter = counter(&[(1, 1), (2, 2)]);
        counter.report(committed(2, 3, 1, false));
        counter.report(committed(2, 4, 1, false));
        assert_eq!(counter.advance(), Revision::EMPTY);
        counter.report(committed(1, 2, 1, false));
        assert_eq!(counter.advance(), Revision(2));
        counter.shown_elsewhere(Revision(4), epoch(3));
        assert_eq!(counter.advance(), Revision(2), "an open that is not known here may have another 3");
        counter.shown_elsewhere(Revision(3), epoch(2));
        assert_eq!(counter.advance(), Revision(3));
    }

    #[test]
    fn void_revisions_are_not_counted_for_a_later_epoch() {
        // Trace 5: revision 3 of epoch 1 is complete, revision 2 was lost, epoch 2 opened at base 1.
        let mut counter = counter(&[(1, 1)]);
        counter.report(committed(1, 3, 1, true));
        counter.open(Open { epoch: epoch(2), base: Revision(1) });
        counter.report(committed(2, 2, 1, true));
        assert_eq!(counter.advance(), Revision(2));
        counter.report(committed(1, 3, 1, true));
        assert_eq!(counter.advance(), Revision(2), "a late report of a void fragment changes nothing");
    }

    #[test]
    fn what_another_leader_committed_waits_for_the_next_open() {
        // Trace 14.
        let mut counter = counter(&[(1, 1)]);
        counter.report(committed(1, 2, 1, false));
        assert_eq!(counter.advance(), Revision(1));
        assert_eq!(counter.base(), Revision(2));
        counter.open(Open { epoch: epoch(2), base: Revision(2) });
        assert_eq!(counter.advance(), Revision(2));
    }

    #[test]
    fn an_epoch_that_is_not_known_to_be_open_completes_nothing() {
        let mut counter = counter(&[(1, 1)]);
        counter.report(committed(2, 2, 1, true));
        assert_eq!(counter.advance(), Revision(1));
        counter.open(Open { epoch: epoch(2), base: Revision(1) });
        assert_eq!(counter.advance(), Revision(2));
    }

    #[test]
    fn a_fragment_waits_for_the_grant_of_its_lease() {
        let mut counter = counter(&[(1, 1)]);
        counter.report(Committed { control_index: Index(7), ..committed(1, 2, 1, true) });
        assert_eq!(counter.advance(), Revision(1));
        counter.control_applied(Index(7));
        assert_eq!(counter.advance(), Revision(2));
    }
}
