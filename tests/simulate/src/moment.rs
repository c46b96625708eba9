//! Virtual time: the one clock that all of a run shares and no member sees. Each member has a clock of its own, which
//! runs a little fast or slow and may jump.

use campanile_core::time::Instant;
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Microseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, duration: Duration) -> Moment {
        Moment(self.0 + duration.as_micros() as u64)
    }
}

impl Sub<Moment> for Moment {
    type Output = Duration;

    fn sub(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A member's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// How much faster than virtual time it runs, in millionths; negative if slower.
    pub skew_ppm: i64,
    /// What jumps have added.
    pub ahead: Duration,
}

impl Clock {
    #[must_use]
    pub fn read(&self, now: Moment) -> Instant {
        let skewed = i128::from(now.0) * i128::from(1_000_000 + self.skew_ppm) / 1_000_000;
        Instant { nanoseconds: skewed as u64 * 1_000 } + self.ahead
    }
}
