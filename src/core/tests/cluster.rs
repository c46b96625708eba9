//! Whole clusters in one thread: members, executors, network and disks, in any order that a seed says.
//!
//! The same core as the server's, driven event by event. See `cluster/` for the parts; a failing run prints its seed.

mod cluster {
    pub mod checks;
    pub mod client;
    pub mod disk;
    pub mod member;
    pub mod simulation;
}

use cluster::simulation::{Faults, Simulation};

/// Runs a cluster through a time of faults and a time without, and checks every promise.
fn run(members: usize, executors: u16, shards: u32, seeds: std::ops::Range<u64>, faults: Faults) {
    for seed in seeds {
        let mut simulation = Simulation::new(seed, members, executors, shards);
        simulation.run(4_000, faults);
        simulation.settle();
        simulation.check();
    }
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    let first = std::env::var("CAMPANILE_SEED").ok().and_then(|seed| seed.parse().ok());
    let count = std::env::var("CAMPANILE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(count);
    first.map_or(0..count, |first: u64| first..first + 1)
}

#[test]
fn one_member_without_faults() {
    run(1, 2, 3, seeds(20), Faults::default());
}

#[test]
fn one_member_that_crashes() {
    run(1, 2, 2, seeds(40), Faults { crashes: true, ..Faults::default() });
}

#[test]
fn three_members_without_faults() {
    run(3, 2, 2, seeds(20), Faults::default());
}

#[test]
fn three_members_with_a_bad_network() {
    run(3, 1, 2, seeds(40), Faults { losses: true, ..Faults::default() });
}

#[test]
fn three_members_that_crash() {
    run(3, 2, 2, seeds(60), Faults { crashes: true, losses: true, partitions: true });
}

#[test]
fn five_members_that_crash() {
    run(5, 1, 1, seeds(20), Faults { crashes: true, losses: true, partitions: true });
}
