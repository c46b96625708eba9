//! What one operation of the store costs with ten thousand keys and with a million: it should hardly differ.
//!
//! `cargo bench -p campanile-bench --bench store`

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::Duration;

use campanile_storage::ids::{LeaseId, Position, Revision};
use campanile_storage::store::{End, Store};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Times by what the thread had of the processor: unlike a clock it stands still while others are at work.
struct ProcessorTime;

impl ProcessorTime {
    fn now() -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().expect("nanoseconds are below a second"))
    }
}

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        ProcessorTime::now()
    }

    fn end(&self, started: Duration) -> Duration {
        ProcessorTime::now() - started
    }

    fn add(&self, left: &Duration, right: &Duration) -> Duration {
        *left + *right
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, time: &Duration) -> f64 {
        time.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

const SIZES: [usize; 2] = [10_000, 1_000_000];
const VALUE: [u8; 256] = [b'v'; 256];
/// Updates after which the history is compacted away, so that the store stays as large as its name says.
const HISTORY: usize = 100_000;

fn key(number: usize) -> [u8; 20] {
    let mut key = *b"/registry/0000000000";
    let mut rest = number;
    for digit in key[10..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// A store with this many keys, which were written in random order, and its newest revision.
fn filled(keys: usize) -> (Store, i64) {
    let mut numbers: Vec<usize> = (0..keys).collect();
    numbers.shuffle(&mut StdRng::seed_from_u64(1));
    let mut store = Store::new();
    let mut revision = 1;
    for number in numbers {
        revision += 1;
        put(&mut store, revision, &key(number));
    }
    (store, revision)
}

fn put(store: &mut Store, revision: i64, key: &[u8]) {
    let position = Position { revision: Revision(revision), sub: 0 };
    store.put(position, key, &VALUE, LeaseId::NONE);
}

fn puts(criterion: &mut Criterion<ProcessorTime>) {
    for keys in SIZES {
        let (store, revision) = filled(keys);
        let (store, revision) = (RefCell::new(store), Cell::new(revision));
        let mut random = StdRng::seed_from_u64(2);
        criterion.bench_with_input(BenchmarkId::new("1000 puts to existing keys", keys), &keys, |bencher, _| {
            bencher.iter_batched(
                || {
                    let mut store = store.borrow_mut();
                    if store.versions_held() > keys + HISTORY {
                        store.compact(Revision(revision.get()));
                        while !store.compact_slice(usize::MAX) {}
                    }
                    (0..1000).map(|_| key(random.random_range(0..keys))).collect::<Vec<_>>()
                },
                |keys| {
                    let mut store = store.borrow_mut();
                    for key in keys {
                        revision.set(revision.get() + 1);
                        put(&mut store, revision.get(), &key);
                    }
                },
                BatchSize::PerIteration,
            );
        });
    }
}

fn reads(criterion: &mut Criterion<ProcessorTime>) {
    for keys in SIZES {
        let (store, revision) = filled(keys);
        let mut random = StdRng::seed_from_u64(3);
        criterion.bench_with_input(BenchmarkId::new("get", keys), &keys, |bencher, _| {
            bencher.iter(|| black_box(store.get(&key(random.random_range(0..keys)), Revision(revision))).is_some());
        });
        criterion.bench_with_input(BenchmarkId::new("range of 100 keys", keys), &keys, |bencher, _| {
            bencher.iter(|| {
                let start = key(random.random_range(0..keys));
                let range = store.range(&start, End::Unbounded, Revision(revision)).take(100);
                range.map(|version| version.encoded().len()).sum::<usize>()
            });
        });
        criterion.bench_with_input(BenchmarkId::new("count of all keys", keys), &keys, |bencher, _| {
            bencher.iter(|| store.count(b"", End::Unbounded, Revision(revision)));
        });
        criterion.bench_with_input(BenchmarkId::new("100 events", keys), &keys, |bencher, _| {
            bencher.iter(|| {
                let from = Revision(random.random_range(1..revision));
                store.events(from, Revision(revision)).take(100).count()
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = puts, reads
}
criterion_main!(benches);
