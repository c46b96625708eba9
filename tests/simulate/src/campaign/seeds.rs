//! A range of seeds, on as many threads as are asked for.

use super::{Outcome, play};
use crate::check::Violation;
use crate::plan::Plan;
use crate::record::Counts;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which seeds, on how many threads.
#[derive(Clone, Debug)]
pub struct Seeds {
    pub range: Range<u64>,
    pub threads: usize,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Report {
    pub seeds: u64,
    pub operations: u64,
    pub faults: u64,
    pub events: u64,
    pub microseconds: u64,
    pub counts: Counts,
    /// By seed, in their order.
    pub violations: Vec<(u64, Violation)>,
}

impl Report {
    fn take(&mut self, seed: u64, outcome: Outcome) {
        self.seeds += 1;
        self.operations += outcome.operations;
        self.faults += outcome.faults;
        self.events += outcome.events;
        self.microseconds += outcome.microseconds;
        self.counts.merge(&outcome.counts);
        self.violations.extend(outcome.violation.map(|violation| (seed, violation)));
    }
}

/// Runs the seeds. `failed` is told each failing one as it is found.
pub fn run(seeds: &Seeds, failed: impl Fn(u64, &Violation) + Sync) -> Report {
    let next = AtomicU64::new(seeds.range.start);
    let report = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..seeds.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.range.end {
                        return;
                    }
                    let outcome = play(Plan::of(seed), false);
                    if let Some(violation) = &outcome.violation {
                        failed(seed, violation);
                    }
                    report.lock().expect("no run panics").take(seed, outcome);
                }
            });
        }
    });
    let mut report = report.into_inner().expect("no run panics");
    report.violations.sort_by_key(|(seed, _)| *seed);
    report
}
