//! The keyspace as the next operation of a transaction finds it: a view, with the transaction's own effects above it.

use super::view::View;
use crate::request::{KeyRange, RangeEnd};
use bytes::Bytes;
use campanile_storage::ids::{Revision, ShardId};
use campanile_storage::store::KeyValue;
use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;

/// What a transaction made of one key.
#[derive(Debug)]
pub(super) struct Effect {
    /// `None` if it was deleted.
    now: Option<KeyValue>,
    /// Whether the key was there before the transaction.
    before: bool,
}

pub(super) type Effects = BTreeMap<Bytes, Effect>;

/// A key that an operation comes to.
pub(super) enum Seen<'a> {
    /// It is there, and was found in this shard, if the view knows it.
    There(KeyValue, Option<ShardId>),
    /// An operation before has deleted it.
    Gone(&'a Bytes),
}

impl Seen<'_> {
    pub(super) fn key(&self) -> &[u8] {
        match self {
            Seen::There(key_value, _) => key_value.key(),
            Seen::Gone(key) => key,
        }
    }
}

/// The newest state of a view, and what was done since. Older revisions are read from the view itself.
pub(super) struct Overlay<'v, V> {
    pub(super) view: &'v V,
    pub(super) newest: Revision,
    pub(super) effects: &'v mut Effects,
}

impl<V: View> Overlay<'_, V> {
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

    /// The keys of the range in key order, those that are gone among them: whoever goes through them in slices counts
    /// these too.
    pub(super) fn seen<'a>(&'a self, keys: &'a KeyRange) -> impl Iterator<Item = Seen<'a>> {
        Merged {
            view: self.view.range_with_owners(keys, self.newest).peekable(),
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

impl<'a, V, E> Iterator for Merged<V, E>
where
    V: Iterator<Item = (KeyValue, Option<ShardId>)>,
    E: Iterator<Item = (&'a Bytes, &'a Effect)>,
{
    type Item = Seen<'a>;

    fn next(&mut self) -> Option<Seen<'a>> {
        let of_view = |(key_value, owner)| Seen::There(key_value, owner);
        let Some((key, _)) = self.effects.peek() else { return self.view.next().map(of_view) };
        let mut owner = None;
        match self.view.peek().map(|(found, _)| found.key().cmp(key)) {
            Some(Ordering::Less) => return self.view.next().map(of_view),
            Some(Ordering::Equal) => owner = self.view.next().and_then(|(_, owner)| owner),
            Some(Ordering::Greater) | None => {}
        }
        let (key, effect) = self.effects.next()?;
        Some(effect.now.clone().map_or(Seen::Gone(key), |now| Seen::There(now, owner)))
    }
}
