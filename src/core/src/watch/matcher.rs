//! Which watchers want a key: a hash map for those of one key, and an interval tree for ranges. Equal ranges share a node,
//! so that a hundred thousand watchers of one prefix cost one step to find.

use super::intervals::Intervals;
use super::message::{Registration, WatcherId};
use crate::request::{KeyRange, RangeEnd};
use bytes::Bytes;
use campanile_storage::ids::Revision;
use campanile_storage::store::KeyValue;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What decides, of a watcher whose range has the key, whether it gets the event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) id: WatcherId,
    from: Revision,
    no_put: bool,
    no_delete: bool,
    pub(super) previous: bool,
}

impl Wish {
    pub(super) fn new(registration: &Registration) -> Wish {
        let Registration { id, from, no_put, no_delete, previous, .. } = *registration;
        Wish { id, from, no_put, no_delete, previous }
    }

    fn wants(&self, event: &KeyValue) -> bool {
        let filtered = if event.is_tombstone() { self.no_delete } else { self.no_put };
        !filtered && event.mod_revision() >= self.from
    }
}

/// The watchers of one range. Most ranges have one.
#[derive(Debug)]
enum Group {
    One(Wish),
    Many(BTreeMap<WatcherId, Wish>),
}

#[derive(Debug, Default)]
pub(super) struct Matcher {
    singles: FxHashMap<Bytes, Group>,
    ranges: Intervals<Group>,
}

impl Matcher {
    pub(super) fn insert(&mut self, keys: &KeyRange, wish: Wish) {
        let group = match end(keys) {
            None => match self.singles.get_mut(&keys.start) {
                Some(group) => group,
                None => {
                    self.singles.insert(keys.start.clone(), Group::One(wish));
                    return;
                }
            },
            Some(end) => self.ranges.get_or_insert_with(&keys.start, &end, || Group::One(wish)),
        };
        group.insert(wish);
    }

    pub(super) fn remove(&mut self, keys: &KeyRange, id: WatcherId) {
        match end(keys) {
            None => {
                if self.singles.get_mut(&keys.start).is_some_and(|group| group.remove(id)) {
                    self.singles.remove(&keys.start);
                }
            }
            Some(end) => {
                if self.ranges.get_mut(&keys.start, &end).is_some_and(|group| group.remove(id)) {
                    self.ranges.remove(&keys.start, &end);
                }
            }
        }
    }

    /// Collects the watchers that get this event.
    pub(super) fn find(&self, event: &KeyValue, found: &mut Vec<Wish>) {
        found.clear();
        if let Some(group) = self.singles.get(event.key()) {
            group.collect(event, found);
        }
        self.ranges.stab(event.key(), &mut |group: &Group| group.collect(event, found));
    }
}

/// Where a range ends, as the interval tree has it; `None` for a single key.
fn end(keys: &KeyRange) -> Option<Option<Bytes>> {
    match &keys.end {
        RangeEnd::Single => None,
        RangeEnd::Before(end) => Some(Some(end.clone())),
        RangeEnd::Unbounded => Some(None),
    }
}

impl Group {
    fn insert(&mut self, wish: Wish) {
        match self {
            Group::One(one) if one.id == wish.id => *one = wish,
            Group::One(one) => *self = Group::Many(BTreeMap::from([(one.id, *one), (wish.id, wish)])),
            Group::Many(many) => _ = many.insert(wish.id, wish),
        }
    }

    /// Removes a watcher. Says whether none is left.
    fn remove(&mut self, id: WatcherId) -> bool {
        match self {
            Group::One(one) => one.id == id,
            Group::Many(many) => {
                many.remove(&id);
                many.is_empty()
            }
        }
    }

    fn collect(&self, event: &KeyValue, found: &mut Vec<Wish>) {
        match self {
            Group::One(one) => found.extend(Some(*one).filter(|one| one.wants(event))),
            Group::Many(many) => found.extend(many.values().filter(|wish| wish.wants(event))),
        }
    }
}
