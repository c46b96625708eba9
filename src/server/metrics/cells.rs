//! Counter, gauge and histogram: cells that one thread writes and any thread reads.
//!
//! A count is a load and a store, both relaxed, which compile to plain moves. That is right only while one thread alone
//! writes: [`Metrics`](super::Metrics), the only way to a cell, cannot leave its thread. Readers see each cell whole,
//! and no order between cells; a scrape does not need one.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows, until it wraps after 2^64.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn increment(&self) {
        self.add(1);
    }

    pub fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub fn add(&self, change: i64) {
        self.set(self.get().wrapping_add(change));
    }

    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The upper ends of a histogram's buckets, in nanoseconds, ascending.
pub type Bounds = [u64];

/// etcd's for disks (1 ms, doubled 13 times), and five finer ones below.
pub static DISK_BOUNDS: [u64; 19] = doubled(31_250);
/// etcd's for round trips between members (0.1 ms, doubled 15 times).
pub static ROUND_TRIP_BOUNDS: [u64; 16] = doubled(100_000);
/// Those of gRPC's middleware for Prometheus (from 5 ms), and six finer ones below.
pub static HANDLING_BOUNDS: [u64; 17] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

const fn doubled<const N: usize>(first: u64) -> [u64; N] {
    let mut bounds = [first; N];
    let mut place = 1;
    while place < N {
        bounds[place] = 2 * bounds[place - 1];
        place += 1;
    }
    bounds
}

/// How often durations fell between bounds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static Bounds,
    /// One for each bound, and one for what lies above the last.
    counts: Box<[Counter]>,
    sum_nanoseconds: Counter,
}

impl Histogram {
    #[must_use]
    pub fn new(bounds: &'static Bounds) -> Histogram {
        assert!(bounds.is_sorted(), "bounds ascend");
        let counts = (0..=bounds.len()).map(|_| Counter::default()).collect();
        Histogram { bounds, counts, sum_nanoseconds: Counter::default() }
    }

    /// Counts one duration. A duration equal to a bound lies in that bound's bucket.
    pub fn observe(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = self.bounds.partition_point(|bound| *bound < nanoseconds);
        self.counts[bucket].increment();
        self.sum_nanoseconds.add(nanoseconds);
    }
}

/// Several executors' histograms of one series, added up.
#[derive(Debug)]
pub struct HistogramSum {
    pub bounds: &'static Bounds,
    /// One for each bound, and one for what lies above the last; not cumulative.
    pub counts: Vec<u64>,
    pub sum_nanoseconds: u64,
}

impl HistogramSum {
    /// Adds up histograms of the same bounds.
    #[must_use]
    pub fn of<'a>(bounds: &'static Bounds, histograms: impl Iterator<Item = &'a Histogram>) -> HistogramSum {
        let mut sum = HistogramSum { bounds, counts: vec![0; bounds.len() + 1], sum_nanoseconds: 0 };
        for histogram in histograms {
            assert_eq!(histogram.bounds, bounds, "histograms of one series have the same bounds");
            for (total, count) in sum.counts.iter_mut().zip(&histogram.counts) {
                *total = total.wrapping_add(count.get());
            }
            sum.sum_nanoseconds = sum.sum_nanoseconds.wrapping_add(histogram.sum_nanoseconds.get());
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_etcds() {
        let etcd_disk: Vec<u64> = (0..14).map(|power| 1_000_000 << power).collect();
        assert!(DISK_BOUNDS.ends_with(&etcd_disk), "{DISK_BOUNDS:?}");
        let etcd_round_trip: Vec<u64> = (0..16).map(|power| 100_000 << power).collect();
        assert_eq!(ROUND_TRIP_BOUNDS.to_vec(), etcd_round_trip);
        let seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        for bound in seconds {
            assert!(HANDLING_BOUNDS.contains(&((bound * 1e9) as u64)), "{bound}");
        }
    }

    #[test]
    fn durations_fall_into_their_buckets() {
        static BOUNDS: [u64; 2] = [10, 20];
        let histogram = Histogram::new(&BOUNDS);
        for nanoseconds in [0, 10, 11, 20, 21, 1_000] {
            histogram.observe(Duration::from_nanos(nanoseconds));
        }
        let sum = HistogramSum::of(&BOUNDS, [&histogram, &histogram].into_iter());
        assert_eq!(sum.counts, [4, 4, 4]);
        assert_eq!(sum.sum_nanoseconds, 2 * 1_062);
    }

    #[test]
    fn gauges_go_both_ways() {
        let gauge = Gauge::default();
        gauge.set(-2);
        assert_eq!(gauge.get(), -2);
    }

    /// Not a test of anything but speed: `cargo test --release -- --ignored --nocapture what_a_count_costs`.
    #[test]
    #[ignore = "a measurement"]
    fn what_a_count_costs() {
        const COUNTS: u64 = 100_000_000;
        let counter = Counter::default();
        let atomic = AtomicU64::new(0);
        let start = std::time::Instant::now();
        for _ in 0..COUNTS {
            std::hint::black_box(&counter).increment();
        }
        let plain = start.elapsed();
        for _ in 0..COUNTS {
            std::hint::black_box(&atomic).fetch_add(1, Ordering::Relaxed);
        }
        let locked = start.elapsed() - plain;
        println!(
            "picoseconds a count: {}, as an atomic addition: {}",
            plain.as_nanos() / 100_000,
            locked.as_nanos() / 100_000
        );
    }
}
