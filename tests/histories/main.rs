//! Recorded histories of real clusters: three members as processes, each in a network namespace of its own, under partitions,
//! kill -9, SIGSTOP and a full disk, while clients over gRPC ask and watch. What they were told is held against the
//! simulator's own checkers.
//!
//! A killed process loses what it held in memory, not what the page cache holds: lost un-synced writes are the simulated
//! disk's business.
//!
//! | variable | meaning | default | campaign |
//! | --- | --- | --- | --- |
//! | `CAMPANILE_HISTORIES` | histories of 5,000 operations and 6 faults at least; not set, one small one | | 200 |
//! | `CAMPANILE_SEED` | the first one's seed: the same plan, not the same history | | |
//! | `CAMPANILE_SUBJECT` | puts another program in Campanile's place | | |
//!
//! | file | what |
//! | --- | --- |
//! | `plan` | what a seed stands for |
//! | `stage` | the cluster: namespaces, links, processes, a small disk |
//! | `strike`, `settle` | faults, and what must be when they are over |
//! | `clients`, `watchers` | who uses it |
//! | `wire` | between the core's words and protobuf |
//! | `record` | what they write down |
//! | `observe` | the history that follows from it |
//! | `judge` | the checkers |
//! | `course`, `campaign`, `keep` | one history, many, and what stays of a failing one |
//! | `tamper` | histories that are made wrong, each of which must be found |

mod campaign;
mod clients;
mod course;
mod judge;
mod keep;
mod observe;
mod plan;
mod record;
mod settle;
mod stage;
mod strike;
mod tamper;
mod watchers;
mod wire;

use std::{
    env, thread,
    time::{Duration, Instant},
};

use campanile_test_support::{Program, Seed, environment, wait};

const HISTORIES: &str = "CAMPANILE_HISTORIES";
const MOMENT: Duration = Duration::from_secs(10);

fn subject() -> Program {
    Program::subject(env!("CARGO_BIN_EXE_campanile"))
}

/// Tests beside this one make namespaces too, which have names for a moment.
fn nothing_is_left() -> bool {
    let deadline = Instant::now() + MOMENT;
    while !stage::namespace::leftovers().is_empty() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(wait::POLL_INTERVAL);
    }
    true
}

#[test]
fn histories_of_the_real_cluster_hold() {
    let Seed(seed) = Seed::take("histories_of_the_real_cluster_hold");
    let size = if env::var_os(HISTORIES).is_some() { plan::LARGE } else { plan::SMALL };
    let Some(summary) = campaign::campaign(&subject(), seed, environment::number(HISTORIES, 1), size) else { return };
    assert!(nothing_is_left(), "namespaces are left behind: {:?}", stage::namespace::leftovers());
    summary.check();
}

#[test]
fn every_tampered_history_is_found() {
    let Seed(seed) = Seed::take("every_tampered_history_is_found");
    tamper::every_tampered_history_is_found(&subject(), seed);
}
