//! Crashes at every operation of the disk, in every state of the logs, twice and three times in a row.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::campaign::{Campaign, Seen};
use crate::disk::simulated::Crash;

/// One load, crashed at each of its operations in turn; then the start after it is crashed too.
#[test]
fn at_every_operation() {
    for how in [Crash::Power, Crash::Process] {
        for operation in 1.. {
            let mut campaign = Campaign::new(7);
            campaign.disk.crash_at(operation, how);
            campaign.start(&mut std::iter::empty());
            campaign.work(120);
            let crashed = campaign.disk.has_crashed();
            campaign.end();
            campaign.start(&mut [operation % 23 + 1].into_iter());
            campaign.end();
            campaign.start(&mut std::iter::empty());
            if !crashed {
                break;
            }
        }
    }
}

/// Many loads, each crashed again and again at random operations, during work and during the starts.
#[test]
fn again_and_again() {
    let mut seen = Seen::default();
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut campaign = Campaign::new(seed);
        campaign.start(&mut std::iter::empty());
        for _ in 0..8 {
            let crash = campaign.any_crash();
            campaign.disk.crash_at(campaign.disk.operations() + random.random_range(1..300), crash);
            campaign.work(200);
            campaign.end();
            let during_start: Vec<u64> = (0..random.random_range(0..3)).map(|_| random.random_range(1..60)).collect();
            campaign.start(&mut during_start.into_iter());
        }
        let before = campaign.stamps();
        campaign.end();
        campaign.start(&mut std::iter::empty());
        assert_eq!(campaign.stamps(), before, "seed {seed}: a start changes nothing");
        seen = seen.and(campaign.seen);
    }
    println!("{seen:?}");
    assert!(seen.all_reached(), "a corner was never reached: {seen:?}");
}
