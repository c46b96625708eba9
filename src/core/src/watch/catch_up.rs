//! Registrations that start in the past read the history in slices, many of them in one pass over it.
//!
//! One pass serves a group: it begins at the earliest start among them and goes forward, a bounded number of changes a
//! step, past what none of them wants. Who has a full slice leaves with it and asks again; who reaches the frontier goes
//! live there. A registration that starts behind the pass joins it, any other waits for the next one. A slice ends with a
//! whole revision, however large that is, for a revision is delivered whole.

use super::event::WatchEvent;
use super::matcher::{Matcher, Wish};
use super::message::{FromShard, Registration, WatcherId};
use super::shard::{Reading, event};
use campanile_storage::ids::{Revision, ShardId};
use campanile_storage::store::{KeyValue, Store};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a slice of history holds, as a rule, in bytes.
pub(super) const SLICE_BYTES: usize = 256 << 10;

/// Bounds of one pass over the history.
#[derive(Clone, Copy, Debug)]
pub struct SliceLimits {
    /// A slice is full with so many events, or with so many bytes of them.
    pub events: usize,
    pub bytes: usize,
    /// Registrations in one pass; together with a slice's bounds this bounds what a pass holds.
    pub registrations: usize,
}

impl Default for SliceLimits {
    fn default() -> SliceLimits {
        SliceLimits { events: 1_000, bytes: SLICE_BYTES, registrations: 1_024 }
    }
}

#[derive(Debug)]
struct Member {
    registration: Registration,
    events: Vec<Arc<WatchEvent>>,
    bytes: usize,
}

/// The registrations of one shard that are behind its frontier.
#[derive(Debug)]
pub(super) struct CatchUp {
    shard: ShardId,
    limits: SliceLimits,
    members: FxHashMap<WatcherId, Member>,
    matcher: Matcher,
    /// How far the pass is.
    reading: Reading,
    /// Members whose slice is full, to leave with the end of the revision.
    full: Vec<WatcherId>,
    waiting: FxHashMap<WatcherId, Registration>,
    /// Who waits, in the order of arrival; some may be gone.
    queue: VecDeque<WatcherId>,
    found: Vec<Wish>,
}

impl CatchUp {
    pub(super) fn new(shard: ShardId, limits: SliceLimits) -> CatchUp {
        CatchUp {
            shard,
            limits,
            members: FxHashMap::default(),
            matcher: Matcher::default(),
            reading: Reading::whole(Revision(0)),
            full: Vec::new(),
            waiting: FxHashMap::default(),
            queue: VecDeque::new(),
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, registration: Registration) {
        let under_way = !self.members.is_empty() && self.members.len() < self.limits.registrations;
        if under_way && self.reading.is_before(registration.from) {
            self.join(registration);
        } else {
            self.queue.push_back(registration.id);
            self.waiting.insert(registration.id, registration);
        }
    }

    pub(super) fn remove(&mut self, id: WatcherId) {
        self.leave(id);
        self.waiting.remove(&id);
    }

    pub(super) fn len(&self) -> usize {
        self.members.len() + self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads on, over at most `changes_max` changes. Who reaches the frontier is moved to `caught_up`.
    pub(super) fn step(
        &mut self,
        store: &Store,
        frontier: Reading,
        changes_max: usize,
        caught_up: &mut Vec<Registration>,
        out: &mut Vec<(u16, FromShard)>,
    ) {
        let mut left = changes_max;
        while left > 0 {
            self.cut_off(store.compacted(), out);
            if self.members.is_empty() {
                self.begin(store.compacted(), out);
            }
            if self.members.is_empty() {
                return;
            }
            if self.read(store, frontier, &mut left, out) {
                self.finish(frontier, caught_up, out);
            }
        }
    }

    fn join(&mut self, registration: Registration) {
        self.matcher.insert(&registration.keys, Wish::new(&registration));
        let member = Member { registration, events: Vec::new(), bytes: 0 };
        self.members.insert(member.registration.id, member);
    }

    fn leave(&mut self, id: WatcherId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        self.matcher.remove(&member.registration.keys, id);
        Some(member)
    }

    /// Begins a pass with those that have waited longest.
    fn begin(&mut self, compacted: Revision, out: &mut Vec<(u16, FromShard)>) {
        let mut earliest = Revision::NEWEST;
        while self.members.len() < self.limits.registrations {
            let Some(id) = self.queue.pop_front() else { break };
            let Some(registration) = self.waiting.remove(&id) else { continue };
            if registration.from < compacted {
                out.push((id.executor(), FromShard::Compacted { id, compacted }));
                continue;
            }
            earliest = earliest.min(registration.from);
            self.join(registration);
        }
        self.reading = Reading::whole(Revision(earliest.0 - 1));
        self.full.clear();
    }

    /// Ends those that still want what is compacted.
    fn cut_off(&mut self, compacted: Revision, out: &mut Vec<(u16, FromShard)>) {
        let next = self.reading.complete().next();
        if compacted <= next {
            return;
        }
        let missed = |member: &&Member| member.registration.from.max(next) < compacted;
        let missed: Vec<_> = self.members.values().filter(missed).map(|member| member.registration.id).collect();
        for id in missed {
            self.leave(id);
            out.push((id.executor(), FromShard::Compacted { id, compacted }));
        }
    }

    /// Passes over what no member wants: who would be next waits for the pass to end. Looks at all members, once a poll and
    /// once for each slice that leaves.
    fn skip(&mut self) {
        let first = self.members.values().map(|member| member.registration.from).min();
        if let Some(first) = first {
            self.reading = self.reading.max(Reading::whole(Revision(first.0 - 1)));
        }
    }

    /// Reads on until the frontier, the budget or a departure. Says whether the frontier is reached.
    fn read(&mut self, store: &Store, frontier: Reading, left: &mut usize, out: &mut Vec<(u16, FromShard)>) -> bool {
        self.skip();
        let mut changes = self.reading.changes_to(store, frontier).peekable();
        while *left > 0 && !self.members.is_empty() {
            let Some(change) = changes.next() else { return true };
            *left -= 1;
            self.take(store, change);
            let Some(next) = changes.peek() else { return true };
            self.reading = Reading::behind(change, next);
            if self.reading.complete() >= change.mod_revision() && !self.full.is_empty() {
                self.release_full(out);
                return false;
            }
        }
        changes.peek().is_none()
    }

    fn take(&mut self, store: &Store, change: &KeyValue) {
        self.matcher.find(change, &mut self.found);
        if self.found.is_empty() {
            return;
        }
        let event = event(store, change, &self.found);
        for wish in &self.found {
            let member = self.members.get_mut(&wish.id).expect("the matcher knows members only");
            let was_full = member.is_full(self.limits);
            member.bytes += event.bytes(wish.previous);
            member.events.push(event.clone());
            if !was_full && member.is_full(self.limits) {
                self.full.push(wish.id);
            }
        }
    }

    /// Sends those off whose slice is full; the reading stands at the end of a revision.
    fn release_full(&mut self, out: &mut Vec<(u16, FromShard)>) {
        let up_to = self.reading.complete();
        for id in std::mem::take(&mut self.full) {
            if let Some(member) = self.leave(id) {
                out.push((id.executor(), self.slice(member.events, id, up_to, false)));
            }
        }
    }

    /// The frontier is reached: all members go live there.
    fn finish(&mut self, frontier: Reading, caught_up: &mut Vec<Registration>, out: &mut Vec<(u16, FromShard)>) {
        self.reading = frontier;
        let mut ids: Vec<_> = self.members.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Member { registration, events, .. } = self.leave(id).expect("it was just listed");
            out.push((id.executor(), self.slice(events, id, frontier.complete(), true)));
            caught_up.push(registration);
        }
    }

    fn slice(&self, events: Vec<Arc<WatchEvent>>, id: WatcherId, up_to: Revision, is_live: bool) -> FromShard {
        FromShard::Slice { shard: self.shard, id, events, up_to, is_live }
    }
}

impl Member {
    fn is_full(&self, limits: SliceLimits) -> bool {
        self.events.len() >= limits.events || self.bytes >= limits.bytes
    }
}
