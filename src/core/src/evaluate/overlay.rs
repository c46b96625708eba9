//! The keyspace as the next operation of a transaction finds it: a view, with the transaction's own effects above it.

use super::view::View;
use crate::request::{KeyRange, RangeEnd};
use bytes::Bytes;
use campanile_storage::ids::Revision;
use campanile_storage::store::KeyValue;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;

/// What a transaction made of one key.
struct Effect {
    /// `None` if it was deleted.
    now: Option<KeyValue>,
    /// Whether the key was there before the transaction.
    before: bool,
}

/// The newest state of a view, and what was done since. Older revisions are read from the view itself.
pub(super) struct Overlay<'v, V> {
    view: &'v V,
    newest: Revision,
    effects: BTreeMap<Bytes, Effect>,
}

impl<'v, V: View> Overlay<'v, V> {
    pub(super) fn new(view: &'v V, newest: Revision) -> Overlay<'v, V> {
        Overlay { view, newest, effects: BTreeMap::new() }
    }

    pub(super) fn set(&mut self, key: Bytes, now: Option<KeyValue>) {
        match self.effects.entry(key) {
            btree_map::Entry::Occupied(mut effect) => effect.get_mut().now = now,
            btree_map::Entry::Vacant(vacant) => {
                let before = self.view.get(vacant.key(), self.newest).is_some();
                vacant.insert(Effect { now, before });
            }
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<KeyValue> {
        match self.effects.get(key) {
            Some(effect) => effect.now.clone(),
            None => self.view.get(key, self.newest),
        }
    }

    pub(super) fn range<'a>(&'a self, keys: &'a KeyRange) -> impl Iterator<Item = KeyValue> {
        Merged {
            view: self.view.range(keys, self.newest).peekable(),
            effects: self.effects_in(keys).into_iter().flatten().peekable(),
        }
    }

    pub(super) fn count(&self, keys: &KeyRange) -> u64 {
        let (mut born, mut gone) = (0, 0);
        for (_, effect) in self.effects_in(keys).into_iter().flatten() {
            born += u64::from(effect.now.is_some() && !effect.before);
            gone += u64::from(effect.now.is_none() && effect.before);
        }
        self.view.count(keys, self.newest) + born - gone
    }

    fn effects_in(&self, keys: &KeyRange) -> Option<btree_map::Range<'_, Bytes, Effect>> {
        if keys.is_empty() {
            return None;
        }
        let start = Bound::Included(&keys.start);
        let end = match &keys.end {
            RangeEnd::Single => start,
            RangeEnd::Before(end) => Bound::Excluded(end),
            RangeEnd::Unbounded => Bound::Unbounded,
        };
        Some(self.effects.range::<Bytes, _>((start, end)))
    }
}

/// Two ordered runs of keys as one; where both have a key, the effect is what counts.
struct Merged<V: Iterator, E: Iterator> {
    view: Peekable<V>,
    effects: Peekable<E>,
}

impl<'o, V, E> Iterator for Merged<V, E>
where
    V: Iterator<Item = KeyValue>,
    E: Iterator<Item = (&'o Bytes, &'o Effect)>,
{
    type Item = KeyValue;

    fn next(&mut self) -> Option<KeyValue> {
        loop {
            let Some((key, effect)) = self.effects.peek() else { return self.view.next() };
            match self.view.peek().map(|found| found.key().cmp(key)) {
                Some(std::cmp::Ordering::Less) => return self.view.next(),
                Some(std::cmp::Ordering::Equal) => _ = self.view.next(),
                Some(std::cmp::Ordering::Greater) | None => {}
            }
            let now = effect.now.clone();
            self.effects.next();
            if now.is_some() {
                return now;
            }
        }
    }
}
