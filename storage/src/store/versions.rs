//! All held versions of one key, oldest first: at least one, and most keys have one only.
//!
//! The newest stands in the key's entry itself, so that a read of the newest state follows one pointer. Older ones
//! are behind another pointer ([`super::runs`]): compaction takes them from the front, writing adds at the back.

use super::key_value::KeyValue;
use super::runs::Runs;
use crate::ids::{Position, Revision};

/// The versions of one key in order of their positions.
#[derive(Debug)]
pub(super) struct Versions {
    newest: KeyValue,
    older: Option<Box<Runs>>,
}

impl Versions {
    pub(super) fn new(first: KeyValue) -> Versions {
        Versions { newest: first, older: None }
    }

    pub(super) fn key(&self) -> &[u8] {
        self.newest.key()
    }

    pub(super) fn newest(&self) -> &KeyValue {
        &self.newest
    }

    pub(super) fn len(&self) -> usize {
        1 + self.older.as_ref().map_or(0, |older| older.len())
    }

    /// The version at this place, counted from the oldest.
    pub(super) fn get(&self, index: usize) -> Option<&KeyValue> {
        let older = self.older.as_ref().map_or(0, |older| older.len());
        if index == older { Some(&self.newest) } else { self.older.as_ref()?.get(index) }
    }

    /// Whether the newest version is no tombstone.
    pub(super) fn is_alive(&self) -> bool {
        !self.newest.is_tombstone()
    }

    /// What a read at this revision sees.
    pub(super) fn alive_at(&self, at: Revision) -> Option<&KeyValue> {
        let version = if self.newest.mod_revision() <= at {
            &self.newest
        } else {
            let older = self.older.as_ref()?;
            older.get(older.partition_point(|version| version.mod_revision() <= at).checked_sub(1)?)?
        };
        (!version.is_tombstone()).then_some(version)
    }

    /// How many versions stand at or before this position.
    pub(super) fn count_to(&self, position: Position) -> usize {
        if self.newest.position() <= position {
            return self.len();
        }
        self.older.as_ref().map_or(0, |older| older.partition_point(|version| version.position() <= position))
    }

    /// How many of the oldest versions a compaction at `compacted` removes: all but the newest one at or below it,
    /// and that one too if it is a tombstone of an earlier revision. (etcd keeps a tombstone of exactly `compacted`,
    /// so that a watch from there sees the deletion.)
    pub(super) fn compactable(&self, compacted: Revision) -> usize {
        let below = self.count_to(Position { revision: compacted, sub: u32::MAX });
        let Some(last) = below.checked_sub(1) else { return 0 };
        let kept = self.get(last).expect("fewer than all versions are below");
        if kept.is_tombstone() && kept.mod_revision() < compacted { below } else { last }
    }

    /// Adds a version, which is newer than all.
    pub(super) fn push(&mut self, version: KeyValue) {
        let former = std::mem::replace(&mut self.newest, version);
        self.older.get_or_insert_default().push_newest(former);
    }

    /// Takes the newest version; [`None`] if it is the only one, and then the key's entry is to go.
    pub(super) fn pop_newest(&mut self) -> Option<KeyValue> {
        let before = self.older.as_mut()?.pop_newest().expect(OLDER);
        let popped = std::mem::replace(&mut self.newest, before);
        self.drop_empty();
        Some(popped)
    }

    /// Takes the oldest version; [`None`] if it is the only one, and then the key's entry is to go.
    pub(super) fn pop_oldest(&mut self) -> Option<KeyValue> {
        let popped = self.older.as_mut()?.pop_oldest().expect(OLDER);
        self.drop_empty();
        Some(popped)
    }

    fn drop_empty(&mut self) {
        self.older.take_if(|older| older.len() == 0);
    }

    /// Resident bytes beside the entry and the versions themselves.
    pub(super) fn bytes(&self) -> usize {
        self.older.as_ref().map_or(0, |older| older.bytes())
    }
}

const OLDER: &str = "what holds older versions is never empty";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LeaseId;

    fn at(revision: i64) -> Position {
        Position { revision: Revision(revision), sub: 0 }
    }

    fn put(revision: i64) -> KeyValue {
        KeyValue::new(b"k", b"v", Revision(revision), at(revision), 1, LeaseId::NONE)
    }

    fn sample() -> Versions {
        let mut versions = Versions::new(put(2));
        versions.push(put(4));
        versions.push(KeyValue::tombstone(b"k", at(6)));
        versions.push(put(8));
        versions
    }

    #[test]
    fn a_read_sees_the_newest_version_up_to_its_revision() {
        let versions = sample();
        let seen = |at| versions.alive_at(Revision(at)).map(|version| version.mod_revision().0);
        let all: Vec<_> = (1..=9).map(seen).collect();
        assert_eq!(all, [None, Some(2), Some(2), Some(4), Some(4), None, None, Some(8), Some(8)]);
        assert_eq!(versions.alive_at(Revision::NEWEST).map(KeyValue::mod_revision), Some(Revision(8)));
    }

    #[test]
    fn compaction_keeps_the_newest_below_it_and_a_tombstone_only_at_its_own_revision() {
        let versions = sample();
        let removed: Vec<_> = (1..=9).map(|compacted| versions.compactable(Revision(compacted))).collect();
        assert_eq!(removed, [0, 0, 0, 1, 1, 2, 3, 3, 3]);
    }

    #[test]
    fn versions_leave_at_both_ends_and_the_last_one_stays() {
        let mut versions = sample();
        assert_eq!(versions.pop_newest().map(|version| version.mod_revision()), Some(Revision(8)));
        assert_eq!(versions.pop_oldest().map(|version| version.mod_revision()), Some(Revision(2)));
        assert!(!versions.is_alive());
        assert_eq!(versions.pop_oldest().map(|version| version.mod_revision()), Some(Revision(4)));
        assert_eq!((versions.len(), versions.pop_newest(), versions.pop_oldest()), (1, None, None));
        assert_eq!(versions.bytes(), 0);
    }
}
