//! Fragments that are committed, valid as far as this member knows, and not in the index yet (or, on the primary, not
//! visible yet): the log will not bring them again.
//!
//! A fragment that came in parts is complete with its last one, and only then told to the counter. Of a reign that died
//! between two parts the rest never comes; what there is stays here until the next open declares it void.

use crate::clock::counter::Committed;
use crate::clock::{Change, Epoch, Fragment, Opens};
use crate::discarded::Discarded;
use crate::group::Place;
use crate::planted::planted;
use campanile_storage::ids::{Index, Revision};
use std::collections::{BTreeMap, VecDeque};
use std::vec::IntoIter;

/// One fragment, with the parts that came.
#[derive(Debug)]
struct Staged {
    groups: u32,
    control_index: Index,
    /// How many parts came.
    parts: u32,
    is_complete: bool,
    /// What is not in the index yet, by parts.
    changes: VecDeque<IntoIter<Change>>,
    /// Of their keys and values.
    bytes: usize,
    /// Whether that holds for every part.
    in_own_term: bool,
    /// Just before the entry of its first part: a log that is cut there brings all of them again.
    before: Place,
}

impl Staged {
    fn committed(&self, epoch: Epoch, revision: Revision) -> Option<Committed> {
        let Staged { groups, control_index, in_own_term, .. } = *self;
        self.is_complete.then_some(Committed { epoch, revision, groups, control_index, in_own_term })
    }

    fn next_change(&mut self) -> Option<Change> {
        while let Some(part) = self.changes.front_mut() {
            if let Some(next) = part.next() {
                self.bytes -= bytes_of(&next);
                return Some(next);
            }
            self.changes.pop_front();
        }
        None
    }

    /// Whether all changes are in the index.
    fn is_taken(&self) -> bool {
        self.changes.iter().all(|part| part.len() == 0)
    }
}

#[derive(Debug, Default)]
pub struct Staging {
    fragments: BTreeMap<(Revision, Epoch), Staged>,
    bytes: usize,
    /// Changes that never go into the index, or are there already.
    pub discarded: Discarded,
}

impl Staging {
    /// Stages a fragment or a part of one. Returns what the counter is to know of it, once it is complete.
    ///
    /// # Panics
    /// If it is staged already, or does not follow the part before: a log brings each once, in order, from the first on.
    pub fn insert(&mut self, epoch: Epoch, fragment: Fragment, in_own_term: bool, before: Place) -> Option<Committed> {
        let Fragment { revision, part, groups, control_index, changes } = fragment;
        let bytes = changes.iter().map(bytes_of).sum::<usize>();
        self.bytes += bytes;
        let staged = self.fragments.entry((revision, epoch)).or_insert_with(|| Staged {
            groups,
            control_index,
            parts: 0,
            is_complete: false,
            changes: VecDeque::new(),
            bytes: 0,
            in_own_term: true,
            before,
        });
        assert!(
            !staged.is_complete && staged.parts == part.number,
            "part {} of revision {revision} in epoch {epoch} comes behind {}",
            part.number,
            staged.parts
        );
        assert_eq!(
            (staged.groups, staged.control_index),
            (groups, control_index),
            "parts of revision {revision} differ"
        );
        staged.parts += 1;
        staged.bytes += bytes;
        staged.changes.push_back(changes.into_iter());
        staged.is_complete = part.is_last;
        staged.in_own_term &= in_own_term;
        staged.committed(epoch, revision)
    }

    /// Hands over the changes of everything up to a revision, in order, as many as are left. Says whether those were all.
    ///
    /// # Panics
    /// If a part is missing: a revision is visible when all its fragments are complete.
    pub fn take_up_to(
        &mut self,
        visible: Revision,
        left: &mut usize,
        mut take: impl FnMut(Epoch, Revision, &Change),
    ) -> bool {
        while let Some(mut first) = self.fragments.first_entry()
            && first.key().0 <= visible
        {
            let (revision, epoch) = *first.key();
            assert!(first.get().is_complete, "revision {revision} is visible, and a part of it is missing");
            while *left > 0
                && let Some(change) = first.get_mut().next_change()
            {
                *left -= 1;
                self.bytes -= bytes_of(&change);
                take(epoch, revision, &change);
            }
            if !first.get().is_taken() {
                return false;
            }
            first.remove();
        }
        true
    }

    /// A whole one is dropped at once: an entry holds it.
    fn discard(&mut self, staged: Staged) {
        self.bytes -= staged.bytes;
        if staged.parts > 1 {
            self.discarded.add(staged.changes);
        }
    }

    /// Drops everything up to a revision; on the primary that is visible by its window, before all its parts are applied.
    pub fn drop_up_to(&mut self, visible: Revision) {
        while let Some(first) = self.fragments.first_entry()
            && first.key().0 <= visible
        {
            let staged = first.remove();
            self.discard(staged);
        }
    }

    pub fn drop_void(&mut self, opens: &Opens) {
        let is_void = |&(revision, epoch): &(Revision, Epoch), _: &mut Staged| opens.is_void(epoch, revision);
        let void: Vec<Staged> = self.fragments.extract_if(.., is_void).map(|(_, staged)| staged).collect();
        void.into_iter().for_each(|staged| self.discard(staged));
    }

    pub fn clear(&mut self) {
        let staged = std::mem::take(&mut self.fragments).into_values();
        staged.for_each(|staged| self.discard(staged));
    }

    /// Everything that is staged of one epoch and complete, as the counter is to know it.
    pub fn report(&self, epoch: Epoch) -> Vec<Committed> {
        let staged = self.fragments.iter().filter(|((_, of), _)| *of == epoch || planted!(ReportedTwice));
        staged.filter_map(|(&(revision, epoch), staged)| staged.committed(epoch, revision)).collect()
    }

    /// Just before the first entry of which something is staged. Revisions of different reigns do not stand in the order
    /// of the log, so all are looked at.
    pub fn first_place(&self) -> Option<Place> {
        self.fragments.values().map(|staged| staged.before).min_by_key(|place| place.cut.index)
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

fn bytes_of(change: &Change) -> usize {
    match change {
        Change::Put { key, value, .. } => key.len() + value.len(),
        Change::Delete { key, .. } => key.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fragment::Part;
    use campanile_storage::ids::Term;
    use campanile_storage::log::Cut;

    const EPOCH: Epoch = Epoch { term: Term(3), attempt: 0 };

    fn part(revision: i64, number: u32, is_last: bool) -> Fragment {
        Fragment {
            revision: Revision(revision),
            part: Part { number, is_last },
            groups: 1,
            control_index: Index(0),
            changes: vec![Change::Delete { sub: number, key: "k".into() }],
        }
    }

    fn before(index: u64) -> Place {
        Place { cut: Cut { index: Index(index), term: Term(3) }, ..Place::default() }
    }

    #[test]
    fn a_fragment_counts_with_its_last_part_and_is_cut_before_its_first() {
        let mut staging = Staging::default();
        assert_eq!(staging.insert(EPOCH, part(5, 0, false), true, before(7)), None);
        assert_eq!(staging.insert(EPOCH, part(5, 1, false), false, before(8)), None);
        assert_eq!((staging.report(EPOCH), staging.bytes()), (Vec::new(), 2));
        let committed = staging.insert(EPOCH, part(5, 2, true), true, before(9)).expect("it is complete");
        assert_eq!((committed.revision, committed.in_own_term), (Revision(5), false));
        assert_eq!(staging.report(EPOCH), [committed]);
        assert_eq!(staging.report(Epoch::first_of(Term(4))), [], "another reign's are not told again");
        assert_eq!(staging.first_place(), Some(before(7)));
        let mut subs = Vec::new();
        let mut take = |staging: &mut Staging, mut left| {
            staging.take_up_to(Revision(5), &mut left, |_, _, change| match change {
                Change::Put { sub, .. } | Change::Delete { sub, .. } => subs.push(*sub),
            })
        };
        assert!(!take(&mut staging, 2));
        assert_eq!((staging.bytes(), staging.first_place()), (1, Some(before(7))));
        assert!(take(&mut staging, 1));
        assert_eq!((subs, staging.bytes(), staging.first_place()), (vec![0, 1, 2], 0, None));
    }

    #[test]
    fn parts_of_a_dead_reign_stay_until_they_are_void() {
        let mut staging = Staging::default();
        staging.insert(EPOCH, part(5, 0, false), true, before(7));
        let mut opens = Opens::default();
        opens.push(crate::clock::opens::Open { epoch: EPOCH, base: Revision(4) });
        staging.drop_void(&opens);
        assert_eq!(staging.first_place(), Some(before(7)));
        opens.push(crate::clock::opens::Open { epoch: Epoch::first_of(Term(4)), base: Revision(4) });
        staging.drop_void(&opens);
        assert_eq!((staging.bytes(), staging.first_place()), (0, None));
    }

    #[test]
    #[should_panic(expected = "part 1 of revision 5 in epoch 3.0 comes behind 0")]
    fn a_log_never_begins_within_a_fragment() {
        Staging::default().insert(EPOCH, part(5, 1, true), true, before(7));
    }

    #[test]
    #[should_panic(expected = "part 0 of revision 5 in epoch 3.0 comes behind 1")]
    fn a_part_comes_once() {
        let mut staging = Staging::default();
        staging.insert(EPOCH, part(5, 0, false), true, before(7));
        staging.insert(EPOCH, part(5, 0, false), true, before(8));
    }

    #[test]
    #[should_panic(expected = "a part of it is missing")]
    fn what_is_visible_is_complete() {
        let mut staging = Staging::default();
        staging.insert(EPOCH, part(5, 0, false), true, before(7));
        staging.take_up_to(Revision(5), &mut 1, |_, _, _| ());
    }
}
