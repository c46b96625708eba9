//! Whether a client pings more often than it may.
//!
//! The rule is that of grpc-go's server, to which etcd's clients are tuned: a ping that comes sooner than
//! [`Limits::ping_interval_min`](crate::Limits) after the one before is a strike, or sooner than two hours if the client has
//! no call open; the third strike in a row is the end. Whatever the server sends forgives all strikes, so that clients may
//! measure the connection while they receive.

use std::time::{Duration, Instant};

const STRIKES_MAX: u32 = 2;
/// Without a call a client has no reason to ping.
const IDLE_INTERVAL_MIN: Duration = Duration::from_secs(2 * 60 * 60);

/// What the client has done so far.
#[derive(Debug)]
pub(super) struct PingPolicy {
    interval_min: Duration,
    last: Option<Instant>,
    strikes: u32,
    forgiven: bool,
}

impl PingPolicy {
    pub(super) fn new(interval_min: Duration) -> PingPolicy {
        PingPolicy { interval_min, last: None, strikes: 0, forgiven: false }
    }

    /// A head or a message was sent.
    pub(super) fn forgive(&mut self) {
        self.forgiven = true;
    }

    /// A ping came, while calls were open or not. Whether it was one too many.
    pub(super) fn ping(&mut self, now: Instant, calls_open: bool) -> bool {
        let interval_min = if calls_open { self.interval_min } else { IDLE_INTERVAL_MIN };
        let last = self.last.replace(now);
        if std::mem::take(&mut self.forgiven) {
            self.strikes = 0;
            return false;
        }
        let too_soon = last.is_some_and(|last| now.saturating_duration_since(last) < interval_min);
        self.strikes += u32::from(too_soon);
        self.strikes > STRIKES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL_MIN: Duration = Duration::from_secs(5);

    #[test]
    fn the_third_strike_is_the_end() {
        let start = Instant::now();
        let mut policy = PingPolicy::new(INTERVAL_MIN);
        let ends = [0, 4, 8, 12].map(|seconds| policy.ping(start + Duration::from_secs(seconds), true));
        assert_eq!(ends, [false, false, false, true]);
    }

    #[test]
    fn patience_is_not_tried_by_pings_in_time() {
        let start = Instant::now();
        let mut policy = PingPolicy::new(INTERVAL_MIN);
        assert!((0..100).all(|turn| !policy.ping(start + turn * INTERVAL_MIN, true)));
    }

    #[test]
    fn without_a_call_a_ping_is_too_soon_for_two_hours() {
        let start = Instant::now();
        let mut policy = PingPolicy::new(INTERVAL_MIN);
        let ends = [0, 1, 2, 3].map(|turn| policy.ping(start + turn * 2 * INTERVAL_MIN, false));
        assert_eq!(ends, [false, false, false, true]);
    }

    #[test]
    fn what_is_sent_forgives() {
        let start = Instant::now();
        let mut policy = PingPolicy::new(INTERVAL_MIN);
        for _ in 0..10 {
            assert!(!(0..3).any(|_| policy.ping(start, true)));
            policy.forgive();
        }
    }
}
