//! The stream half: all watch streams whose connections an executor owns, and the way from a shard's message to them.
//!
//! Every function leaves what is to be done in `out`, in order. Responses wait in their stream until the connection takes
//! them; a client that takes none costs what [`StreamLimits`] allow, and no more.

use super::catch_up::SLICE_BYTES;
use super::event::WatchEvent;
use super::leg::{Leg, State};
use super::merge::{CreateWatch, Watch};
use super::message::{FromShard, Handed, Registration, ToShard, WatcherId};
use super::response::WatchResponse;
use super::stream::{Stream, StreamLimits};
use crate::error::UserError;
use crate::evaluate::shards_of;
use crate::planted::planted;
use crate::time::Instant;
use campanile_storage::ids::{Revision, ShardId};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Room kept for the slice of a leg that asks for nothing old; it is empty as a rule.
const FRESH_SLICE_BYTES: usize = 1 << 10;

/// Which of so many shards has a key.
pub type Owner = fn(key: &[u8], shards: u32) -> ShardId;

/// A client's watch stream, as the executor that owns its connection names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What is to be done.
#[derive(Clone, Debug)]
pub enum StreamEffect {
    /// Tell the shard half of this shard.
    ToShard { shard: ShardId, message: ToShard },
    /// The stream has responses, and had none before. [`Streams::take`] them until there are none.
    Ready(StreamId),
}

/// Where a registration's events go.
#[derive(Clone, Copy, Debug)]
struct Route {
    stream: StreamId,
    watch: i64,
    leg: usize,
}

/// The watch streams of one executor.
#[derive(Debug)]
pub struct Streams {
    executor: u16,
    owner: Owner,
    limits: StreamLimits,
    streams: FxHashMap<StreamId, Stream>,
    routes: FxHashMap<WatcherId, Route>,
    registered: u64,
    /// By shard: everything up to here has been handed on to this executor's live legs.
    handed: Vec<Revision>,
    /// The newest revision that the member is known to show.
    visible: Revision,
    /// Watches with events that wait for another leg.
    waiting: BTreeSet<(StreamId, i64)>,
    /// Streams that were asked how far they are, and have not answered.
    questions: BTreeSet<StreamId>,
    /// When each stream's next notices are due.
    notices: BTreeSet<(Instant, StreamId)>,
}

impl Streams {
    /// # Panics
    /// Without shards: a member learns their number before it serves.
    #[must_use]
    pub fn new(executor: u16, shards: u32, owner: Owner, limits: StreamLimits) -> Streams {
        assert!(shards > 0, "a keyspace has shards");
        Streams {
            executor,
            owner,
            limits,
            streams: FxHashMap::default(),
            routes: FxHashMap::default(),
            registered: 0,
            handed: vec![Revision(0); shards as usize],
            visible: Revision(0),
            waiting: BTreeSet::new(),
            questions: BTreeSet::new(),
            notices: BTreeSet::new(),
        }
    }

    // ---- what the client does ----

    /// A client opens a stream. `notice_interval`: after so long without an event a watch that asked for it is told how
    /// far it is (etcd: ten minutes, and up to a tenth more, drawn by the caller for each stream).
    ///
    /// # Panics
    /// If the id is taken, or the interval is nothing.
    pub fn open(&mut self, id: StreamId, now: Instant, notice_interval: Duration) {
        assert!(!notice_interval.is_zero(), "notices have an interval");
        let stream = Stream::new(now, notice_interval);
        self.notices.insert((stream.notice_due, id));
        assert!(self.streams.insert(id, stream).is_none(), "stream {id:?} is open already");
    }

    /// The stream is over, with all its watches.
    pub fn close(&mut self, id: StreamId, out: &mut Vec<StreamEffect>) {
        let Some(stream) = self.streams.remove(&id) else { return };
        self.notices.remove(&(stream.notice_due, id));
        self.questions.remove(&id);
        for (watch_id, watch) in stream.watches {
            self.give_up(id, watch_id, watch, out);
        }
    }

    /// Whether the stream takes another request now; if not, its client has to read first.
    #[must_use]
    pub fn is_accepting(&self, id: StreamId) -> bool {
        self.streams.get(&id).is_some_and(Stream::is_accepting)
    }

    /// A client creates a watch, and is answered at once. `visible` is what the member shows.
    pub fn create(&mut self, id: StreamId, wish: CreateWatch, visible: Revision, out: &mut Vec<StreamEffect>) {
        self.visible = visible.max(self.visible);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let watch_id = match stream.admit(&wish) {
            Ok(watch_id) => watch_id,
            Err(reason) => {
                ready(stream.refuse(reason, visible), id, out);
                return;
            }
        };
        let created = WatchResponse { watch_id, revision: visible, created: true, ..WatchResponse::default() };
        ready(stream.push(created), id, out);
        let coming = if planted!(WatchBeginsEarly) { visible } else { visible.next() };
        let from = if wish.start.0 == 0 { coming } else { wish.start };
        let unregistered = WatcherId::new(self.executor, 0);
        let shards = u32::try_from(self.handed.len()).expect("it was made of a u32");
        let legs = shards_of(&wish.keys, shards, |key| (self.owner)(key, shards))
            .map(|shard| Leg::new(shard, unregistered, from))
            .collect();
        stream.watches.insert(watch_id, Watch { wish, legs, is_idle: true });
        stream.hungry.insert(watch_id);
        self.ask(id, out);
    }

    /// A watch that may not be: answers as etcd does, with id -1 and the reason.
    pub fn refuse(&mut self, id: StreamId, reason: UserError, visible: Revision, out: &mut Vec<StreamEffect>) {
        if let Some(stream) = self.streams.get_mut(&id) {
            ready(stream.refuse(reason, visible), id, out);
        }
    }

    /// A client cancels a watch. One that is not there is not answered.
    pub fn cancel(&mut self, id: StreamId, watch_id: i64, visible: Revision, out: &mut Vec<StreamEffect>) {
        let canceled = WatchResponse { watch_id, revision: visible, canceled: true, ..WatchResponse::default() };
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.ended.remove(&watch_id) {
            ready(stream.push(canceled), id, out);
        } else {
            self.end_watch(id, watch_id, canceled, out);
        }
    }

    /// A client asks how far the stream is. It is answered once everything that the member shows now has been sent to
    /// every watch, at once or later; of several questions that wait, the last counts. Without watches, and while one
    /// begins in the future, there is no answer, as in etcd.
    pub fn request_progress(&mut self, id: StreamId, visible: Revision, out: &mut Vec<StreamEffect>) {
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.watches.values().all(|watch| watch.wish.start <= visible)
        {
            stream.progress_wanted = Some(visible);
            self.questions.insert(id);
            self.answer_questions(out);
        }
    }

    /// The next response for the connection; `None` if the client has everything.
    pub fn take(&mut self, id: StreamId, out: &mut Vec<StreamEffect>) -> Option<WatchResponse> {
        let stream = self.streams.get_mut(&id)?;
        let response = stream.pop();
        if !stream.hungry.is_empty() {
            self.ask(id, out);
        }
        response
    }

    /// Sends the notices that are due.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<StreamEffect>) {
        while let Some((due, id)) = self.notices.first().copied().filter(|(due, _)| *due <= now) {
            self.notices.remove(&(due, id));
            let stream = self.streams.get_mut(&id).expect("notices are due on open streams alone");
            ready(stream.notify(&self.handed), id, out);
            self.notices.insert((stream.notice_due, id));
        }
    }

    /// Streams and watches that are open.
    #[must_use]
    pub fn open_streams(&self) -> (usize, usize) {
        (self.streams.len(), self.streams.values().map(|stream| stream.watches.len()).sum())
    }

    /// Bytes of events that a stream holds, unread or waiting for another shard.
    #[must_use]
    pub fn held_bytes(&self, id: StreamId) -> usize {
        self.streams.get(&id).map_or(0, Stream::held_bytes)
    }

    // ---- what shards say ----

    pub fn receive(&mut self, message: FromShard, out: &mut Vec<StreamEffect>) {
        match message {
            FromShard::Handed(handed) => self.handed(&handed, out),
            FromShard::Slice { shard, id, events, up_to, is_live } => {
                self.slice(shard, id, events, up_to, is_live, out);
            }
            FromShard::Compacted { id, compacted } => {
                if let Some(route) = self.routes.get(&id).copied() {
                    let canceled = WatchResponse {
                        watch_id: route.watch,
                        canceled: true,
                        compact_revision: compacted,
                        ..WatchResponse::default()
                    };
                    self.end_watch(route.stream, route.watch, canceled, out);
                    if let Some(stream) = self.streams.get_mut(&route.stream) {
                        stream.ended.insert(route.watch);
                    }
                }
            }
        }
        self.answer_questions(out);
    }

    fn handed(&mut self, batch: &Handed, out: &mut Vec<StreamEffect>) {
        for (event, watchers) in batch.events() {
            for id in watchers {
                self.append(*id, event, out);
            }
        }
        self.visible = batch.up_to.max(self.visible);
        let handed = &mut self.handed[batch.shard.0 as usize];
        *handed = batch.up_to.max(*handed);
        self.deliver_waiting(out);
    }

    /// Adds an event to a live leg, or gives the leg up if its stream holds too much.
    fn append(&mut self, id: WatcherId, event: &Arc<WatchEvent>, out: &mut Vec<StreamEffect>) {
        let Some(route) = self.routes.get(&id).copied() else { return };
        let stream = self.streams.get_mut(&route.stream).expect("a route leads to an open stream");
        let is_full = stream.held_bytes() >= self.limits.held_bytes_max;
        let watch = stream.watches.get_mut(&route.watch).expect("a route leads to a watch");
        let leg = &mut watch.legs[route.leg];
        self.waiting.insert((route.stream, route.watch));
        if !is_full {
            leg.push(event.clone());
            stream.queued_bytes += event.bytes(watch.wish.previous);
            return;
        }
        let dropped = leg.rest(&self.handed);
        out.push(StreamEffect::ToShard { shard: leg.shard, message: ToShard::Unregister(id) });
        stream.queued_bytes -= dropped.iter().map(|event| watch.event_bytes(event)).sum::<usize>();
        if watch.is_hungry() {
            stream.hungry.insert(route.watch);
        }
        self.routes.remove(&id);
    }

    fn slice(
        &mut self,
        shard: ShardId,
        id: WatcherId,
        events: Vec<Arc<WatchEvent>>,
        up_to: Revision,
        is_live: bool,
        out: &mut Vec<StreamEffect>,
    ) {
        if is_live {
            // True for every live leg, also if this one is given up meanwhile: what came before was handed on before.
            let handed = &mut self.handed[shard.0 as usize];
            *handed = up_to.max(*handed);
        }
        let Some(route) = self.routes.get(&id).copied() else { return };
        let stream = self.streams.get_mut(&route.stream).expect("a route leads to an open stream");
        let watch = stream.watches.get_mut(&route.watch).expect("a route leads to a watch");
        let bytes = events.iter().map(|event| watch.event_bytes(event)).sum::<usize>();
        let leg = &mut watch.legs[route.leg];
        if let State::Asked { reserved_bytes } = leg.state {
            stream.reserved_bytes -= reserved_bytes;
            stream.asked -= 1;
        }
        leg.slice(events, up_to, is_live);
        if !is_live {
            self.routes.remove(&id);
        }
        stream.queued_bytes += bytes;
        ready(stream.deliver(route.watch, &self.handed, true), route.stream, out);
        if stream.watches.get(&route.watch).is_some_and(Watch::is_waiting) {
            self.waiting.insert((route.stream, route.watch));
        }
        self.ask(route.stream, out);
        self.deliver_waiting(out);
    }

    /// Sends what became complete on the watches that wait.
    fn deliver_waiting(&mut self, out: &mut Vec<StreamEffect>) {
        let mut starved = BTreeSet::new();
        for (id, watch_id) in std::mem::take(&mut self.waiting) {
            let stream = self.streams.get_mut(&id).expect("what waits, waits on an open stream");
            ready(stream.deliver(watch_id, &self.handed, false), id, out);
            if stream.watches.get(&watch_id).is_some_and(Watch::is_waiting) {
                self.waiting.insert((id, watch_id));
            }
            if !stream.hungry.is_empty() {
                starved.insert(id);
            }
        }
        for id in starved {
            self.ask(id, out);
        }
    }

    /// Lets legs ask for their next slice, as far as their stream has room. A watch that starts above what is shown expects
    /// nothing old.
    fn ask(&mut self, id: StreamId, out: &mut Vec<StreamEffect>) {
        let stream = self.streams.get_mut(&id).expect("an open stream asks");
        while let Some(watch_id) = stream.next_hungry() {
            let Some(watch) = stream.watches.get(&watch_id) else {
                stream.hungry.remove(&watch_id);
                continue;
            };
            let is_fresh = watch.legs.iter().all(|leg| leg.next() > self.visible);
            let bytes = if is_fresh { FRESH_SLICE_BYTES } else { SLICE_BYTES };
            if !stream.has_room(bytes, self.limits) {
                return;
            }
            stream.take_turn(watch_id);
            let watch = stream.watches.get_mut(&watch_id).expect("it was just seen");
            for (place, leg) in watch.legs.iter_mut().enumerate().filter(|(_, leg)| leg.is_hungry()) {
                self.registered += 1;
                leg.id = WatcherId::new(self.executor, self.registered);
                leg.state = State::Asked { reserved_bytes: bytes };
                stream.reserved_bytes += bytes;
                stream.asked += 1;
                self.routes.insert(leg.id, Route { stream: id, watch: watch_id, leg: place });
                let message = ToShard::Register(registration(leg, &watch.wish));
                out.push(StreamEffect::ToShard { shard: leg.shard, message });
            }
        }
    }

    fn answer_questions(&mut self, out: &mut Vec<StreamEffect>) {
        let (streams, handed) = (&mut self.streams, &self.handed);
        self.questions.retain(|id| {
            let stream = streams.get_mut(id).expect("a question stands on an open stream");
            match stream.answer_progress(handed) {
                Some(became_ready) => {
                    ready(became_ready, *id, out);
                    false
                }
                None => true,
            }
        });
    }

    fn end_watch(&mut self, id: StreamId, watch_id: i64, last: WatchResponse, out: &mut Vec<StreamEffect>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(watch) = stream.watches.remove(&watch_id) else { return };
        stream.queued_bytes -= watch.queued_bytes();
        stream.hungry.remove(&watch_id);
        for leg in &watch.legs {
            if let State::Asked { reserved_bytes } = leg.state {
                stream.reserved_bytes -= reserved_bytes;
                stream.asked -= 1;
            }
        }
        ready(stream.push(last), id, out);
        self.give_up(id, watch_id, watch, out);
        self.ask(id, out);
    }

    fn give_up(&mut self, id: StreamId, watch_id: i64, watch: Watch, out: &mut Vec<StreamEffect>) {
        self.waiting.remove(&(id, watch_id));
        for leg in watch.legs.into_iter().filter(|leg| leg.state != State::Resting) {
            // A registration that its shard has ended is forgotten there already, and told once more for nothing.
            self.routes.remove(&leg.id);
            out.push(StreamEffect::ToShard { shard: leg.shard, message: ToShard::Unregister(leg.id) });
        }
    }
}

fn ready(became_ready: bool, id: StreamId, out: &mut Vec<StreamEffect>) {
    if became_ready {
        out.push(StreamEffect::Ready(id));
    }
}

fn registration(leg: &Leg, wish: &CreateWatch) -> Registration {
    Registration {
        id: leg.id,
        keys: wish.keys.clone(),
        from: leg.next(),
        no_put: wish.no_put && !planted!(FilterIgnored),
        no_delete: wish.no_delete,
        previous: wish.previous,
    }
}
