//! One connection: what it owns, and one poll of it.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use h2::PingPong;
use slab::Slab;
use tokio::io::{AsyncRead, AsyncWrite};

use super::admission::Admission;
use super::exchange::{Exchange, Role};
use super::frames;
use super::keepalive::Keepalive;
use super::pings::PingPolicy;
use super::signal::Signals;
use super::timers::Armed;
use crate::call::Peer;
use crate::handler::Handler;
use crate::io::Io;
use crate::limits::{REQUESTS_PER_POLL_MAX, ROUNDS_PER_POLL_MAX};
use crate::outbox::{Answer, ExchangeKey, Outbox};
use crate::segment::Segment;
use crate::serve::{ConnectionError, Environment};
use crate::shutdown::Listener;
use crate::status::Code;
use crate::wake::ConnectionWaker;

/// A connection and all that is open on it.
pub(super) struct Connection<T, H>
where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    h2: h2::server::Connection<Io<T>, Segment>,
    io: Io<T>,
    pub(super) peer: Rc<Peer>,
    pub(super) environment: Environment<H>,
    pub(super) exchanges: Slab<Exchange>,
    generations: u64,
    pub(super) outbox: Rc<Outbox>,
    pub(super) signals: Arc<Signals>,
    waker: Arc<ConnectionWaker>,
    shutdown: Listener,
    pub(super) ping_pong: PingPong,
    pub(super) keepalive: Keepalive,
    ping_policy: PingPolicy,
    /// The last stream that was taken from h2.
    pub(super) last_stream: u32,
    /// No open call's deadline is before this.
    pub(super) next_deadline: Option<Instant>,
    /// When draining ends; set once the shutdown has begun.
    pub(super) drained_by: Option<Instant>,
    pub(super) armed: Option<Armed>,
    /// The time when this poll began.
    pub(super) now: Instant,
    /// Of unary calls that the handler has and did not answer.
    pub(super) admission: Admission,
    /// Bytes of messages that are not complete.
    pub(super) partial_bytes: usize,
    /// Requests to accept before others have their turn.
    budget: usize,
    /// Empty between rounds; kept for their room.
    answers: Vec<(ExchangeKey, Answer)>,
    signalled: Vec<ExchangeKey>,
}

impl<T, H> Connection<T, H>
where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    pub(super) fn new(
        mut h2: h2::server::Connection<Io<T>, Segment>,
        io: Io<T>,
        peer: Rc<Peer>,
        environment: Environment<H>,
    ) -> Connection<T, H> {
        let waker = ConnectionWaker::new();
        let now = environment.timer.now();
        let limits = &environment.limits;
        Connection {
            ping_pong: h2.ping_pong().expect("nobody took it before"),
            keepalive: Keepalive::new(limits.keepalive_interval, limits.keepalive_timeout, now),
            admission: Admission::new(limits),
            ping_policy: PingPolicy::new(limits.ping_interval_min),
            last_stream: 0,
            shutdown: environment.shutdown.listen(),
            outbox: Outbox::new(Arc::clone(&waker)),
            signals: Signals::new(Arc::clone(&waker)),
            h2,
            io,
            peer,
            environment,
            exchanges: Slab::new(),
            generations: 0,
            waker,
            next_deadline: None,
            drained_by: None,
            armed: None,
            now,
            partial_bytes: 0,
            budget: 0,
            answers: Vec::new(),
            signalled: Vec::new(),
        }
    }

    /// Goes round until nothing is left to do, then sends all that was gathered in one write. Ready at the end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        self.waker.begin(cx.waker());
        let waker = Waker::from(Arc::clone(&self.waker));
        let mut inner = Context::from_waker(&waker);
        self.now = self.environment.timer.now();
        self.budget = REQUESTS_PER_POLL_MAX;
        let mut rounds = 0;
        let ended = loop {
            self.io.begin_round();
            let ended = self.round(&mut inner);
            rounds += 1;
            let again = self.waker.take();
            if ended.is_ready() || !again {
                break ended;
            }
            if rounds == ROUNDS_PER_POLL_MAX || self.budget == 0 {
                // Others have their turn first: `end` wakes the task.
                self.waker.wake_connection();
                break ended;
            }
        };
        let sent = self.io.poll_send(&mut inner);
        self.report();
        self.waker.end();
        match (ended, sent) {
            (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error.into())),
            (ended, _) => ended,
        }
    }

    fn round(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        if self.drained_by.is_none() && self.shutdown.poll_begun(cx).is_ready() {
            self.drained_by = Some(self.now + self.environment.limits.drain_timeout);
            self.h2.graceful_shutdown();
        }
        self.send_answers();
        if let Poll::Ready(ended) = self.advance(cx) {
            return Poll::Ready(ended.map_err(|error| ConnectionError::Http2(error.to_string())));
        }
        if self.is_pinged_too_often() {
            let goaway = frames::goaway(self.last_stream, h2::Reason::ENHANCE_YOUR_CALM, b"too_many_pings");
            self.io.gather_frame(&goaway);
            return Poll::Ready(Err(ConnectionError::TooManyPings));
        }
        self.see_to_drained();
        self.see_to_signalled();
        self.poll_timers(cx)
    }

    fn is_pinged_too_often(&mut self) -> bool {
        if self.outbox.queued.take_written() {
            self.ping_policy.forgive();
        }
        let calls_open = !self.exchanges.is_empty();
        (0..self.io.take_pings()).any(|_| self.ping_policy.ping(self.now, calls_open))
    }

    /// Lets h2 read and write, and takes the requests it has. Ready when the connection is closed.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        while self.has_room() {
            if self.budget == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.h2.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.budget -= 1;
                    self.accept(request, respond);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
        let closed = self.h2.poll_closed(cx);
        if self.has_room() {
            // It wrote so much that there is room again.
            cx.waker().wake_by_ref();
        }
        closed
    }

    /// Whether further requests may be read: the client reads its answers, and the handler gives them.
    fn has_room(&self) -> bool {
        self.admission.has_room(self.outbox.queued.bytes.get(), &self.environment.limits)
    }

    fn send_answers(&mut self) {
        let mut answers = std::mem::take(&mut self.answers);
        self.outbox.take(&mut answers);
        for (key, answer) in answers.drain(..) {
            self.answer(key, answer);
        }
        self.answers = answers;
    }

    /// Streams whose queue has drained take messages again, both ways.
    fn see_to_drained(&mut self) {
        for key in self.outbox.queued.take_drained() {
            let Some(exchange) = self.exchange(key) else { continue };
            let Role::Stream { handler, queue } = &mut exchange.role else { continue };
            if queue.paused.get() && queue.has_drained() {
                queue.paused.set(false);
                handler.on_ready();
                self.see_to_stream(key);
            }
        }
    }

    /// Streams that h2 has news of. Without room their news waits.
    fn see_to_signalled(&mut self) {
        if !self.has_room() {
            return;
        }
        let mut signalled = std::mem::take(&mut self.signalled);
        self.signals.take(&mut signalled);
        for key in signalled.drain(..) {
            self.see_to_stream(key);
        }
        self.signalled = signalled;
    }

    /// The key of the exchange that is put in next.
    pub(super) fn next_key(&mut self) -> ExchangeKey {
        self.generations += 1;
        ExchangeKey { slot: self.exchanges.vacant_key(), generation: self.generations }
    }

    /// The exchange, if it is still open.
    pub(super) fn exchange(&mut self, key: ExchangeKey) -> Option<&mut Exchange> {
        self.exchanges.get_mut(key.slot).filter(|exchange| exchange.generation == key.generation)
    }

    /// Ends an exchange that ended with `code`, and takes it off all counts.
    pub(super) fn remove(&mut self, key: ExchangeKey, code: Code) {
        let exchange = self.exchanges.remove(key.slot);
        assert_eq!(exchange.generation, key.generation, "an open exchange is removed");
        let partial = exchange.incoming.as_ref().map_or(0, |incoming| incoming.partial_bytes());
        self.partial_bytes -= partial;
        match &exchange.role {
            Role::UnaryHandled { message_bytes } => self.admission.end(*message_bytes),
            Role::Stream { queue, .. } => queue.open.set(false),
            Role::UnaryArriving(_) | Role::Plain { .. } => {}
        }
        if let Some(method) = exchange.method {
            let elapsed = self.now.saturating_duration_since(exchange.started);
            self.environment.meter.handled(method, code, elapsed);
        }
    }

    /// Ends an exchange whose client is gone.
    pub(super) fn cancel(&mut self, key: ExchangeKey) {
        if let Some(Exchange { role: Role::Stream { handler, queue }, .. }) = self.exchange(key) {
            queue.open.set(false);
            handler.on_cancel();
        }
        self.remove(key, Code::Cancelled);
    }

    fn report(&mut self) {
        let (received, sent) = self.io.take_transferred();
        if received > 0 {
            self.keepalive.hear(self.now);
        }
        if received > 0 || sent > 0 {
            self.environment.meter.transferred(received, sent);
        }
        if self.exchanges.is_empty() {
            self.io.shrink();
        }
    }
}

impl<T, H> Drop for Connection<T, H>
where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    /// What is still open is cancelled: its client is gone, or was given up.
    fn drop(&mut self) {
        self.outbox.close();
        let open = |(slot, exchange): (usize, &Exchange)| ExchangeKey { slot, generation: exchange.generation };
        let keys: Vec<ExchangeKey> = self.exchanges.iter().map(open).collect();
        for key in keys {
            self.cancel(key);
        }
    }
}
