//! Finds a small part of a failing run's faults with which it still fails: leaves out ever smaller parts of the list
//! (Zeller and Hildebrandt: "Simplifying and isolating failure-inducing input", 2002).

use super::play;
use crate::plan::Plan;

/// Runs that are tried at most.
const RUNS_MAX: u32 = 300;

/// The numbers of the faults that are enough, if the whole list is.
#[must_use]
pub fn minimise(plan: &Plan) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..plan.faults.len()).collect();
    let mut runs = 0;
    let mut part = kept.len().div_ceil(2).max(1);
    while runs < RUNS_MAX && !kept.is_empty() {
        let mut left_out = false;
        let mut start = 0;
        while start < kept.len() && runs < RUNS_MAX {
            let mut fewer = kept.clone();
            fewer.drain(start..(start + part).min(kept.len()));
            runs += 1;
            if play(plan.with_faults(&fewer), false).violation.is_some() {
                kept = fewer;
                left_out = true;
            } else {
                start += part;
            }
        }
        if part == 1 && !left_out {
            break;
        }
        part = (part / 2).max(1);
    }
    kept
}
