//! A member in one thread: shards with their stores, executors with their streams, clients, and the messages between.

use super::super::catch_up::SliceLimits;
use super::super::{CreateWatch, FromShard, ShardWatches, StreamEffect, StreamId, StreamLimits, Streams, ToShard};
use super::client::{Client, History};
use crate::request::{KeyRange, RangeEnd};
use crate::time::Instant;
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Position, Revision, ShardId};
use campanile_storage::store::{KeyValue, Store};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const EXECUTORS: u16 = 2;
const STREAMS: u64 = 4;
const NOTICE_INTERVAL: Duration = Duration::from_secs(5);
/// The largest that one event can be here, and the overhead of responses.
const SLACK_BYTES: usize = 40_000;

#[derive(Clone, Copy)]
pub struct Setting {
    pub held_bytes_max: usize,
    /// How likely a client takes what is there.
    pub client_reads: f64,
    pub compacts: bool,
}

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub events: usize,
    pub previous: usize,
    pub slices: usize,
    pub history_events: usize,
    pub given_up: usize,
    pub progress: usize,
    pub compacted: usize,
    pub canceled: usize,
    pub filtered: usize,
}

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        self.events += other.events;
        self.previous += other.previous;
        self.slices += other.slices;
        self.history_events += other.history_events;
        self.given_up += other.given_up;
        self.progress += other.progress;
        self.compacted += other.compacted;
        self.canceled += other.canceled;
        self.filtered += other.filtered;
    }
}

pub struct World {
    random: StdRng,
    setting: Setting,
    stores: Vec<Store>,
    watches: Vec<ShardWatches>,
    streams: Vec<Streams>,
    clients: BTreeMap<(u16, StreamId), Client>,
    to_shards: BTreeMap<(u16, ShardId), VecDeque<ToShard>>,
    from_shards: BTreeMap<(ShardId, u16), VecDeque<FromShard>>,
    history: History,
    written: Revision,
    visible: Revision,
    compacted: Revision,
    now: Instant,
    pub seen: Seen,
}

fn owner(key: &[u8], shards: u32) -> ShardId {
    ShardId(key.iter().map(|byte| u32::from(*byte)).sum::<u32>() % shards)
}

impl World {
    pub fn new(seed: u64, setting: Setting) -> World {
        let mut random = StdRng::seed_from_u64(seed);
        let shards = random.random_range(1..5);
        let now = Instant::default();
        let limits = StreamLimits { held_bytes_max: setting.held_bytes_max };
        let mut streams: Vec<_> = (0..EXECUTORS).map(|id| Streams::new(id, shards, owner, limits)).collect();
        let mut clients = BTreeMap::new();
        for id in 0..STREAMS {
            let executor = (id % u64::from(EXECUTORS)) as u16;
            streams[usize::from(executor)].open(StreamId(id), now, NOTICE_INTERVAL);
            clients.insert((executor, StreamId(id)), Client::default());
        }
        let slices = SliceLimits { events: 7, bytes: 2_000, registrations: 5 };
        World {
            random,
            setting,
            stores: (0..shards).map(|_| Store::new()).collect(),
            watches: (0..shards).map(|shard| ShardWatches::new(ShardId(shard), Revision::EMPTY, slices)).collect(),
            streams,
            clients,
            to_shards: BTreeMap::new(),
            from_shards: BTreeMap::new(),
            history: History::default(),
            written: Revision::EMPTY,
            visible: Revision::EMPTY,
            compacted: Revision(-1),
            now,
            seen: Seen::default(),
        }
    }

    pub fn act(&mut self) {
        match self.random.random_range(0..100) {
            0..20 => self.write(),
            20..35 => self.show(),
            35..50 => self.step_shard(),
            50..80 => self.deliver(),
            80..92 => self.client_acts(),
            92..98 => self.client_reads(),
            98 => self.now = self.now + Duration::from_millis(self.random.random_range(0..4_000)),
            _ => self.compact(),
        }
        let Some((&(executor, stream), _)) = self.clients.iter().next() else { return };
        let held = self.streams[usize::from(executor)].held_bytes(stream);
        assert!(held <= self.setting.held_bytes_max + SLACK_BYTES, "{held} bytes are held");
    }

    /// Everything becomes visible, is delivered and read; then every watch must have what it is due.
    pub fn settle(&mut self) {
        self.visible = self.written;
        for _ in 0..20_000 {
            (0..self.stores.len()).for_each(|shard| self.step(shard, 1_000));
            while self.deliver_any() {}
            let clients: Vec<_> = self.clients.keys().copied().collect();
            let mut read_any = false;
            for client in clients {
                while self.read(client) {
                    read_any = true;
                }
            }
            let idle = self.to_shards.values().all(VecDeque::is_empty)
                && self.watches.iter().all(|watches| watches.watchers().1 == 0);
            if !read_any && idle && self.from_shards.values().all(VecDeque::is_empty) {
                break;
            }
        }
        for (client, stream) in &self.clients {
            stream.finish(&self.history, self.visible);
            assert_eq!(self.streams[usize::from(client.0)].held_bytes(client.1), 0);
            self.seen.events += stream.events;
            self.seen.previous += stream.previous;
        }
        self.close();
    }

    /// A closed stream leaves nothing behind.
    fn close(&mut self) {
        let clients: Vec<_> = self.clients.keys().copied().collect();
        for (executor, stream) in clients {
            let mut out = Vec::new();
            self.streams[usize::from(executor)].close(stream, &mut out);
            self.perform(executor, out);
        }
        while self.deliver_any() {}
        assert!(self.watches.iter().all(|watches| watches.watchers() == (0, 0)));
        assert!(self.streams.iter().all(|streams| streams.open_streams() == (0, 0)));
    }

    fn key(&mut self) -> Bytes {
        let length = self.random.random_range(1..3);
        (0..length).map(|_| self.random.random_range(b'a'..=b'd')).collect()
    }

    fn write(&mut self) {
        let revision = self.written.next();
        let shards = self.stores.len() as u32;
        let mut sub = 0;
        for _ in 0..self.random.random_range(1..5) {
            let key = self.key();
            let store = &mut self.stores[owner(&key, shards).0 as usize];
            let before = store.get(&key, Revision(revision.0 - 1)).cloned();
            let at = Position { revision, sub };
            if self.random.random_bool(0.7) {
                let value = vec![b'v'; self.random.random_range(0..300)];
                self.history.0.push((store.put(at, &key, &value, LeaseId(0)), before));
            } else if store.delete(at, &key).is_some() {
                self.history.0.push((KeyValue::tombstone(&key, at), before));
            } else {
                continue;
            }
            sub += 1;
        }
        if sub > 0 {
            self.written = revision;
        }
    }

    fn show(&mut self) {
        self.visible = Revision(self.random.random_range(self.visible.0..=self.written.0));
    }

    fn compact(&mut self) {
        if !self.setting.compacts || !self.random.random_bool(0.5) {
            return;
        }
        let first = self.compacted.0.max(0) + 1;
        // Most compactions keep some history; some come right up to what was handed on, which is as far as they may.
        let handed = self.watches.iter().map(ShardWatches::handed).min().expect("there is a shard").0;
        let last = if self.random.random_bool(0.8) { handed - 20 } else { handed };
        if first > last {
            return;
        }
        self.compacted = Revision(self.random.random_range(first..=last));
        for store in &mut self.stores {
            store.compact(self.compacted);
            while !store.compact_slice(10) {}
        }
    }

    fn step_shard(&mut self) {
        let shard = self.random.random_range(0..self.stores.len());
        let changes_max = self.random.random_range(1..20);
        self.step(shard, changes_max);
    }

    fn step(&mut self, shard: usize, changes_max: usize) {
        let mut out = Vec::new();
        self.watches[shard].step(&self.stores[shard], self.visible, changes_max, &mut out);
        self.hand_over(ShardId(shard as u32), out);
    }

    fn hand_over(&mut self, shard: ShardId, out: Vec<(u16, FromShard)>) {
        for (executor, message) in out {
            if let FromShard::Slice { events, .. } = &message {
                self.seen.slices += 1;
                self.seen.history_events += events.len();
            }
            self.from_shards.entry((shard, executor)).or_default().push_back(message);
        }
    }

    fn perform(&mut self, executor: u16, effects: Vec<StreamEffect>) {
        for effect in effects {
            if let StreamEffect::ToShard { shard, message } = effect {
                self.to_shards.entry((executor, shard)).or_default().push_back(message);
            }
        }
    }

    fn deliver(&mut self) {
        for _ in 0..self.random.random_range(1..6) {
            self.deliver_any();
        }
    }

    /// Delivers one message of some channel. Says whether there was one.
    fn deliver_any(&mut self) -> bool {
        let to: Vec<_> = self.to_shards.iter().filter(|(_, queue)| !queue.is_empty()).map(|(key, _)| *key).collect();
        let from: Vec<_> =
            self.from_shards.iter().filter(|(_, queue)| !queue.is_empty()).map(|(key, _)| *key).collect();
        if to.is_empty() && from.is_empty() {
            return false;
        }
        let chosen = self.random.random_range(0..to.len() + from.len());
        if let Some(key) = to.get(chosen) {
            let message = self.to_shards.get_mut(key).and_then(VecDeque::pop_front).expect("it is not empty");
            let mut out = Vec::new();
            self.watches[key.1.0 as usize].receive(message, &mut out);
            self.hand_over(key.1, out);
        } else {
            let key = from[chosen - to.len()];
            let message = self.from_shards.get_mut(&key).and_then(VecDeque::pop_front).expect("it is not empty");
            let mut out = Vec::new();
            let is_live = matches!(message, FromShard::Handed(_));
            self.streams[usize::from(key.1)].receive(message, &mut out);
            let unregisters = |effect: &&StreamEffect| {
                matches!(effect, StreamEffect::ToShard { message: ToShard::Unregister(_), .. })
            };
            if is_live {
                self.seen.given_up += out.iter().filter(unregisters).count();
            }
            self.perform(key.1, out);
        }
        true
    }

    fn some_client(&mut self) -> (u16, StreamId) {
        let keys: Vec<_> = self.clients.keys().copied().collect();
        *keys.choose(&mut self.random).expect("there are clients")
    }

    fn client_acts(&mut self) {
        let (executor, stream) = self.some_client();
        let mut out = Vec::new();
        match self.random.random_range(0..10) {
            0..5 => {
                let wish = self.wish();
                self.seen.filtered += usize::from(wish.no_put || wish.no_delete);
                let client = self.clients.get_mut(&(executor, stream)).expect("it is there");
                if client.watches().len() < 12 {
                    client.unanswered.push(wish.clone());
                    self.streams[usize::from(executor)].create(stream, wish, self.visible, &mut out);
                }
            }
            5 => {
                let id = self.random.random_range(0..6);
                self.streams[usize::from(executor)].cancel(stream, id, self.visible, &mut out);
            }
            6 | 7 => self.streams[usize::from(executor)].request_progress(stream, self.visible, &mut out),
            _ => self.streams[usize::from(executor)].tick(self.now, &mut out),
        }
        self.perform(executor, out);
    }

    fn wish(&mut self) -> CreateWatch {
        let start = self.key();
        let end = match self.random.random_range(0..10) {
            0..4 => RangeEnd::Single,
            4..8 => RangeEnd::Before(self.key()),
            _ => RangeEnd::Unbounded,
        };
        let start_revision = match self.random.random_range(0..20) {
            0..7 => 0,
            7..16 => self.random.random_range(1..=self.visible.0),
            16..19 => self.visible.0 + self.random.random_range(1..10),
            _ => -1,
        };
        CreateWatch {
            watch_id: if self.random.random_bool(0.2) { self.random.random_range(1..9) } else { 0 },
            keys: KeyRange { start, end },
            start: Revision(start_revision),
            no_put: self.random.random_bool(0.1),
            no_delete: self.random.random_bool(0.1),
            previous: self.random.random_bool(0.3),
            progress_notify: self.random.random_bool(0.3),
            fragment: self.random.random_bool(0.2),
        }
    }

    fn client_reads(&mut self) {
        for client in self.clients.keys().copied().collect::<Vec<_>>() {
            while self.random.random_bool(self.setting.client_reads) && self.read(client) {}
        }
    }

    fn read(&mut self, client: (u16, StreamId)) -> bool {
        let mut out = Vec::new();
        let response = self.streams[usize::from(client.0)].take(client.1, &mut out);
        self.perform(client.0, out);
        let Some(response) = response else { return false };
        self.seen.progress += usize::from(response.watch_id == -1 && !response.created);
        self.seen.compacted += usize::from(response.compact_revision.0 > 0);
        self.seen.canceled += usize::from(response.canceled && !response.created && response.compact_revision.0 == 0);
        let client = self.clients.get_mut(&client).expect("it is there");
        client.read(&response, &self.history, self.compacted);
        true
    }
}
