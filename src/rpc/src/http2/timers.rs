//! What happens by the clock: deadlines pass, silent clients are pinged, draining ends. One timer for all of it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use h2::Ping;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::exchange::{Exchange, Role};
use super::keepalive::Due;
use crate::handler::Handler;
use crate::outbox::ExchangeKey;
use crate::serve::{ConnectionError, earliest};
use crate::status::{Code, Status};

/// Deadlines are looked at no more often than this, so that calls which time out one by one do not cost a look at all
/// of them each.
const DEADLINE_STEP: Duration = Duration::from_millis(1);

/// The timer that runs.
pub(super) struct Armed {
    at: Instant,
    sleep: Pin<Box<dyn Future<Output = ()>>>,
}

impl<T, H> Connection<T, H>
where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    /// Does what is due, and sees to being woken for what comes next. Ready when the client is given up.
    pub(super) fn poll_timers(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        loop {
            let next = earliest(earliest(self.next_deadline, self.keepalive.next()), self.drained_by);
            let Some(next) = next else {
                self.armed = None;
                return Poll::Pending;
            };
            // A timer that fires too early does no harm: nothing is due then.
            let armed = match self.armed.take().filter(|armed| armed.at <= next) {
                Some(armed) => self.armed.insert(armed),
                None => {
                    let sleep = self.environment.timer.sleep(next.saturating_duration_since(self.now));
                    self.armed.insert(Armed { at: next, sleep })
                }
            };
            if armed.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.armed = None;
            self.now = self.environment.timer.now();
            if let Err(error) = self.see_to_time(cx) {
                return Poll::Ready(Err(error));
            }
        }
    }

    fn see_to_time(&mut self, cx: &mut Context<'_>) -> Result<(), ConnectionError> {
        if self.next_deadline.is_some_and(|deadline| deadline <= self.now) {
            self.end_overdue();
        }
        if self.drained_by.is_some_and(|by| by <= self.now) {
            return Err(ConnectionError::DrainTimeout(self.environment.limits.drain_timeout));
        }
        match self.keepalive.due(self.now) {
            Due::Nothing => {}
            Due::Ping => {
                // An old pong has to be taken before the next ping. If none came, the client spoke otherwise.
                let _ = self.ping_pong.poll_pong(cx);
                let _ = self.ping_pong.send_ping(Ping::opaque());
                cx.waker().wake_by_ref();
            }
            Due::GiveUp => {
                return Err(ConnectionError::KeepaliveTimeout(self.environment.limits.keepalive_timeout));
            }
        }
        Ok(())
    }

    /// Answers the calls whose time is over, and finds the next one's.
    fn end_overdue(&mut self) {
        let now = self.now;
        let overdue = |exchange: &Exchange| exchange.deadline.is_some_and(|deadline| deadline <= now);
        let key = |(slot, exchange): (usize, &Exchange)| ExchangeKey { slot, generation: exchange.generation };
        let keys: Vec<ExchangeKey> = self.exchanges.iter().filter(|(_, each)| overdue(each)).map(key).collect();
        for key in keys {
            if let Some(Exchange { role: Role::Stream { handler, queue }, .. }) = self.exchange(key) {
                queue.open.set(false);
                handler.on_cancel();
            }
            self.finish(key, &Status::new(Code::DeadlineExceeded, "context deadline exceeded"));
        }
        let next = self.exchanges.iter().filter_map(|(_, exchange)| exchange.deadline).min();
        self.next_deadline = next.map(|next| next.max(now + DEADLINE_STEP));
    }
}
