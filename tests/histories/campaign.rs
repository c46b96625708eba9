//! Many histories, one after the other, a line for each.

use std::io::Write as _;

use campanile_simulate::record::Counts;
use campanile_test_support::Program;

use crate::{
    course::{self, Ran},
    judge::{Verdict, judge},
    keep::keep,
    plan::{Plan, Size},
};

/// A campaign of so many histories reaches every corner.
const LARGE_CAMPAIGN: usize = 100;
const CORNERS: [&str; 19] = [
    "fault: kill -9",
    "fault: kill -9, and again during recovery",
    "fault: kill -9 of all",
    "fault: SIGSTOP",
    "fault: unplugged",
    "fault: isolated",
    "fault: not heard",
    "fault: hears nothing",
    "fault: link cut",
    "fault: link cut one way",
    "fault: disk full",
    "fault: disk full, and kill -9",
    "fault: while another one lasts",
    "member ended by a full disk",
    "not answered",
    "lease: granted again",
    "request: lease revoke",
    "watch: ended by a compaction",
    "watch: cancelled",
];

/// What came of all histories together.
#[derive(Debug, Default)]
pub struct Summary {
    histories: usize,
    operations: usize,
    faults: usize,
    undecided: usize,
    violations: usize,
    counts: Counts,
}

impl Summary {
    /// Panics if a promise was broken, if more than one in a hundred histories says nothing, or if a large campaign never came
    /// to one of its corners.
    pub fn check(&self) {
        let Summary { histories, undecided, violations, counts, .. } = self;
        assert!(*violations == 0, "{violations} of {histories} histories break a promise");
        assert!(undecided * 100 <= *histories, "{undecided} of {histories} histories are undecided");
        let missing: Vec<&str> = CORNERS.into_iter().filter(|corner| counts.of(corner) == 0).collect();
        assert!(*histories < LARGE_CAMPAIGN || missing.is_empty(), "never reached: {missing:?}");
    }
}

/// Runs histories of the seeds from `first` on. `None` where this machine can run none.
pub fn campaign(program: &Program, first: u64, histories: u64, size: Size) -> Option<Summary> {
    let mut summary = Summary::default();
    for seed in first..first + histories {
        let plan = Plan::of(seed, size);
        let ran = course::run(program, &plan)?;
        let verdict = match &ran.recorded {
            // What is too small is no history of a campaign, and says nothing.
            Ok(_) if ran.operations < size.operations || ran.faults < size.faults.least as usize => {
                Verdict::Undecided(format!("only {} operations and {} faults", ran.operations, ran.faults))
            }
            Ok(recorded) => judge(recorded),
            Err(violation) => Verdict::Broken(violation.clone()),
        };
        summary.add(&plan, &ran, &verdict);
    }
    let Summary { histories, operations, faults, undecided, violations, counts } = &summary;
    if *histories > 1 {
        say(&counts.to_string());
    }
    say(&format!(
        "histories {histories}, operations {operations}, faults {faults}, undecided {undecided}, violations {violations}\n"
    ));
    Some(summary)
}

impl Summary {
    fn add(&mut self, plan: &Plan, ran: &Ran, verdict: &Verdict) {
        self.histories += 1;
        self.operations += ran.operations;
        self.faults += ran.faults;
        self.undecided += usize::from(matches!(verdict, Verdict::Undecided(_)));
        self.violations += usize::from(verdict.is_broken());
        self.counts.merge(&ran.counts);
        let Ran { operations, faults, open, took, .. } = ran;
        let seed = plan.seed;
        say(&format!(
            "history {seed}: {operations} operations, {open} of them open, {faults} faults, {:.1} s: {verdict}\n",
            took.as_secs_f64()
        ));
        if !matches!(verdict, Verdict::Holds) {
            match keep(plan, ran, &verdict.to_string()) {
                Ok(folder) => say(&format!(
                    "  kept in {}; CAMPANILE_SEED={seed} CAMPANILE_HISTORIES=1 has the same plan again\n",
                    folder.display()
                )),
                Err(error) => say(&format!("  could not be kept: {error}\n")),
            }
        }
    }
}

/// Prints, whether the test fails or not: a campaign wants to be watched.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
