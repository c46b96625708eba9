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

    fn draw(&mut self) {
        self.timeout_ticks = self.election_ticks + self.random.below(self.election_ticks);
    }

    /// Lets everybody else stand first: their timeouts end before two election timeouts, this one behind that. Whoever
    /// could not lead all groups would win again otherwise, as long as the others had drawn long ones.
    pub fn stand_back(&mut self) {
        self.timeout_ticks = 2 * self.election_ticks + self.random.below(self.election_ticks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gave_up_stands_behind_all_others() {
        const ELECTION_TICKS: u64 = 10;
        for seed in 0..100 {
            let mut timer = ElectionTimer::new(ELECTION_TICKS, seed);
            assert!(!timer.ran_out(ELECTION_TICKS - 1));
            assert!(timer.ran_out(2 * ELECTION_TICKS - 1), "seed {seed}");
            timer.stand_back();
            assert!(!timer.ran_out(2 * ELECTION_TICKS - 1), "seed {seed}");
            assert!(timer.ran_out(3 * ELECTION_TICKS - 1), "seed {seed}");
            assert!(timer.ran_out(2 * ELECTION_TICKS - 1), "seed {seed}: only once");
        }
    }
}
