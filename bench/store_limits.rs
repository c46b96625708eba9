//! The store's promises that are limits, not rates: resident memory for each of a million keys, and the longest slice
//! of a compaction, of a hash and of a checkpoint. Prints what it measured, and fails where a promise is broken.
//!
//! `cargo bench -p campanile-bench --bench store_limits`

use std::time::Duration;

use campanile_storage::ids::{LeaseId, Position, Revision};
use campanile_storage::store::{HashMerge, KeyValue, Loader, Store, UNCOMPACTED};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: usize = 1_000_000;
const VALUE: [u8; 256] = [b'v'; 256];
/// What a million keys of 20 bytes with such values may take.
const RESIDENT_BYTES_MAX: usize = 400 << 20;
/// Steps of a compaction, entries of a hash and versions of a checkpoint in one slice.
const SLICE: usize = 128;
/// What a slice must keep below, of the processor's time.
const SLICE_TIME_MAX: Duration = Duration::from_millis(1);

fn main() {
    let mut random = StdRng::seed_from_u64(1);
    let mut numbers: Vec<usize> = (0..KEYS).collect();
    numbers.shuffle(&mut random);
    let before = resident_bytes();
    let started = processor_time();
    let mut store = Store::new();
    let mut revision = 1;
    for number in &numbers {
        revision += 1;
        put(&mut store, revision, *number);
    }
    println!("filled with {KEYS} keys in random order in {:?}", processor_time() - started);
    let resident = resident_bytes() - before;
    println!("{} resident bytes a key; the store says {}", resident / KEYS, store.bytes() / KEYS);
    assert!(resident <= RESIDENT_BYTES_MAX, "{resident} bytes are too many");

    hash("a million entries", &store, UNCOMPACTED);
    checkpoint(&store, Revision(revision));
    for number in &numbers {
        revision += 1;
        put(&mut store, revision, *number);
    }
    compact("every key once", &mut store, revision);
    for _ in 0..KEYS / 10 {
        revision += 1;
        put(&mut store, revision, random.random_range(0..KEYS));
    }
    compact("a tenth of the keys", &mut store, revision);
    let mut left = KEYS;
    let times = slices(|| {
        for _ in 0..SLICE.min(left) {
            revision += 1;
            put(&mut store, revision, 0);
        }
        left -= SLICE.min(left);
        left > 0
    });
    report("puts to one key", times);
    compact("one key a million times", &mut store, revision);
    for number in &numbers {
        revision += 1;
        let position = Position { revision: Revision(revision), sub: 0 };
        store.delete(position, key(*number).as_bytes());
    }
    hash("two million entries, half of them tombstones", &store, store.compacted());
    compact("every key deleted", &mut store, revision + 1);
    assert_eq!(store.versions_held(), 0);
    println!("{} bytes are left of the empty store", store.bytes());
}

fn key(number: usize) -> String {
    format!("/registry/{number:010}")
}

fn put(store: &mut Store, revision: i64, number: usize) {
    let position = Position { revision: Revision(revision), sub: 0 };
    store.put(position, key(number).as_bytes(), &VALUE, LeaseId::NONE);
}

fn compact(what: &str, store: &mut Store, revision: i64) {
    let held = store.versions_held();
    store.compact(Revision(revision));
    let times = slices(|| !store.compact_slice(SLICE));
    report(&format!("compaction, {what}: {} versions removed", held - store.versions_held()), times);
}

fn hash(what: &str, store: &Store, compacted: Revision) {
    let mut merge = HashMerge::new(1);
    let mut after = None;
    let times = slices(|| {
        let entries: Vec<_> = store.hash_entries(Revision::NEWEST, compacted, after).take(SLICE).collect();
        after = entries.last().map(|entry| entry.position).or(after);
        let ended = entries.len() < SLICE;
        merge.push(0, entries, ended);
        !ended
    });
    report(&format!("hash, {what}: {:08x}", merge.finish()), times);
}

fn checkpoint(store: &Store, at: Revision) {
    let mut loader = Loader::new(UNCOMPACTED);
    let mut after: Option<KeyValue> = None;
    let times = slices(|| {
        let slice: Vec<_> = store.versions(at, UNCOMPACTED, after.as_ref()).take(SLICE).cloned().collect();
        after = slice.last().cloned().or(after.take());
        slice.len() == SLICE
    });
    report("checkpoint, written", times);
    let started = processor_time();
    for version in store.versions(at, UNCOMPACTED, None) {
        let copy = KeyValue::from_encoded(version.position(), false, version.encoded()).expect("it was just encoded");
        loader.push(copy).expect("versions come in order");
    }
    println!("checkpoint, loaded: {:?}", processor_time() - started);
    let started = processor_time();
    let loaded = loader.finish().expect("no position is there twice");
    println!("checkpoint, finished: {:?}; {} bytes a key", processor_time() - started, loaded.bytes() / KEYS);
    assert_eq!(loaded.versions_held(), store.versions_held());
}

/// Calls until it answers that there is no more, and times each call.
fn slices(mut more: impl FnMut() -> bool) -> Vec<Duration> {
    let mut times = Vec::new();
    loop {
        let started = processor_time();
        let more = more();
        times.push(processor_time() - started);
        if !more {
            times.sort_unstable();
            return times;
        }
    }
}

fn report(what: &str, times: Vec<Duration>) {
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let total: Duration = times.iter().sum();
    println!(
        "{what}: {total:?} in {} slices, p50 {:?}, p99.9 {:?}, max {:?}",
        times.len(),
        at(0.5),
        at(0.999),
        at(1.0)
    );
    assert!(at(0.999) <= SLICE_TIME_MAX, "slices take too long");
}

/// What this thread has had of the processor so far; unlike a clock, it stands still while others are at work.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().expect("nanoseconds are below a second"))
}

/// This process's resident set, from /proc.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has a resident set");
    let kibibytes: usize = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    kibibytes * 1024
}
