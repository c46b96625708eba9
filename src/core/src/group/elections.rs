//! When a member campaigns for the control group.
//!
//! raft-rs draws its election timeout from the thread's random numbers, and no run would be the same twice. So its own
//! timeout is set out of reach, and this one, drawn from the core's seed, takes its place. Data groups have none: they
//! campaign when the primary asks.

use crate::random::Random;

/// The timeout of raft-rs, in election timeouts: far above ours, so it never fires.
pub const RAFT_TIMEOUT_FACTOR: usize = 1_000_000;

#[derive(Debug)]
pub struct ElectionTimer {
    election_ticks: u64,
    timeout_ticks: u64,
    random: Random,
}

impl ElectionTimer {
    /// A timer that runs out between one and two election timeouts after the last sign of a leader.
    pub fn new(election_ticks: u64, seed: u64) -> ElectionTimer {
        let mut timer = ElectionTimer { election_ticks, timeout_ticks: 0, random: Random::new(seed) };
        timer.draw();
        timer
    }

    /// Whether to campaign, so many ticks after the last sign of a leader. Draws a new timeout if so.
    pub fn ran_out(&mut self, elapsed_ticks: u64) -> bool {
        let out = elapsed_ticks >= self.timeout_ticks;
        if out {
            self.draw();
        }
        out
    }

    /// Waits for a random time again, as a primary does that gave up.
    pub fn draw(&mut self) {
        self.timeout_ticks = self.election_ticks + self.random.below(self.election_ticks);
    }
}
