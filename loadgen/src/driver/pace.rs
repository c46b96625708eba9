//! When requests are sent: as soon as an answer leaves room (closed loop), or at a fixed rate (open loop).
//!
//! In the open loop every request has an intended time, whether or not there was room to send it then, and its
//! latency counts from there: a server that stalls is not spared the requests that it held up. Pure: no clock.

use crate::clock::Nanos;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// How much a thread shall send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// This many requests after the warm-up.
    Count(u64),
    /// What fits until this time.
    Until(Nanos),
}

/// A fixed rate of all threads together, and this thread's share of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u64,
    pub thread: u64,
    pub threads: u64,
}

/// One thread's schedule.
#[derive(Debug, Clone)]
pub struct Pace {
    start: Nanos,
    warm_until: Nanos,
    limit: Limit,
    rate: Option<Rate>,
    sent: u64,
    sent_after_warm_up: u64,
}

impl Pace {
    pub fn new(start: Nanos, warm_up: Nanos, limit: Limit, rate: Option<Rate>) -> Self {
        Self { start, warm_until: start + warm_up, limit, rate, sent: 0, sent_after_warm_up: 0 }
    }

    /// The intended time of a request that is to be sent now, if one is.
    pub fn take(&mut self, now: Nanos) -> Option<Nanos> {
        let intended = self.due(now).filter(|&intended| intended <= now)?;
        self.sent += 1;
        self.sent_after_warm_up += u64::from(intended >= self.warm_until);
        Some(intended)
    }

    /// When the next request is due: `now` in a closed loop; none once all has been sent that shall be.
    pub fn due(&self, now: Nanos) -> Option<Nanos> {
        if self.is_over(now) {
            return None;
        }
        Some(self.rate.map_or(now, |rate| self.intended(rate, self.sent)))
    }

    /// Whether nothing more will be sent.
    pub fn is_over(&self, now: Nanos) -> bool {
        match self.limit {
            Limit::Count(count) => self.sent_after_warm_up >= count,
            Limit::Until(end) => now >= end,
        }
    }

    /// Whether requests have times of their own.
    pub fn is_open_loop(&self) -> bool {
        self.rate.is_some()
    }

    /// Requests of an open loop whose time came before its end without room to send them.
    pub fn unsent(&self) -> u64 {
        let (Some(rate), Limit::Until(end)) = (self.rate, self.limit) else { return 0 };
        // Request k of this thread is due at start + (k * threads + thread) / rate: count the k due before the end.
        let ticks = (u128::from(end - self.start) * u128::from(rate.per_second)).div_ceil(NANOS_PER_SECOND);
        let due = ticks.saturating_sub(u128::from(rate.thread)).div_ceil(u128::from(rate.threads));
        u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(self.sent)
    }

    fn intended(&self, rate: Rate, number: u64) -> Nanos {
        let tick = u128::from(number) * u128::from(rate.threads) + u128::from(rate.thread);
        let offset = tick * NANOS_PER_SECOND / u128::from(rate.per_second);
        self.start.saturating_add(Nanos::try_from(offset).unwrap_or(Nanos::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_loop_sends_whenever_it_is_asked() {
        let mut pace = Pace::new(100, 50, Limit::Until(200), None);
        assert_eq!((pace.take(100), pace.take(199), pace.take(200)), (Some(100), Some(199), None));
        assert_eq!(pace.unsent(), 0);
        let mut counted = Pace::new(100, 50, Limit::Count(2), None);
        let taken: Vec<_> = (0..).map_while(|step| counted.take(100 + step * 20)).collect();
        assert_eq!(taken, [100, 120, 140, 160, 180], "the warm-up does not count");
    }

    #[test]
    fn an_open_loop_keeps_its_times_when_it_is_late() {
        let rate = Rate { per_second: 1000, thread: 1, threads: 2 };
        let mut pace = Pace::new(0, 0, Limit::Until(10_000_000), Some(rate));
        assert_eq!((pace.take(0), pace.due(0)), (None, Some(1_000_000)));
        assert_eq!(pace.take(6_000_000), Some(1_000_000));
        assert_eq!(pace.take(6_000_000), Some(3_000_000));
        assert_eq!(pace.take(6_000_000), Some(5_000_000));
        assert_eq!(pace.take(6_000_000), None);
        assert_eq!(pace.take(20_000_000), None);
        assert_eq!(pace.unsent(), 2, "those due at 7 and 9 ms");
    }

    #[test]
    fn threads_together_keep_the_rate() {
        for (per_second, threads) in [(7, 3), (999_983, 4), (1, 1)] {
            let unsent = |thread| {
                let rate = Rate { per_second, thread, threads };
                Pace::new(5, 0, Limit::Until(5 + 10_000_000_000), Some(rate)).unsent()
            };
            assert_eq!((0..threads).map(unsent).sum::<u64>(), per_second * 10);
        }
    }
}
