//! The shard half: matches what becomes visible against live registrations, and lets the others catch up.
//!
//! There is one frontier. What stands at or before it has been matched for every live registration; a registration goes
//! live at the moment when its own reading of the history reaches the frontier. Nothing is queued here: what became visible
//! is read from the store, a bounded number of changes a step. Never hands on anything above the visible revision.

use super::catch_up::{CatchUp, SliceLimits};
use super::event::WatchEvent;
use super::matcher::{Matcher, Wish};
use super::message::{FromShard, Handed, Registration, ToShard, WatcherId};
use campanile_storage::ids::{Position, Revision, ShardId};
use campanile_storage::store::{KeyValue, Store};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How far a reading of the history has come: everything at or before this position has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reading(pub(super) Position);

impl Reading {
    /// Everything up to and with this revision has been seen.
    pub(super) fn whole(revision: Revision) -> Reading {
        Reading(Position { revision, sub: u32::MAX })
    }

    /// The last revision that has been seen whole.
    pub(super) fn complete(self) -> Revision {
        if self.0.sub == u32::MAX { self.0.revision } else { Revision(self.0.revision.0 - 1) }
    }

    /// Whether no change of this revision has been seen.
    pub(super) fn is_before(self, revision: Revision) -> bool {
        self.0.revision < revision
    }

    /// The changes behind this reading, up to another one.
    pub(super) fn changes_to(self, store: &Store, until: Reading) -> impl Iterator<Item = &KeyValue> {
        store.changes_after(self.0, until.0.revision).take_while(move |change| change.position() <= until.0)
    }

    /// The reading behind a change, given the one that comes next.
    pub(super) fn behind(change: &KeyValue, next: &KeyValue) -> Reading {
        if next.mod_revision() > change.mod_revision() {
            Reading::whole(Revision(next.mod_revision().0 - 1))
        } else {
            Reading(change.position())
        }
    }
}

/// The watchers of one shard.
#[derive(Debug)]
pub struct ShardWatches {
    shard: ShardId,
    frontier: Reading,
    live: Matcher,
    registrations: FxHashMap<WatcherId, Registration>,
    /// How many live registrations each executor has: those that are to hear how far the shard is.
    executors: BTreeMap<u16, usize>,
    catch_up: CatchUp,
    /// Scratch of one look-up.
    found: Vec<Wish>,
}

impl ShardWatches {
    /// No watchers yet. `visible` is what the member may show now.
    #[must_use]
    pub fn new(shard: ShardId, visible: Revision, slices: SliceLimits) -> ShardWatches {
        ShardWatches {
            shard,
            frontier: Reading::whole(visible),
            live: Matcher::default(),
            registrations: FxHashMap::default(),
            executors: BTreeMap::new(),
            catch_up: CatchUp::new(shard, slices),
            found: Vec::new(),
        }
    }

    /// Takes a message of a stream half. What it asks for is done by the next [`step`](Self::step)s.
    pub fn receive(&mut self, message: ToShard, out: &mut Vec<(u16, FromShard)>) {
        match message {
            ToShard::Register(registration) if self.frontier.is_before(registration.from) => {
                let up_to = self.frontier.complete();
                let slice = FromShard::Slice {
                    shard: self.shard,
                    id: registration.id,
                    events: Vec::new(),
                    up_to,
                    is_live: true,
                };
                out.push((registration.id.executor(), slice));
                self.go_live(registration);
            }
            ToShard::Register(registration) => self.catch_up.add(registration),
            ToShard::Unregister(id) => {
                self.forget(id);
                self.catch_up.remove(id);
            }
        }
    }

    /// Hands on what became visible, and lets those behind catch up; looks at no more than `changes_max` changes for each
    /// of the two. Says whether there is more to do.
    ///
    /// The store holds every change up to `visible`, and is not compacted above what was handed on.
    ///
    /// # Panics
    /// If the visible revision goes back, or live registrations would miss what was compacted.
    pub fn step(
        &mut self,
        store: &Store,
        visible: Revision,
        changes_max: usize,
        out: &mut Vec<(u16, FromShard)>,
    ) -> bool {
        assert!(visible >= self.frontier.complete(), "the visible revision went back to {visible}");
        assert!(store.compacted() <= self.handed().next(), "compacted at {}, ahead of the watchers", store.compacted());
        self.hand_on(store, visible, changes_max, out);
        let mut caught_up = Vec::new();
        self.catch_up.step(store, self.frontier, changes_max, &mut caught_up, out);
        caught_up.into_iter().for_each(|registration| self.go_live(registration));
        self.frontier < Reading::whole(visible) || !self.catch_up.is_empty()
    }

    /// Everything up to here was handed on to live registrations. A compaction above it waits.
    #[must_use]
    pub fn handed(&self) -> Revision {
        self.frontier.complete()
    }

    /// Registrations that are live, and those that catch up.
    #[must_use]
    pub fn watchers(&self) -> (usize, usize) {
        (self.registrations.len(), self.catch_up.len())
    }

    fn go_live(&mut self, registration: Registration) {
        self.live.insert(&registration.keys, Wish::new(&registration));
        *self.executors.entry(registration.id.executor()).or_default() += 1;
        self.registrations.insert(registration.id, registration);
    }

    fn forget(&mut self, id: WatcherId) {
        let Some(registration) = self.registrations.remove(&id) else { return };
        self.live.remove(&registration.keys, id);
        let count = self.executors.get_mut(&id.executor()).expect("every live registration is counted");
        *count -= 1;
        if *count == 0 {
            self.executors.remove(&id.executor());
        }
    }

    fn hand_on(&mut self, store: &Store, visible: Revision, changes_max: usize, out: &mut Vec<(u16, FromShard)>) {
        let until = Reading::whole(visible);
        let before = self.frontier.complete();
        if self.registrations.is_empty() {
            self.frontier = until;
            return;
        }
        let mut batches: BTreeMap<u16, Handed> = BTreeMap::new();
        let mut changes = self.frontier.changes_to(store, until).peekable();
        for _ in 0..changes_max {
            let Some(change) = changes.next() else { break };
            self.live.find(change, &mut self.found);
            deliver(store, change, &self.found, self.shard, &mut batches);
            self.frontier = changes.peek().map_or(until, |next| Reading::behind(change, next));
        }
        if changes.peek().is_none() {
            self.frontier = until;
        }
        let up_to = self.frontier.complete();
        for executor in self.executors.keys() {
            let batch = batches.remove(executor);
            if batch.is_some() || up_to > before {
                let mut batch = batch.unwrap_or_else(|| Handed::new(self.shard));
                batch.up_to = up_to;
                out.push((*executor, FromShard::Handed(batch)));
            }
        }
    }
}

/// Makes one event of a change, and puts it into the batch of every executor that has a watcher for it.
fn deliver(store: &Store, change: &KeyValue, wishes: &[Wish], shard: ShardId, batches: &mut BTreeMap<u16, Handed>) {
    if wishes.is_empty() {
        return;
    }
    let event = event(store, change, wishes);
    for wish in wishes {
        batches.entry(wish.id.executor()).or_insert_with(|| Handed::new(shard)).push(&event, wish.id);
    }
}

/// The event of a change, with what was there before if any of those that get it asked for that.
pub(super) fn event(store: &Store, change: &KeyValue, wishes: &[Wish]) -> Arc<WatchEvent> {
    Arc::new(if wishes.iter().any(|wish| wish.previous) {
        WatchEvent::with_previous(store, change)
    } else {
        WatchEvent::new(change.clone(), None)
    })
}
