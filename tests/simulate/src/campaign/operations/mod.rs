//! A member struck at every operation of its disk: a run is counted, and then had again for each of its operations, with power
//! lost in the middle of it (what is not durable lost, kept or torn), the process killed, or an error given. Where two
//! operations differ in what they are, power is lost again at every operation of the recovery.
//!
//! | file | what |
//! | --- | --- |
//! | `cluster` | who is struck, and what the run goes through |
//! | `case` | one run |

mod case;
pub mod cluster;

pub use case::{Case, Struck, Undisturbed};

use crate::check::Violation;
use crate::record::Counts;
use crate::record::points::{Point, all_corners};
use crate::world::interruption::{How, Strike};
use cluster::Cluster;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The victim makes at least so many checkpoints live.
const CHECKPOINTS_MIN: usize = 3;

/// How much is tried.
#[derive(Clone, Debug)]
pub struct Effort {
    pub seed: u64,
    /// Only every so manyth operation is struck, each in one way, and whatever else it takes to strike in every corner; with
    /// 1 all are, in every way.
    pub stride: u64,
    /// No run is struck twice.
    pub once: bool,
    /// Only operations of these numbers are struck.
    pub among: Range<u64>,
    pub threads: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Operations that can be struck.
    pub operations: u64,
    pub runs: u64,
    /// Where runs were struck.
    pub struck: Counts,
    pub violations: Vec<(Case, Violation)>,
    /// What no run was struck at, though it has to be.
    pub missing: Vec<&'static str>,
}

/// Strikes everywhere in these clusters. `failed` is told each failing case as it is found.
///
/// # Errors
/// If a run breaks a promise that nothing interrupts.
pub fn run(
    clusters: &[&'static Cluster],
    effort: &Effort,
    failed: impl Fn(&Case, &Violation) + Sync,
) -> Result<Report, Violation> {
    let mut report = Report::default();
    for cluster in clusters {
        let undisturbed = Undisturbed::run(cluster, effort.seed);
        if let Some(violation) = &undisturbed.outcome.violation {
            return Err(violation.clone());
        }
        report.operations += undisturbed.points.len() as u64;
        if undisturbed.points.iter().filter(|point| point.makes_live()).count() < CHECKPOINTS_MIN {
            report.missing.push("phase: several checkpoints");
        }
        let first = once(&undisturbed, effort);
        let recoveries = report.strike(&undisturbed, &first, effort.threads, &failed);
        if !effort.once {
            let second = twice(&undisturbed, &first, &recoveries, effort.stride);
            report.strike(&undisturbed, &second, effort.threads, &failed);
        }
    }
    let struck = &report.struck;
    report.missing.extend(all_corners().filter(|corner| struck.of(corner) == 0));
    Ok(report)
}

impl Report {
    /// Runs cases. Answers with how many operations the recovery of each had.
    fn strike(
        &mut self,
        undisturbed: &Undisturbed,
        cases: &[Case],
        threads: usize,
        failed: &(impl Fn(&Case, &Violation) + Sync),
    ) -> Vec<u64> {
        let (next, recoveries) = (AtomicUsize::new(0), Mutex::new(vec![0; cases.len()]));
        let report = Mutex::new(self);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let number = next.fetch_add(1, Ordering::Relaxed)
                        && let Some(case) = cases.get(number)
                    {
                        let Struck { outcome, recovery_operations } = case.run(&undisturbed.points, false);
                        recoveries.lock().expect("no run panics")[number] = recovery_operations;
                        let report = &mut *report.lock().expect("no run panics");
                        report.runs += 1;
                        for corner in &undisturbed.points[case.strike.at as usize - 1].corners {
                            report.struck.note(corner);
                        }
                        if let Some(violation) = outcome.violation {
                            failed(case, &violation);
                            report.violations.push((*case, violation));
                        }
                    }
                });
            }
        });
        recoveries.into_inner().expect("no run panics")
    }
}

/// One strike a run: at every operation in every way, or at some in one way each, and wherever a corner is the first.
fn once(undisturbed: &Undisturbed, effort: &Effort) -> Vec<Case> {
    let (seed, stride) = (effort.seed, effort.stride);
    let first = first_in_corners(undisturbed);
    let mut cases = Vec::new();
    for (at, point) in (1..).zip(&undisturbed.points).filter(|(at, _)| effort.among.contains(at)) {
        let fitting: Vec<How> = How::ALL.into_iter().filter(|how| *how != How::Full || point.takes_room()).collect();
        let hows = match at % stride {
            _ if stride == 1 => &fitting[..],
            0 => &fitting[(at / stride) as usize % fitting.len()..][..1],
            _ if first.contains(&at) => &fitting[..1],
            _ => &[],
        };
        let strike = |how: &How| Strike { at, how: *how, again: None };
        cases.extend(hows.iter().map(|how| Case { cluster: undisturbed.cluster, seed, strike: strike(how) }));
    }
    cases
}

/// Two strikes a run, for operations that differ from all before in what they are: the second at every operation of the
/// start that follows, or at one of these.
fn twice(undisturbed: &Undisturbed, once: &[Case], recoveries: &[u64], stride: u64) -> Vec<Case> {
    let of_their_kind = if stride == 1 { first_of_their_kind(undisturbed) } else { first_in_corners(undisturbed) };
    let crashed = once.iter().zip(recoveries).filter(|(case, recovery)| {
        case.strike.how.crash().is_some() && of_their_kind.contains(&case.strike.at) && **recovery > 0
    });
    let again = |(case, recovery): (&Case, &u64)| {
        let (case, recovery) = (*case, *recovery);
        let one = 1 + case.strike.at % recovery;
        let places = if stride == 1 { 1..=recovery } else { one..=one };
        let strike = move |again| Strike { again: Some(again), ..case.strike };
        places.map(move |again| Case { strike: strike(again), ..case })
    };
    crashed.flat_map(again).collect()
}

/// Operations that stand in other corners than any before, taken together.
fn first_of_their_kind(undisturbed: &Undisturbed) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    (1..).zip(&undisturbed.points).filter(|(_, point)| seen.insert(&point.corners)).map(|(at, _)| at).collect()
}

/// Operations that stand in a corner in which none before stood.
fn first_in_corners(undisturbed: &Undisturbed) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    let mut is_first = |point: &Point| point.corners.iter().filter(|corner| seen.insert(**corner)).count() > 0;
    (1..).zip(&undisturbed.points).filter(|(_, point)| is_first(point)).map(|(at, _)| at).collect()
}
