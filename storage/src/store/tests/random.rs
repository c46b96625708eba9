//! Random operations on one keyspace, spread over shards, and on the model; then every question of both.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::model::Model;
use super::{Store, audit, hash};
use crate::ids::{LeaseId, Position, Revision};
use crate::store::{End, Event, KeyValue, Loader};

const SEEDS: u64 = 24;
const ROUNDS: usize = 1_500;
const LEASES: i64 = 4;

struct Run {
    random: StdRng,
    shards: Vec<Store>,
    model: Model,
    /// The newest revision that was taken.
    newest: Revision,
    /// How many different keys there are: few keys have long histories, many keys fill and empty blocks.
    keys: u32,
    done: BTreeMap<&'static str, usize>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut random = StdRng::seed_from_u64(seed);
        let shards = std::iter::repeat_with(Store::new).take([1, 1, 3][random.random_range(0..3)]).collect();
        let keys = [3, 30, 400][random.random_range(0..3)];
        Run { random, shards, model: Model::new(), newest: Revision::EMPTY, keys, done: BTreeMap::new() }
    }

    fn key(&mut self) -> Vec<u8> {
        let number = self.random.random_range(0..self.keys);
        match number % 3 {
            0 => format!("/registry/pods/{number:05}").into_bytes(),
            1 => vec![0; number as usize / 3 + 1],
            _ => number.to_be_bytes().to_vec(),
        }
    }

    fn shard_of(&self, key: &[u8]) -> usize {
        key.iter().map(|byte| usize::from(*byte)).sum::<usize>() % self.shards.len()
    }

    /// A revision that can be read.
    fn readable(&mut self) -> Revision {
        let oldest = self.model.compacted.0.max(0);
        Revision(self.random.random_range(oldest..=self.newest.0.max(oldest)))
    }

    fn step(&mut self) {
        let name = match self.random.random_range(0..100) {
            0..70 => self.transaction(),
            70..74 => self.withdraw(),
            74..76 => self.compact(),
            76..82 => self.slice(),
            82..84 => self.reload(),
            84..90 => self.check_keys(),
            90..94 => self.check_events(),
            94..98 => self.check_hash(),
            _ => self.check_leases(),
        };
        *self.done.entry(name).or_default() += 1;
    }

    fn transaction(&mut self) -> &'static str {
        let revision = self.newest.next();
        let wanted = if self.random.random_bool(0.7) { 1 } else { self.random.random_range(2..6) };
        let mut sub = 0;
        for _ in 0..wanted {
            let (key, position) = (self.key(), Position { revision, sub });
            let shard = self.shard_of(&key);
            if self.random.random_bool(0.35) {
                let deleted = self.shards[shard].delete(position, &key);
                assert_eq!(deleted, self.model.delete(position, &key));
                sub += u32::from(deleted.is_some());
            } else {
                let value = vec![b'v'; self.random.random_range(0..40)];
                let lease = LeaseId(self.random.random_range(-1..LEASES).max(0));
                let written = self.shards[shard].put(position, &key, &value, lease);
                assert_eq!(written, self.model.put(position, &key, &value, lease));
                sub += 1;
            }
        }
        if sub == 0 {
            return "a transaction that wrote nothing";
        }
        self.newest = revision;
        if sub == 1 { "a single change" } else { "several changes of one revision" }
    }

    fn withdraw(&mut self) -> &'static str {
        let depth = self.random.random_range(0..8);
        let visible = Revision((self.newest.0 - depth).max(self.model.compacted.0).max(1));
        let mut withdrawn = 0;
        for shard in &mut self.shards {
            loop {
                let versions_max = self.random.random_range(1..6);
                let slice = shard.withdraw_above(visible, versions_max);
                withdrawn += slice;
                if slice < versions_max {
                    break;
                }
            }
        }
        assert_eq!(withdrawn, self.model.withdraw_above(visible));
        self.newest = visible;
        if withdrawn > 0 { "withdrawal" } else { "withdrawal of nothing" }
    }

    fn compact(&mut self) -> &'static str {
        if self.newest <= self.model.compacted {
            return "nothing to compact";
        }
        let to_newest = self.random.random_bool(0.2);
        let at = self.random.random_range(self.model.compacted.0 + 1..=self.newest.0);
        let at = if to_newest { self.newest } else { Revision(at) };
        let unfinished = self.shards.iter_mut().any(|shard| !shard.compact_slice(0));
        self.model.compact(at);
        self.shards.iter_mut().for_each(|shard| shard.compact(at));
        if unfinished { "compaction upon an unfinished one" } else { "compaction" }
    }

    fn slice(&mut self) -> &'static str {
        let steps = self.random.random_range(1..40);
        if self.shards.iter_mut().any(|shard| !shard.compact_slice(steps)) {
            return "slice";
        }
        let held: usize = self.shards.iter().map(Store::versions_held).sum();
        assert_eq!(held, self.model.versions.len());
        "last slice"
    }

    /// A checkpoint in slices, and a store from it, which goes on if the checkpoint was of the newest state.
    fn reload(&mut self) -> &'static str {
        let at = if self.random.random_bool(0.5) { self.newest } else { self.readable() };
        let limit = self.random.random_range(1..50);
        let compacted = self.model.compacted;
        let mut loaded = Vec::new();
        let mut all = Vec::new();
        for shard in &self.shards {
            let mut loader = Loader::new(compacted);
            let mut after = None;
            loop {
                let slice: Vec<KeyValue> = shard.versions(at, compacted, after.as_ref()).take(limit).cloned().collect();
                for version in &slice {
                    let copy =
                        KeyValue::from_encoded(version.position(), version.is_tombstone(), version.encoded()).unwrap();
                    loader.push(copy).unwrap();
                }
                after = slice.last().cloned().or(after);
                all.extend_from_slice(&slice);
                if slice.len() < limit {
                    break;
                }
            }
            loaded.push(loader.finish().unwrap());
        }
        all.sort_by(|left, right| left.key().cmp(right.key()).then(left.position().cmp(&right.position())));
        assert_eq!(all, self.model.by_key(at));
        assert_eq!(hash(&loaded, at, compacted, limit), self.model.hash(at));
        loaded.iter().for_each(audit);
        if at != self.newest {
            return "checkpoint of the past";
        }
        self.shards = loaded;
        "checkpoint, and on from it"
    }

    fn check_keys(&mut self) -> &'static str {
        let at = if self.random.random_bool(0.3) { Revision::NEWEST } else { self.readable() };
        let state = self.model.state(at);
        for _ in 0..5 {
            let (key, other) = (self.key(), self.key());
            let shard = &self.shards[self.shard_of(&key)];
            assert_eq!(shard.get(&key, at).cloned(), self.model.get(&key, at));
            assert_eq!(shard.count(&key, End::Single, at), usize::from(shard.get(&key, at).is_some()));
            assert!(shard.range(&key, End::Single, at).eq(shard.get(&key, at)));
            for (start, end) in [(&key[..], End::Before(&other)), (&key[..], End::Unbounded), (b"", End::Unbounded)] {
                let inside = |version: &&KeyValue| {
                    version.key() >= start && matches!(end, End::Before(end) if version.key() < end)
                        || version.key() >= start && end == End::Unbounded
                };
                let expected: Vec<_> = state.iter().filter(inside).cloned().collect();
                let mut found = Vec::new();
                let mut count = 0;
                for shard in &self.shards {
                    let range: Vec<_> = shard.range(start, end, at).cloned().collect();
                    assert!(range.is_sorted_by(|left, right| left.key() < right.key()));
                    assert_eq!(shard.count(start, end, at), range.len());
                    count += range.len();
                    found.extend(range);
                }
                found.sort_by(|left, right| left.key().cmp(right.key()));
                assert_eq!((count, found), (expected.len(), expected));
            }
        }
        "reads"
    }

    fn check_events(&mut self) -> &'static str {
        let from = self.readable();
        let to = Revision(self.random.random_range(from.0..=self.newest.0.max(from.0)));
        let limit = self.random.random_range(1..10);
        let mut found: Vec<Event> = Vec::new();
        for shard in &self.shards {
            let mut slice: Vec<_> = shard.events(from, to).take(limit).collect();
            while let Some(last) = slice.last() {
                let after = last.kv.position();
                found.append(&mut slice);
                slice = shard.events_after(after, to).take(limit).collect();
            }
            assert!(
                shard.changes(from, to).eq(shard.events(from, to).map(|event| event.kv).collect::<Vec<_>>().iter())
            );
        }
        found.sort_by_key(|event| event.kv.position());
        assert_eq!(found, self.model.events(from, to));
        "history"
    }

    fn check_hash(&mut self) -> &'static str {
        let at = self.readable();
        let part = self.random.random_range(1..100);
        assert_eq!(hash(&self.shards, at, self.model.compacted, part), self.model.hash(at));
        self.shards.iter().for_each(audit);
        if self.model.state(at).is_empty() { "hash of no keys" } else { "hash" }
    }

    fn check_leases(&mut self) -> &'static str {
        let expected = self.model.leases();
        for lease in (0..LEASES).map(LeaseId) {
            let mut keys: Vec<Vec<u8>> = Vec::new();
            for shard in &self.shards {
                let of_shard: Vec<_> = shard.keys_of_lease(lease).map(<[u8]>::to_vec).collect();
                assert!(of_shard.is_sorted());
                let from = self.random.random_range(0..=of_shard.len());
                let key = of_shard.get(from).map_or(&b"\xff\xff\xff"[..], Vec::as_slice);
                assert!(shard.attached(lease, key).map(KeyValue::key).eq(of_shard[from..].iter()));
                keys.extend(of_shard);
            }
            keys.sort();
            assert_eq!(Some(keys).filter(|keys| !keys.is_empty()), expected.get(&lease).cloned());
        }
        "leases"
    }
}

#[test]
fn the_store_answers_as_the_model_does() {
    let mut done: BTreeMap<&'static str, usize> = BTreeMap::new();
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut run = Run::new(seed);
        for _ in 0..ROUNDS {
            run.step();
        }
        for (name, times) in run.done {
            *done.entry(name).or_default() += times;
        }
    }
    println!("{done:#?}");
    for name in [
        "a single change",
        "several changes of one revision",
        "a transaction that wrote nothing",
        "withdrawal",
        "compaction",
        "compaction upon an unfinished one",
        "slice",
        "last slice",
        "checkpoint of the past",
        "checkpoint, and on from it",
        "reads",
        "history",
        "hash",
        "hash of no keys",
        "leases",
    ] {
        assert!(done.get(name).is_some_and(|times| *times > 10), "{name} was hardly tried: {done:?}");
    }
}
