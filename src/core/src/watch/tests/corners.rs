//! One stream and one or two shards, step by step: what etcd answers, and what must not get lost.

use super::super::{
    CreateWatch, FRAGMENT_BYTES, FromShard, ShardWatches, SliceLimits, StreamEffect, StreamId, StreamLimits, Streams,
    WatchEvent, WatchResponse,
};
use crate::error::UserError;
use crate::request::{KeyRange, RangeEnd};
use crate::time::Instant;
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Position, Revision, ShardId};
use campanile_storage::store::{KeyValue, Store};
use std::sync::Arc;
use std::time::Duration;

const STREAM: StreamId = StreamId(1);
const INTERVAL: Duration = Duration::from_secs(600);

struct Bench {
    stores: Vec<Store>,
    shards: Vec<ShardWatches>,
    streams: Streams,
    out: Vec<StreamEffect>,
}

fn owner(key: &[u8], shards: u32) -> ShardId {
    ShardId(u32::from(key[0]) % shards)
}

fn watch(start: &'static str, end: RangeEnd, from: i64) -> CreateWatch {
    CreateWatch {
        watch_id: 0,
        keys: KeyRange { start: Bytes::from_static(start.as_bytes()), end },
        start: Revision(from),
        no_put: false,
        no_delete: false,
        previous: false,
        progress_notify: false,
        fragment: false,
    }
}

fn watches(shard: ShardId) -> ShardWatches {
    ShardWatches::new(shard, Revision::EMPTY, SliceLimits::default())
}

impl Bench {
    fn new(shards: u32) -> Bench {
        Bench::with_limits(shards, StreamLimits::default(), SliceLimits::default())
    }

    fn with_limits(shards: u32, limits: StreamLimits, slices: SliceLimits) -> Bench {
        let mut streams = Streams::new(0, shards, owner, limits);
        streams.open(STREAM, Instant::default(), INTERVAL);
        let watches = |shard| ShardWatches::new(ShardId(shard), Revision::EMPTY, slices);
        Bench {
            stores: (0..shards).map(|_| Store::new()).collect(),
            shards: (0..shards).map(watches).collect(),
            streams,
            out: Vec::new(),
        }
    }

    fn put(&mut self, key: &str, revision: i64, sub: u32) {
        let shard = owner(key.as_bytes(), self.stores.len() as u32).0 as usize;
        let at = Position { revision: Revision(revision), sub };
        self.stores[shard].put(at, key.as_bytes(), b"v", LeaseId(0));
    }

    /// Carries registrations to their shards, and answers back.
    fn carry(&mut self) {
        while !self.out.is_empty() {
            let mut answers = Vec::new();
            for effect in std::mem::take(&mut self.out) {
                if let StreamEffect::ToShard { shard, message } = effect {
                    self.shards[shard.0 as usize].receive(message, &mut answers);
                }
            }
            answers.into_iter().for_each(|(_, answer)| self.streams.receive(answer, &mut self.out));
        }
    }

    fn step(&mut self, shard: usize, visible: i64) {
        self.step_slice(shard, visible, 1_000);
    }

    fn step_slice(&mut self, shard: usize, visible: i64, changes_max: usize) {
        let mut answers = Vec::new();
        self.shards[shard].step(&self.stores[shard], Revision(visible), changes_max, &mut answers);
        answers.into_iter().for_each(|(_, answer)| self.streams.receive(answer, &mut self.out));
        self.carry();
    }

    fn create(&mut self, wish: CreateWatch, visible: i64) {
        self.streams.create(STREAM, wish, Revision(visible), &mut self.out);
        self.carry();
    }

    fn take(&mut self) -> Option<WatchResponse> {
        self.streams.take(STREAM, &mut self.out)
    }

    fn keys(&mut self) -> Vec<(String, i64)> {
        let mut keys = Vec::new();
        while let Some(response) = self.take() {
            for event in &response.events {
                let key = String::from_utf8_lossy(event.key_value.key()).into_owned();
                keys.push((key, event.position().revision.0));
            }
        }
        keys
    }
}

#[test]
fn ids_are_drawn_and_refused_as_etcd_does() {
    let mut bench = Bench::new(1);
    let ask = |bench: &mut Bench, id, end, start| {
        bench.create(CreateWatch { watch_id: id, ..watch("k", end, start) }, 5);
        let response = bench.take().expect("a create is answered at once");
        assert_eq!((response.created, response.revision), (true, Revision(5)));
        (response.watch_id, response.cancel_reason)
    };
    assert_eq!(ask(&mut bench, 1, RangeEnd::Single, 0), (1, None));
    assert_eq!(ask(&mut bench, 0, RangeEnd::Single, 0), (0, None));
    assert_eq!(ask(&mut bench, 0, RangeEnd::Single, 0), (2, None));
    assert_eq!(ask(&mut bench, 2, RangeEnd::Single, 0), (-1, Some(UserError::DuplicateWatchId)));
    assert_eq!(ask(&mut bench, 0, RangeEnd::Before("k".into()), 0), (-1, Some(UserError::EmptyWatchRange)));
    assert_eq!(ask(&mut bench, 0, RangeEnd::Before("a".into()), -1), (-1, Some(UserError::Compacted)));
    bench.streams.cancel(STREAM, 2, Revision(6), &mut bench.out);
    let canceled = bench.take().expect("a cancel is answered");
    assert_eq!((canceled.watch_id, canceled.canceled, canceled.created), (2, true, false));
    assert_eq!((canceled.revision, canceled.cancel_reason), (Revision(6), None));
    bench.streams.cancel(STREAM, 2, Revision(6), &mut bench.out);
    assert!(bench.take().is_none(), "a watch that is not there is not canceled");
    assert_eq!(ask(&mut bench, 2, RangeEnd::Single, 0), (2, None));
}

#[test]
fn a_revision_waits_for_its_last_shard_and_keeps_its_order() {
    let mut bench = Bench::new(2);
    bench.create(watch("a", RangeEnd::Unbounded, 0), 1);
    bench.create(watch("b", RangeEnd::Single, 0), 1);
    assert!(bench.take().is_some() && bench.take().is_some());
    // One transaction over both shards, in the order b, a, d, c.
    for (sub, key) in ["b", "a", "d", "c"].into_iter().enumerate() {
        bench.put(key, 2, sub as u32);
    }
    let of_b = owner(b"b", 2).0 as usize;
    bench.step(of_b, 2);
    let first = bench.take().expect("a watch of one key waits for nobody");
    assert_eq!((first.watch_id, first.revision, first.events.len()), (1, Revision(2), 1));
    assert!(bench.take().is_none(), "the other shard has not said what it has");
    bench.step(1 - of_b, 2);
    assert_eq!(bench.keys(), [("b".into(), 2), ("a".into(), 2), ("d".into(), 2), ("c".into(), 2)]);
}

#[test]
fn a_start_below_the_compaction_is_canceled_and_one_at_it_is_not() {
    let mut bench = Bench::new(1);
    (2..8).for_each(|revision| bench.put("k", revision, 0));
    bench.step(0, 7);
    bench.stores[0].compact(Revision(5));
    while !bench.stores[0].compact_slice(10) {}
    bench.create(watch("k", RangeEnd::Single, 4), 7);
    bench.create(watch("k", RangeEnd::Single, 5), 7);
    bench.step(0, 7);
    assert!(bench.take().is_some_and(|response| response.created && !response.canceled));
    assert!(bench.take().is_some_and(|response| response.created && !response.canceled));
    let canceled = bench.take().expect("the first is canceled");
    assert_eq!((canceled.watch_id, canceled.canceled, canceled.created), (0, true, false));
    assert_eq!((canceled.compact_revision, canceled.revision), (Revision(5), Revision(0)));
    assert_eq!(bench.keys(), [("k".into(), 5), ("k".into(), 6), ("k".into(), 7)]);
}

#[test]
fn progress_is_told_when_every_watch_has_everything() {
    let mut bench = Bench::new(2);
    bench.create(watch("a", RangeEnd::Unbounded, 0), 1);
    bench.create(watch("a", RangeEnd::Single, 3), 1);
    assert!(bench.take().is_some() && bench.take().is_some());
    bench.put("a", 2, 0);
    bench.streams.request_progress(STREAM, Revision(2), &mut bench.out);
    bench.step(0, 2);
    bench.step(1, 2);
    assert_eq!(bench.keys(), [("a".into(), 2)]);
    // etcd is silent as long as a watch starts in the future.
    bench.put("b", 3, 0);
    bench.step(0, 3);
    assert!(bench.take().is_none_or(|response| response.watch_id == 0));
    bench.streams.request_progress(STREAM, Revision(3), &mut bench.out);
    bench.step(1, 3);
    let mut last = None;
    while let Some(response) = bench.take() {
        last = Some(response);
    }
    let last = last.expect("the question is answered at last");
    assert_eq!((last.watch_id, last.revision, last.events.len()), (-1, Revision(3), 0));
    assert!(!last.created && !last.canceled);
}

#[test]
fn an_idle_watch_is_told_how_far_it_is_once_an_interval() {
    let mut bench = Bench::new(1);
    bench.create(CreateWatch { progress_notify: true, ..watch("k", RangeEnd::Single, 0) }, 1);
    bench.create(watch("k", RangeEnd::Single, 0), 1);
    assert!(bench.take().is_some() && bench.take().is_some());
    bench.put("x", 2, 0);
    bench.step(0, 2);
    let at = |intervals: u32| Instant::default() + INTERVAL * intervals;
    bench.streams.tick(at(1), &mut bench.out);
    let notice = bench.take().expect("it was idle");
    assert_eq!((notice.watch_id, notice.revision, notice.events.len()), (0, Revision(2), 0));
    bench.put("k", 3, 0);
    bench.step(0, 3);
    assert_eq!(bench.keys(), [("k".into(), 3), ("k".into(), 3)]);
    bench.streams.tick(at(2), &mut bench.out);
    assert!(bench.take().is_none(), "an event was notice enough");
    bench.streams.tick(at(3), &mut bench.out);
    assert!(bench.take().is_some() && bench.take().is_none());
}

#[test]
fn one_transaction_that_changes_a_key_twice_shows_what_was_before_it() {
    let mut bench = Bench::new(1);
    bench.create(CreateWatch { previous: true, ..watch("k", RangeEnd::Single, 0) }, 1);
    bench.take().expect("created");
    bench.put("k", 2, 0);
    bench.put("k", 3, 0);
    bench.stores[0].delete(Position { revision: Revision(3), sub: 1 }, b"k");
    bench.put("k", 3, 2);
    bench.step(0, 3);
    let response = bench.take().expect("events");
    let shown: Vec<_> =
        response.events.iter().map(|event| event.previous.as_ref().map(|previous| previous.mod_revision().0)).collect();
    assert_eq!(shown, [None, Some(2), Some(2), None]);
}

#[test]
fn watches_of_a_stream_with_little_room_take_turns_in_catching_up() {
    let slices = SliceLimits { events: 1, ..SliceLimits::default() };
    let mut bench = Bench::with_limits(1, StreamLimits { held_bytes_max: 1 }, slices);
    (2..12).for_each(|revision| bench.put("k", revision, 0));
    bench.step(0, 11);
    (0..3).for_each(|_| bench.create(watch("k", RangeEnd::Single, 2), 11));
    let mut brought = Vec::new();
    while brought.len() < 30 {
        let response = bench.take().expect("the history has not ended");
        brought.extend(response.events.iter().map(|event| (event.position().revision.0, response.watch_id)));
        bench.carry();
        bench.step(0, 11);
    }
    assert!(brought.is_sorted_by_key(|(revision, _)| *revision), "one is ahead of another: {brought:?}");
}

#[test]
fn who_is_far_ahead_in_the_history_does_not_hold_up_who_is_behind() {
    const HISTORY: i64 = 1_000;
    let slices = SliceLimits { events: 1, ..SliceLimits::default() };
    let mut bench = Bench::with_limits(1, StreamLimits::default(), slices);
    (2..HISTORY).for_each(|revision| bench.put("k", revision, 0));
    bench.step(0, HISTORY - 1);
    bench.create(watch("k", RangeEnd::Single, 2), HISTORY - 1);
    bench.create(watch("k", RangeEnd::Single, HISTORY - 20), HISTORY - 1);
    let mut behind = Vec::new();
    // Each step has room for what the two want next, and not for what lies between them.
    for _ in 0..20 {
        bench.step_slice(0, HISTORY - 1, 3);
        let read = std::iter::from_fn(|| bench.take()).filter(|response| response.watch_id == 0);
        behind.extend(read.flat_map(|response| response.events.clone()).map(|event| event.position().revision.0));
        bench.carry();
    }
    assert!(behind.len() >= 15 && behind.is_sorted(), "{behind:?}");
}

#[test]
fn a_watch_that_asked_for_fragments_gets_none_above_the_limit() {
    let large = |revision: i64| {
        let at = Position { revision: Revision(revision), sub: 0 };
        let value = vec![0; FRAGMENT_BYTES / 3];
        Arc::new(WatchEvent::new(KeyValue::new(b"k", &value, Revision(2), at, 1, LeaseId(0)), None))
    };
    let response = WatchResponse { watch_id: 4, events: (2..9).map(large).collect(), ..WatchResponse::default() };
    let parts = response.clone().fragments(FRAGMENT_BYTES);
    let shape: Vec<_> = parts.iter().map(|part| (part.events.len(), part.fragment, part.watch_id)).collect();
    assert_eq!(shape, [(2, true, 4), (2, true, 4), (2, true, 4), (1, false, 4)]);
    assert!(parts.iter().all(|part| part.bytes() < FRAGMENT_BYTES));
    let one = WatchResponse { events: vec![large(2)], ..WatchResponse::default() };
    assert_eq!(one.fragments(10).len(), 1);
}

#[test]
fn a_hundred_thousand_watches_of_one_key_each_cost_a_look_up() {
    let mut shard = watches(ShardId(0));
    let mut streams = Streams::new(0, 1, owner, StreamLimits::default());
    streams.open(STREAM, Instant::default(), INTERVAL);
    let mut out = Vec::new();
    for number in 0..100_000 {
        let wish = watch("", RangeEnd::Single, 0);
        let keys = KeyRange::single(Bytes::from(format!("key{number}")));
        streams.create(STREAM, CreateWatch { keys, ..wish }, Revision::EMPTY, &mut out);
        assert!(streams.is_accepting(STREAM) && streams.take(STREAM, &mut out).is_some_and(|created| created.created));
    }
    let mut answers = Vec::new();
    loop {
        for effect in std::mem::take(&mut out) {
            if let StreamEffect::ToShard { message, .. } = effect {
                shard.receive(message, &mut answers);
            }
        }
        if answers.is_empty() {
            break;
        }
        answers.drain(..).for_each(|(_, answer): (u16, FromShard)| streams.receive(answer, &mut out));
    }
    assert_eq!(shard.watchers(), (100_000, 0));
    let mut store = Store::new();
    for number in 0..1_000_i64 {
        let at = Position { revision: Revision(number + 2), sub: 0 };
        store.put(at, format!("key{}", number * 97).as_bytes(), b"v", LeaseId(0));
    }
    while shard.step(&store, Revision(1_001), 64, &mut answers) {}
    answers.into_iter().for_each(|(_, answer)| streams.receive(answer, &mut out));
    let responses = std::iter::from_fn(|| streams.take(STREAM, &mut out)).count();
    assert_eq!(responses, 1_000);
}
