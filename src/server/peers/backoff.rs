//! How long to leave a remote alone that could not be reached.

use std::time::Duration;

use campanile_core::random::Random;

use super::bounds::{BACKOFF_MAX, BACKOFF_MIN};

/// Doubles with each failure, and is shortened by up to a half, so that members that lost each other at once do not
/// come back at once. The seed decides by how much.
#[derive(Debug)]
pub struct Backoff {
    random: Random,
    longest: Duration,
}

impl Backoff {
    #[must_use]
    pub fn new(seed: u64) -> Backoff {
        Backoff { random: Random::new(seed), longest: BACKOFF_MIN }
    }

    /// The remote was reached.
    pub fn reset(&mut self) {
        self.longest = BACKOFF_MIN;
    }

    /// How long to wait after one more failure.
    pub fn next(&mut self) -> Duration {
        let longest = self.longest;
        self.longest = (2 * longest).min(BACKOFF_MAX);
        let half = u64::try_from(longest.as_micros() / 2).expect("seconds fit");
        longest - Duration::from_micros(self.random.below(half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_bound_and_is_repeatable() {
        let mut backoff = Backoff::new(7);
        let waits: Vec<Duration> = (0..10).map(|_| backoff.next()).collect();
        let mut longest = BACKOFF_MIN;
        for wait in &waits {
            assert!((longest / 2..=longest).contains(wait), "{wait:?} of {longest:?}");
            longest = (2 * longest).min(BACKOFF_MAX);
        }
        let mut again = Backoff::new(7);
        assert_eq!(waits, (0..10).map(|_| again.next()).collect::<Vec<_>>());
        backoff.reset();
        assert!(backoff.next() <= BACKOFF_MIN);
    }
}
