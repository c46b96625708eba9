//! Where one group stands in the logs: what it may append next, and what of it a checkpoint makes superfluous.
//!
//! A cursor keeps, for each section whose entries are not all replaced, its last index. That is enough to say at any
//! cut which section is the first that is still needed, and what the hard state was just before it.

use std::collections::VecDeque;

use super::{Cut, HardState, Stamp, Update};
use crate::ids::{Index, MemberId, Term};

/// A group just before the section `floor`: what the member's manifest keeps of it, and where recovery begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// The last entry that the live checkpoint stands for.
    pub cut: Cut,
    /// The first section that is still needed. All from here on must be found.
    pub floor: Stamp,
    /// The hard state that the sections before the floor left, with the cut as its commit.
    pub hard_state: HardState,
}

impl Default for GroupState {
    /// A group that has never written anything.
    fn default() -> Self {
        GroupState { cut: Cut::default(), floor: Stamp::FIRST, hard_state: HardState::default() }
    }
}

/// A section with entries that are not replaced yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Live {
    stamp: Stamp,
    last: Index,
    /// The hard state that the sections before this one left.
    before: HardState,
}

/// The writing end of one group. Recovery makes it; it moves with the group to the log of whichever executor owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupCursor {
    next: Stamp,
    cut: Cut,
    last: Index,
    last_term: Term,
    hard_state: HardState,
    live: VecDeque<Live>,
}

impl Default for GroupCursor {
    fn default() -> Self {
        GroupCursor::new(&GroupState::default())
    }
}

impl GroupCursor {
    /// A group of which nothing is in any log from `state.floor` on.
    #[must_use]
    pub fn new(state: &GroupState) -> Self {
        GroupCursor {
            next: state.floor,
            cut: state.cut,
            last: state.cut.index,
            last_term: state.cut.term,
            hard_state: state.hard_state,
            live: VecDeque::new(),
        }
    }

    /// The stamp of the next section.
    #[must_use]
    pub fn next(&self) -> Stamp {
        self.next
    }

    /// The newest index.
    #[must_use]
    pub fn last(&self) -> Index {
        self.last
    }

    /// The newest hard state.
    #[must_use]
    pub fn hard_state(&self) -> HardState {
        self.hard_state
    }

    /// Takes a section: gives it the next stamp, and notes what it adds and replaces.
    ///
    /// # Errors
    /// What no Raft group may ever write, in words. Nothing is noted then.
    pub(super) fn accept(&mut self, update: &Update) -> Result<Stamp, &'static str> {
        let mut last = self.last;
        let mut last_term = self.last_term;
        if let Some(first) = update.entries.first() {
            if first.index > following(self.last) || first.index <= self.cut.index {
                return Err("its entries leave a hole behind the ones before, or reach behind the cut");
            }
            if first.index <= self.hard_state.commit {
                return Err("it replaces an entry that is committed");
            }
            last_term = if first.index > self.last { self.last_term } else { self.cut.term };
            last = Index(first.index.0 - 1);
            for entry in &update.entries {
                if entry.index != following(last) || entry.term < last_term {
                    return Err("its entries are not consecutive, or their terms go back");
                }
                last = entry.index;
                last_term = entry.term;
            }
        }
        let hard_state = update.hard_state.unwrap_or(self.hard_state);
        if hard_state.term < self.hard_state.term || hard_state.term < last_term {
            return Err("its term is older than what the group has");
        }
        if hard_state.commit > last {
            return Err("it commits more than there is");
        }
        let stamp = self.next;
        if let Some(first) = update.entries.first() {
            self.replace_from(first.index);
            self.live.push_back(Live { stamp, last, before: self.hard_state });
        }
        self.next = stamp.next();
        self.last = last;
        self.last_term = last_term;
        self.hard_state = hard_state;
        Ok(stamp)
    }

    /// Forgets sections of which nothing is left when all entries from `first` on are replaced.
    fn replace_from(&mut self, first: Index) {
        let kept = Index(first.0 - 1);
        while self.live.back().is_some_and(|back| back.last > kept) {
            let back = self.live.pop_back().expect("it was just looked at");
            let before = self.live.back().map_or(self.cut.index, |earlier| earlier.last);
            if before < kept {
                self.live.push_back(Live { last: kept, ..back });
            }
        }
    }

    /// What the manifest has to say of this group once a checkpoint that stands for everything up to `cut` is durable.
    ///
    /// The floor is the one of the log as it was appended, durable or not. If what was appended last replaces older
    /// entries behind the cut, and a crash takes it, the older ones do not come back either: a later leader had other
    /// entries in their place, so they were not committed and never can be.
    ///
    /// # Panics
    /// If `cut` is behind an earlier one, or beyond the newest entry.
    #[must_use]
    pub fn cut(&self, cut: Cut) -> GroupState {
        assert!(cut.index >= self.cut.index && cut.index <= self.last, "a cut moves forward, inside the log");
        let behind = self.live.partition_point(|live| live.last <= cut.index);
        let (floor, before) =
            self.live.get(behind).map_or((self.next, self.hard_state), |live| (live.stamp, live.before));
        // The section at the floor may itself bring the cut's term; without it, nobody was voted for in that term.
        let (term, vote) = if before.term < cut.term { (cut.term, MemberId::NONE) } else { (before.term, before.vote) };
        GroupState { cut, floor, hard_state: HardState { term, vote, commit: cut.index } }
    }

    /// What the manifest has to say of this group when an installed checkpoint replaces its whole log.
    /// Nothing may be appended before that is durable.
    #[must_use]
    pub fn reset(&self, cut: Cut, hard_state: HardState) -> GroupState {
        assert!(hard_state.term >= self.hard_state.term && hard_state.term >= cut.term, "a term never goes back");
        GroupState { cut, floor: self.next, hard_state: HardState { commit: cut.index, ..hard_state } }
    }

    /// Takes up a cut that the manifest now names: forgets the sections below its floor.
    pub(super) fn advance(&mut self, state: &GroupState) {
        assert!(state.floor <= self.next, "a floor is at most the next section");
        self.cut = state.cut;
        while self.live.front().is_some_and(|front| front.stamp < state.floor) {
            self.live.pop_front();
        }
    }
}

fn following(index: Index) -> Index {
    Index(index.0.checked_add(1).expect("fewer than 2^64 entries are ever appended"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::Entry;
    use super::*;
    use crate::ids::GroupId;

    fn update(term: u64, commit: u64, indices: std::ops::Range<u64>) -> Update {
        let entries = indices
            .map(|index| Entry { index: Index(index), term: Term(term), kind: 0, payload: Bytes::new() })
            .collect();
        let hard_state = Some(HardState { term: Term(term), vote: MemberId(1), commit: Index(commit) });
        Update { group: GroupId(1), hard_state, entries }
    }

    fn at(index: u64, term: u64) -> Cut {
        Cut { index: Index(index), term: Term(term) }
    }

    #[test]
    fn the_floor_is_the_first_section_with_an_entry_behind_the_cut() {
        let mut cursor = GroupCursor::default();
        for (number, indices) in [1..4, 4..4, 4..6, 6..9].into_iter().enumerate() {
            assert_eq!(cursor.accept(&update(1, 0, indices)), Ok(Stamp(number as u64 + 1)));
        }
        assert_eq!(cursor.cut(at(0, 0)).floor, Stamp(1));
        assert_eq!(cursor.cut(at(2, 1)).floor, Stamp(1));
        assert_eq!(cursor.cut(at(3, 1)).floor, Stamp(3));
        assert_eq!(cursor.cut(at(7, 1)).floor, Stamp(4));
        let whole = cursor.cut(at(8, 1));
        assert_eq!((whole.floor, whole.hard_state.commit), (Stamp(5), Index(8)));
        cursor.advance(&cursor.cut(at(5, 1)));
        assert_eq!(cursor.cut(at(5, 1)).floor, Stamp(4));
    }

    #[test]
    fn replaced_sections_are_not_needed() {
        let mut cursor = GroupCursor::default();
        for (term, indices) in [(1, 1..11), (2, 6..8), (2, 8..10)] {
            cursor.accept(&update(term, 0, indices)).expect("a Raft group may write this");
        }
        assert_eq!(cursor.cut(at(5, 1)).floor, Stamp(2));
        assert_eq!(cursor.cut(at(8, 2)).floor, Stamp(3));
        cursor.accept(&update(3, 0, 1..2)).expect("it replaces all of them");
        assert_eq!((cursor.live.len(), cursor.last()), (1, Index(1)));
    }

    #[test]
    fn the_hard_state_at_the_floor_is_the_one_before_it() {
        let mut cursor = GroupCursor::default();
        cursor.accept(&update(1, 0, 1..3)).expect("valid");
        cursor.accept(&update(4, 2, 3..5)).expect("valid");
        let state = cursor.cut(at(2, 1));
        assert_eq!((state.floor, state.hard_state.term, state.hard_state.commit), (Stamp(2), Term(1), Index(2)));
        let middle = cursor.cut(at(3, 4));
        assert_eq!((middle.floor, middle.hard_state.term, middle.hard_state.vote), (Stamp(2), Term(4), MemberId::NONE));
    }

    #[test]
    fn what_no_group_may_write_is_refused() {
        let mut cursor = GroupCursor::default();
        cursor.accept(&update(2, 2, 1..4)).expect("valid");
        assert!(cursor.accept(&update(2, 2, 5..6)).is_err(), "a hole");
        assert!(cursor.accept(&update(2, 2, 2..3)).is_err(), "a committed entry");
        assert!(cursor.accept(&update(1, 2, 4..5)).is_err(), "an older term");
        assert!(cursor.accept(&update(2, 9, 4..5)).is_err(), "a commit beyond the end");
        assert_eq!(cursor.accept(&update(2, 4, 4..5)), Ok(Stamp(2)), "none of these left a trace");
    }
}
