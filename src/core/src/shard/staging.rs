//! Fragments that are committed, valid as far as this member knows, and not in the index yet (or, on the primary, not
//! visible yet): the log will not bring them again.

use crate::clock::counter::Committed;
use crate::clock::{Change, Epoch, Fragment, Opens};
use crate::group::Place;
use campanile_storage::ids::Revision;
use std::collections::BTreeMap;

#[derive(Debug)]
struct Staged {
    fragment: Fragment,
    in_own_term: bool,
    /// Just before its entry.
    before: Place,
}

#[derive(Debug, Default)]
pub struct Staging {
    fragments: BTreeMap<(Revision, Epoch), Staged>,
    bytes: usize,
}

impl Staging {
    /// Stages a fragment, and returns what the counter is to know of it.
    ///
    /// # Panics
    /// If the fragment is staged already: a log brings each once.
    pub fn insert(&mut self, epoch: Epoch, fragment: Fragment, in_own_term: bool, before: Place) -> Committed {
        let committed = committed(epoch, &fragment, in_own_term);
        self.bytes += bytes_of(&fragment);
        let before = self.fragments.insert((fragment.revision, epoch), Staged { fragment, in_own_term, before });
        assert!(before.is_none(), "two fragments of revision {} in epoch {epoch}", committed.revision);
        committed
    }

    /// Hands over everything up to a revision, in order.
    pub fn take_up_to(&mut self, visible: Revision, mut take: impl FnMut(Epoch, &Fragment)) {
        while let Some(first) = self.fragments.first_entry()
            && first.key().0 <= visible
        {
            let ((_, epoch), staged) = first.remove_entry();
            self.bytes -= bytes_of(&staged.fragment);
            take(epoch, &staged.fragment);
        }
    }

    pub fn drop_up_to(&mut self, visible: Revision) {
        self.take_up_to(visible, |_, _| ());
    }

    pub fn drop_void(&mut self, opens: &Opens) {
        let bytes = &mut self.bytes;
        self.fragments.retain(|&(revision, epoch), staged| {
            let void = opens.is_void(epoch, revision);
            if void {
                *bytes -= bytes_of(&staged.fragment);
            }
            !void
        });
    }

    pub fn clear(&mut self) {
        self.fragments.clear();
        self.bytes = 0;
    }

    /// Everything that is staged, as the counter is to know it.
    pub fn report(&self) -> Vec<Committed> {
        let staged = self.fragments.iter();
        staged.map(|(&(_, epoch), staged)| committed(epoch, &staged.fragment, staged.in_own_term)).collect()
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

fn committed(epoch: Epoch, fragment: &Fragment, in_own_term: bool) -> Committed {
    Committed {
        epoch,
        revision: fragment.revision,
        groups: fragment.groups,
        control_index: fragment.control_index,
        in_own_term,
    }
}

fn bytes_of(fragment: &Fragment) -> usize {
    let change_bytes = |change: &Change| match change {
        Change::Put { key, value, .. } => key.len() + value.len(),
        Change::Delete { key, .. } => key.len(),
    };
    fragment.changes.iter().map(change_bytes).sum()
}
