//! What a thread has counted, to be added up over threads: latencies, what was written, and what went wrong.

use crate::{
    clock::{CpuUse, Nanos},
    protocol::grpc::Failure,
    workload::operation::Operation,
};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Longest latency that is told apart, in nanoseconds: 1,000 s. Longer ones count as this.
const LATENCY_MAX: Nanos = 1_000_000_000_000;
/// Decimal digits that a latency keeps.
const LATENCY_DIGITS: u8 = 3;
/// Different failures that are kept apart; others are only counted.
const FAILURES_MAX: usize = 64;

/// The revisions that acknowledged modifying requests were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    pub count: u64,
    pub sum: i128,
    pub lowest: i64,
    pub highest: i64,
}

impl Written {
    pub fn add(&mut self, revision: i64) {
        self.merge(&Self { count: 1, sum: i128::from(revision), lowest: revision, highest: revision });
    }

    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.lowest = if self.count == 0 { other.lowest } else { self.lowest.min(other.lowest) };
        self.highest = self.highest.max(other.highest);
        self.count += other.count;
        self.sum += other.sum;
    }

    /// Whether the revisions can be exactly those from `first` to `last`, each once: by their number, their bounds and their sum.
    pub fn is_dense(&self, first: i64, last: i64) -> bool {
        let count = i128::from(last) - i128::from(first) + 1;
        let sum = (i128::from(first) + i128::from(last)) * count / 2;
        let bounds = self.count == 0 || (self.lowest == first && self.highest == last);
        i128::from(self.count) == count && self.sum == sum && bounds
    }
}

/// Latencies and number of one kind of operation.
#[derive(Debug, Clone)]
pub struct Series {
    /// Of successful requests intended in the measured window, in nanoseconds.
    pub latencies: Histogram<u64>,
    /// Successful requests that ended inside of the window.
    pub in_window: u64,
    /// All successful requests, the warm-up's too.
    pub succeeded: u64,
}

impl Series {
    fn new() -> Self {
        let latencies =
            Histogram::new_with_bounds(1, LATENCY_MAX, LATENCY_DIGITS).expect("the constants are valid bounds");
        Self { latencies, in_window: 0, succeeded: 0 }
    }

    /// Counts a success.
    pub fn record(&mut self, latency: Nanos) {
        self.latencies.saturating_record(latency);
    }

    pub fn merge(&mut self, other: &Self) {
        self.latencies += &other.latencies;
        self.in_window += other.in_window;
        self.succeeded += other.succeeded;
    }
}

/// All that a run counts.
#[derive(Debug, Clone)]
pub struct Tally {
    series: Vec<Series>,
    pub written: Written,
    /// Updates and creates whose comparison failed: answered well, but nothing was written.
    pub conflicts: u64,
    /// Gets that found no key.
    pub missing: u64,
    failures: BTreeMap<Failure, u64>,
    pub failed: u64,
    /// Requests that were still without an answer when the run gave up waiting.
    pub unanswered: u64,
    /// Requests of an open loop that were due but never sent.
    pub unsent: u64,
    /// Connections that ended during the run, whether or not a request failed with them.
    pub connections_lost: u64,
    /// What each thread used of its CPU inside the window.
    pub cpu: Vec<CpuUse>,
    /// Length of the measured window, in nanoseconds; the longest of all threads.
    pub window: Nanos,
}

impl Tally {
    pub fn new() -> Self {
        Self {
            series: vec![Series::new(); Operation::COUNT],
            written: Written::default(),
            conflicts: 0,
            missing: 0,
            failures: BTreeMap::new(),
            failed: 0,
            unanswered: 0,
            unsent: 0,
            connections_lost: 0,
            cpu: Vec::new(),
            window: 0,
        }
    }

    pub fn series(&self, operation: Operation) -> &Series {
        &self.series[operation as usize]
    }

    pub fn series_mut(&mut self, operation: Operation) -> &mut Series {
        &mut self.series[operation as usize]
    }

    /// All requests that were answered well, of every kind.
    pub fn answered(&self) -> u64 {
        self.series.iter().map(|series| series.succeeded).sum()
    }

    /// Counts a failed request.
    pub fn fail(&mut self, failure: Failure) {
        self.failed += 1;
        self.count_failure(failure, 1);
    }

    /// The different failures, and how often each came.
    pub fn failures(&self) -> impl Iterator<Item = (&Failure, u64)> {
        self.failures.iter().map(|(failure, &count)| (failure, count))
    }

    /// Adds another thread's tally.
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.series.iter_mut().zip(&other.series) {
            mine.merge(theirs);
        }
        self.written.merge(&other.written);
        self.conflicts += other.conflicts;
        self.missing += other.missing;
        self.failed += other.failed;
        for (failure, count) in other.failures {
            self.count_failure(failure, count);
        }
        self.unanswered += other.unanswered;
        self.unsent += other.unsent;
        self.connections_lost += other.connections_lost;
        self.cpu.extend(other.cpu);
        self.window = self.window.max(other.window);
    }

    fn count_failure(&mut self, failure: Failure, count: u64) {
        let known = self.failures.len() < FAILURES_MAX || self.failures.contains_key(&failure);
        let failure = if known { failure } else { Failure::new(failure.code, "(and others)") };
        *self.failures.entry(failure).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::grpc::Code;

    #[test]
    fn dense_revisions_are_each_there_once() {
        let written = |revisions: &[i64]| {
            let mut written = Written::default();
            revisions.iter().for_each(|&revision| written.add(revision));
            written
        };
        assert!(written(&[4, 2, 3]).is_dense(2, 4));
        assert!(written(&[]).is_dense(2, 1));
        for wrong in [&[2, 3][..], &[2, 2, 4], &[2, 3, 5], &[2, 3, 4, 4], &[]] {
            assert!(!written(wrong).is_dense(2, 4), "{wrong:?}");
        }
    }

    #[test]
    fn tallies_add_up() {
        let mut first = Tally::new();
        first.series_mut(Operation::Put).record(1_000);
        first.fail(Failure::new(Code::UNAVAILABLE, "x"));
        let mut second = Tally::new();
        second.series_mut(Operation::Put).record(2 * LATENCY_MAX);
        second.fail(Failure::new(Code::UNAVAILABLE, "x"));
        second.written.add(7);
        first.merge(second);
        assert_eq!(first.series(Operation::Put).latencies.len(), 2);
        assert_eq!(first.failures().map(|(_, count)| count).collect::<Vec<_>>(), [2]);
        assert_eq!((first.failed, first.written.count), (2, 1));
    }

    #[test]
    fn different_failures_are_bounded() {
        let mut tally = Tally::new();
        for number in 0..1000 {
            tally.fail(Failure::new(Code::UNKNOWN, format!("failure {number}")));
        }
        assert_eq!(tally.failures().count(), FAILURES_MAX + 1);
        assert_eq!(tally.failures().map(|(_, count)| count).sum::<u64>(), 1000);
    }
}
