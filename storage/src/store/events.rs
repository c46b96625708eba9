//! The history as watches want it: what changed, in the order in which it changed, each with what was there before.

use super::Store;
use super::key_value::KeyValue;
use crate::ids::{Position, Revision};

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What the key became; a tombstone if it was deleted.
    pub kv: KeyValue,
    /// What the key was before. [`None`] if it was created by this change, and if that version is compacted: it is
    /// the state at the revision before the change, which must not be below the compacted one.
    pub previous: Option<KeyValue>,
}

impl Store {
    /// All changes of the revisions `from` to `to`, both included, ordered by position. `from` is not below
    /// [`compacted`](Store::compacted), or changes are missing.
    pub fn events(&self, from: Revision, to: Revision) -> impl Iterator<Item = Event> {
        self.events_of(Position { revision: from, sub: 0 }, to)
    }

    /// All changes behind this position, up to and with revision `to`: how a caller goes on that stopped within
    /// [`events`](Store::events), be it in the middle of a transaction.
    pub fn events_after(&self, after: Position, to: Revision) -> impl Iterator<Item = Event> {
        self.events_of(behind(after), to)
    }

    /// As [`events`](Store::events), without what was there before: no look-up for each.
    pub fn changes(&self, from: Revision, to: Revision) -> impl Iterator<Item = &KeyValue> {
        self.changes_of(Position { revision: from, sub: 0 }, to)
    }

    /// As [`events_after`](Store::events_after), without what was there before.
    pub fn changes_after(&self, after: Position, to: Revision) -> impl Iterator<Item = &KeyValue> {
        self.changes_of(behind(after), to)
    }

    /// What the key of this version was before it, by the rule of [`Event::previous`].
    #[must_use]
    pub fn previous(&self, version: &KeyValue) -> Option<&KeyValue> {
        let created = version.version() == 1;
        if created || version.mod_revision() <= self.compacted() {
            return None;
        }
        let versions = self.index.get(version.key())?;
        let before = versions.get(versions.count_to(version.position()).checked_sub(2)?)?;
        (!before.is_tombstone()).then_some(before)
    }

    fn events_of(&self, from: Position, to: Revision) -> impl Iterator<Item = Event> {
        self.changes_of(from, to).map(|kv| Event { kv: kv.clone(), previous: self.previous(kv).cloned() })
    }

    fn changes_of(&self, from: Position, to: Revision) -> impl Iterator<Item = &KeyValue> {
        let changes = self.history.from(from).take_while(move |version| version.mod_revision() <= to);
        changes.filter(|version| version.mod_revision() > self.compacted() || !self.is_compacted(version))
    }

    /// Whether a change at the compacted revision itself is dropped, because its own transaction changed the key again
    /// (sibling transactions in a transaction can), though the sweep may not have removed it yet.
    fn is_compacted(&self, version: &KeyValue) -> bool {
        self.index
            .get(version.key())
            .is_some_and(|versions| versions.count_to(version.position()) <= versions.compactable(self.compacted()))
    }
}

/// The first position behind this one.
pub(super) fn behind(position: Position) -> Position {
    match position.sub.checked_add(1) {
        Some(sub) => Position { sub, ..position },
        None => Position { revision: position.revision.next(), sub: 0 },
    }
}
