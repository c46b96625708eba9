//! Campanile against real etcd: the same seeded random operations to both, from empty, and every answer compared.
//!
//! The judge is etcd 3.5.1, and 3.7.1 too if `ETCD_371` names it. What may differ stands in `excused.rs` and in
//! `answer.rs`, nowhere else.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `CAMPANILE_DIFFERENTIAL_OPERATIONS` | operations for each number of shards; 2,000 if unset, 100,000 in a campaign |
//! | `CAMPANILE_SEED` | repeats a run |
//! | `CAMPANILE_DIFFERENTIAL_ONLY` | performs only these operations of the run, as a report of a difference names them |
//! | `CAMPANILE_DIFFERENTIAL_MINIMISE_SECONDS` | how long a failing run is cut down before it is reported |
//! | `CAMPANILE_SUBJECT` | puts another program in Campanile's place, such as an etcd |
//! | `ETCD_371` | path of an etcd 3.7.1 |

mod answer;
mod corners;
mod difference;
mod excused;
mod generate;
mod history;
mod horizon;
mod minimise;
mod operation;
mod run;
mod side;
mod stream;
mod watchers;

use std::{env, time::Instant};

use campanile_test_support::{Program, Seed, environment, tools};
use run::{Pair, Run};

/// From this many operations on every corner must have been reached.
const CAMPAIGN_OPERATIONS: u64 = 20_000;
const DEFAULT_OPERATIONS: u64 = 2_000;

fn subject() -> Program {
    Program::subject(env!("CARGO_BIN_EXE_campanile"))
}

async fn against_judge(test: &str, shards: usize) {
    let subject = subject();
    if shards > 1 && !subject.is_campanile() {
        eprintln!("{test}: the subject has no shards: skipped");
        return;
    }
    for judge in [tools::judge(), tools::newest_judge()].into_iter().flatten() {
        let judge = Program::at(&judge.path);
        compare(test, Pair { judge, subject: subject.clone(), shards }).await;
    }
}

async fn compare(test: &str, pair: Pair) {
    let seed = Seed::take(test);
    let count = environment::number("CAMPANILE_DIFFERENTIAL_OPERATIONS", DEFAULT_OPERATIONS);
    let only = env::var("CAMPANILE_DIFFERENTIAL_ONLY").ok();
    let numbers: Vec<u64> = only.as_deref().map_or_else(|| (0..count).collect(), minimise::read);
    let begin = Instant::now();
    match Run::perform(&pair, seed, &numbers).await {
        Ok(run) => {
            let Pair { judge, subject, shards } = &pair;
            println!(
                "{test}: {:?} and {:?}, {shards} shards: {} operations agree",
                judge.kind,
                subject.kind,
                numbers.len()
            );
            println!("{test}: {:?}; excused: {:#?}", begin.elapsed(), run.excuses);
            println!("{}", run.corners());
            let missed = run.corners().missed();
            let is_campaign = only.is_none() && count >= CAMPAIGN_OPERATIONS;
            assert!(!is_campaign || missed.is_empty(), "corners that no operation reached: {missed:?}");
        }
        Err(difference) => {
            eprintln!("{test}: seed {seed}, {difference}\ncutting the run down ...");
            let minimal = minimise::minimise(&pair, seed, &numbers, *difference).await;
            panic!(
                "{test}: seed {seed}, {} operations suffice: {}\nrepeat: CAMPANILE_SEED={seed} CAMPANILE_DIFFERENTIAL_ONLY={} \
                 cargo test --test differential {test}",
                minimal.numbers.len(),
                minimal.difference,
                minimise::written(&minimal.numbers)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_shard_answers_as_etcd() {
    against_judge("one_shard_answers_as_etcd", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_shards_answer_as_etcd() {
    against_judge("two_shards_answer_as_etcd", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_shards_answer_as_etcd() {
    against_judge("five_shards_answer_as_etcd", 5).await;
}

/// The list of excuses is held against the two judges: it must explain every difference between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn judges_differ_as_excused() {
    let (Some(old), Some(new)) = (tools::judge(), tools::newest_judge()) else {
        eprintln!("ETCD_371 names no etcd 3.7.1: skipped");
        return;
    };
    let pair = Pair { judge: Program::at(&old.path), subject: Program::at(&new.path), shards: 1 };
    compare("judges_differ_as_excused", pair).await;
}
