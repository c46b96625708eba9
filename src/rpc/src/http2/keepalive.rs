//! When to ping a silent client, and when to give it up.

use std::time::{Duration, Instant};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    /// The client is gone.
    GiveUp,
}

/// The state of one connection. Whatever the client sends counts as a sign of life, a pong among it.
#[derive(Debug)]
pub(super) struct Keepalive {
    interval: Option<Duration>,
    timeout: Duration,
    heard: Instant,
    pinged: Option<Instant>,
}

impl Keepalive {
    pub(super) fn new(interval: Option<Duration>, timeout: Duration, now: Instant) -> Keepalive {
        Keepalive { interval, timeout, heard: now, pinged: None }
    }

    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    /// When to ask [`due`](Self::due) again.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.pinged {
            Some(pinged) => Some(pinged + self.timeout),
            None => self.interval.map(|interval| self.heard + interval),
        }
    }

    pub(super) fn due(&mut self, now: Instant) -> Due {
        if self.next().is_none_or(|next| now < next) {
            return Due::Nothing;
        }
        if self.pinged.is_some() {
            return Due::GiveUp;
        }
        self.pinged = Some(now);
        Due::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_client_is_pinged_and_given_up() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut keepalive = Keepalive::new(Some(Duration::from_secs(10)), Duration::from_secs(3), start);
        assert_eq!((keepalive.due(at(9)), keepalive.next()), (Due::Nothing, Some(at(10))));
        assert_eq!((keepalive.due(at(10)), keepalive.next()), (Due::Ping, Some(at(13))));
        assert_eq!(keepalive.due(at(12)), Due::Nothing);
        keepalive.hear(at(12));
        assert_eq!((keepalive.due(at(13)), keepalive.next()), (Due::Nothing, Some(at(22))));
        assert_eq!(keepalive.due(at(22)), Due::Ping);
        assert_eq!(keepalive.due(at(25)), Due::GiveUp);
    }

    #[test]
    fn without_an_interval_nobody_is_pinged() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(None, Duration::from_secs(3), start);
        assert_eq!((keepalive.due(start + Duration::from_secs(1 << 20)), keepalive.next()), (Due::Nothing, None));
    }
}
