//! The proof of work: what a benchmark's figures are worth nothing without.
//!
//! Every request was answered well, and the store's revision rose by exactly the acknowledged writes, each of which
//! had a revision of its own. What does not hold is a violation, and fails the run; what only weakens a figure is a warning.

use super::{ClientCost, ratio};
use crate::{
    driver::{run::Outcome, tally::Written},
    load::{Length, Load},
};
use serde::Serialize;

/// A thread that used more of its CPU than this was the bottleneck, not the server.
const BUSY_MAX: f64 = 0.85;
/// A thread that was kept from its CPU longer than this shared it: its latencies are another program's.
const WAITING_MAX: f64 = 0.05;

/// What a run proves, and what speaks against it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Proof {
    pub revision_before: i64,
    pub revision_after: i64,
    /// Acknowledged modifying requests, filling and warm-up included.
    pub writes: u64,
    /// Transactions whose comparison failed: good answers that wrote nothing.
    pub conflicts: u64,
    /// Keys with the load's prefix, after the run.
    pub keys: i64,
    pub failed: u64,
    pub unanswered: u64,
    /// Each different failure, and how often it came.
    pub failures: Vec<(String, u64)>,
    pub violations: Vec<String>,
    pub warnings: Vec<String>,
}

impl Proof {
    pub fn new(load: &Load, outcome: &Outcome, client: &ClientCost) -> Self {
        let mut written = Written::default();
        let mut proof = Self {
            revision_before: outcome.before.revision,
            revision_after: outcome.after.revision,
            keys: outcome.after.count,
            ..Self::default()
        };
        for tally in outcome.prefill.iter().chain([&outcome.load]) {
            written.merge(&tally.written);
            proof.conflicts += tally.conflicts;
            proof.failed += tally.failed;
            proof.unanswered += tally.unanswered;
            proof.failures.extend(tally.failures().map(|(failure, count)| (failure.to_string(), count)));
        }
        proof.writes = written.count;
        proof.find_violations(load, outcome, &written);
        proof.find_warnings(load, outcome, client);
        proof
    }

    /// Whether nothing speaks against the run.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }

    fn find_violations(&mut self, load: &Load, outcome: &Outcome, written: &Written) {
        if self.failed > 0 {
            self.violations.push(format!("{} requests failed", self.failed));
        }
        if self.unanswered > 0 {
            self.violations.push(format!("{} requests were never answered", self.unanswered));
        }
        let rise = self.revision_after - self.revision_before;
        if !load.shared && i128::from(rise) != i128::from(self.writes) {
            let remedy = "(if others write to this store, say --shared)";
            self.violations
                .push(format!("the revision rose by {rise}, but {} writes were acknowledged {remedy}", self.writes));
        } else if !load.shared && !written.is_dense(self.revision_before + 1, self.revision_after) {
            self.violations.push("two acknowledged writes were given the same revision".into());
        }
        if load.prefill && outcome.load.missing > 0 {
            self.violations.push(format!("{} reads found no key, although all were filled", outcome.load.missing));
        }
        if let Length::Requests(count) = load.length {
            let answered = outcome.load.answered();
            if answered + outcome.load.failed < count {
                self.violations.push(format!("only {answered} of {count} requests were made"));
            }
        }
    }

    fn find_warnings(&mut self, load: &Load, outcome: &Outcome, client: &ClientCost) {
        if client.busiest_thread > BUSY_MAX {
            let percent = client.busiest_thread * 100.0;
            self.warnings.push(format!(
                "the client was the bottleneck: a thread used {percent:.0} % of its CPU (more --threads, on CPUs of their own)"
            ));
        }
        if client.kept_waiting > WAITING_MAX {
            let percent = client.kept_waiting * 100.0;
            self.warnings.push(format!("other programs kept the client from its CPU for {percent:.0} % of the time"));
        }
        if outcome.load.unsent > 0 {
            let rate = load.rate.unwrap_or(0);
            self.warnings.push(format!(
                "the rate of {rate}/s was not kept: {} due requests were never sent, and are missing from the percentiles",
                outcome.load.unsent
            ));
        }
        if outcome.load.connections_lost > 0 {
            self.warnings.push(format!("{} connections ended during the run", outcome.load.connections_lost));
        }
        if !load.prefill && outcome.load.missing > 0 {
            self.warnings.push(format!("{} reads found no key", outcome.load.missing));
        }
        if let Some(limit) = outcome.streams_limited {
            self.warnings
                .push(format!("a server allows {limit} requests in flight on a connection: more --connections"));
        }
        let share = ratio(self.conflicts as f64, (self.writes + self.conflicts) as f64);
        if self.conflicts > 0 {
            self.warnings.push(format!(
                "{} transactions ({:.1} %) found another revision",
                self.conflicts,
                share * 100.0
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        driver::tally::Tally,
        etcd::responses::RangeAnswer,
        protocol::grpc::{Code, Failure},
        workload::operation::Operation,
    };

    fn judged(load: Load, change: impl FnOnce(&mut Outcome)) -> Proof {
        let at = |revision| RangeAnswer { revision, count: 10, ..Default::default() };
        let mut tally = Tally::new();
        (2..=101).for_each(|revision| tally.written.add(revision));
        tally.series_mut(Operation::Put).succeeded = 100;
        let mut outcome = Outcome { before: at(1), after: at(101), prefill: None, load: tally, streams_limited: None };
        change(&mut outcome);
        let client = ClientCost { cpu_us_per_request: 1.0, busiest_thread: 0.5, kept_waiting: 0.0 };
        Proof::new(&load, &outcome, &client)
    }

    #[test]
    fn a_good_run_is_proved() {
        let proof = judged(Load::for_tests(), |_| ());
        assert!(proof.holds() && proof.warnings.is_empty(), "{proof:?}");
        assert_eq!((proof.writes, proof.keys), (100, 10));
    }

    #[test]
    fn every_gap_is_a_violation() {
        let violated = |change: fn(&mut Outcome), words: &str| {
            let violations = judged(Load::for_tests(), change).violations;
            assert!(violations.iter().any(|text| text.contains(words)), "{words}: {violations:?}");
        };
        violated(|outcome| outcome.after.revision = 102, "rose by 101");
        violated(|outcome| outcome.after.revision = 100, "rose by 99");
        violated(|outcome| outcome.load.unanswered = 1, "never answered");
        violated(|outcome| outcome.load.fail(Failure::new(Code::UNKNOWN, "x")), "1 requests failed");
        violated(|outcome| outcome.load.series_mut(Operation::Put).succeeded = 99, "only 99 of 100");
        violated(
            |outcome| {
                outcome.load.written = Written::default();
                (2..=100).chain([2]).for_each(|revision| outcome.load.written.add(revision));
            },
            "same revision",
        );
        let missing = judged(Load { prefill: true, ..Load::for_tests() }, |outcome| outcome.load.missing = 3);
        assert!(!missing.holds());
    }

    #[test]
    fn a_shared_store_may_rise_as_it_likes() {
        let load = Load { shared: true, ..Load::for_tests() };
        assert!(judged(load, |outcome| outcome.after.revision = 500).holds());
    }

    #[test]
    fn what_weakens_a_figure_is_said() {
        let proof = judged(Load::for_tests(), |outcome| {
            outcome.load.unsent = 1;
            outcome.load.connections_lost = 1;
            outcome.load.conflicts = 1;
            outcome.load.missing = 1;
            outcome.streams_limited = Some(100);
        });
        assert!(proof.holds());
        assert_eq!(proof.warnings.len(), 5);
    }
}
