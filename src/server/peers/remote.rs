//! One executor's connection to one remote: opened when there is something to say, opened again when it was lost.
//!
//! While the remote cannot be reached, messages wait for the next attempt and are dropped if that fails: Raft repeats what
//! still matters. Requests do not wait for a remote that could not be reached just now; their clients are told.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use campanile_config::Url;
use campanile_core::peer::PeerMessage;
use campanile_storage::ids::MemberId;
use futures_lite::future;
use futures_lite::io::{AsyncRead, AsyncWrite, split};
use glommio::timer::Timer;

use super::backoff::Backoff;
use super::bounds::{BULK_BYTES_MAX, FRAMES_MAX, REQUEST_BYTES_MAX, REQUESTS_BYTES_MAX, URGENT_BYTES_MAX};
use super::complaints::Subject;
use super::dial::{DialError, dial};
use super::frame::{self, Frame};
use super::meter::Meter;
use super::outbox::{Bound, Class, Outbox};
use super::relay::{Done, RelayError, RelayRequest, Relays};
use super::stream::{FrameReader, StreamError, write_all};
use super::{Identity, Options, Remote};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There was nothing to say yet, or an attempt to say it is under way.
    Opening,
    Connected,
    /// The last attempt failed, and the next one is not due.
    BackingOff,
}

pub struct Connection {
    identity: Identity,
    remote: MemberId,
    urls: Vec<Url>,
    options: Options,
    meter: Meter,
    outbox: Outbox,
    relays: Relays,
    state: Cell<State>,
    backoff: RefCell<Backoff>,
    attempts: Cell<usize>,
    pings: Cell<u64>,
    /// The ping that has no pong yet, and when it was put in.
    ping: Cell<Option<(u64, Instant)>>,
}

/// Why the remote is not talked to.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl Connection {
    pub fn new(identity: Identity, remote: Remote, options: &Options) -> Rc<Connection> {
        assert!(!remote.urls.is_empty(), "a member has a peer URL");
        let bound = |bytes| Bound { bytes, frames: FRAMES_MAX };
        Rc::new(Connection {
            identity,
            remote: remote.id,
            urls: remote.urls,
            options: options.clone(),
            meter: Meter::new(&options.metrics, remote.id),
            outbox: Outbox::new([bound(URGENT_BYTES_MAX), bound(REQUESTS_BYTES_MAX), bound(BULK_BYTES_MAX)]),
            relays: Relays::default(),
            state: Cell::new(State::Opening),
            backoff: RefCell::new(Backoff::new(options.seed ^ remote.id.0.rotate_left(32) ^ identity.member.0)),
            attempts: Cell::new(0),
            pings: Cell::new(0),
            ping: Cell::new(None),
        })
    }

    pub fn remote(&self) -> MemberId {
        self.remote
    }

    pub fn send(&self, message: &PeerMessage) {
        let class = if message.is_bulk() { Class::Bulk } else { Class::Urgent };
        let put = self.outbox.put(class, |buffer| {
            // What does not travel leaves the buffer as it was, and is nothing to send.
            let _travels = frame::put_message(buffer, message);
        });
        if put.is_err() {
            self.meter.not_sent(1);
        }
    }

    pub fn relay(&self, request: &RelayRequest, done: Done) {
        if self.state.get() == State::BackingOff || request.message.len() > REQUEST_BYTES_MAX {
            return done(Err(RelayError::NotSent));
        }
        self.relays.start(request.deadline, done, |number| {
            self.outbox.put(Class::Requests, |buffer| frame::put_request(buffer, number, request))
        });
    }

    /// One heartbeat interval has passed: pings, and gives up what has waited too long.
    pub fn tick(&self, now: Instant) {
        self.relays.expire(now);
        if self.state.get() != State::Connected {
            return;
        }
        match self.ping.get() {
            Some((_, sent)) if now.saturating_duration_since(sent) >= self.options.silence_max => {
                self.outbox.break_off();
            }
            Some(_) => {}
            None => {
                let number = self.pings.get();
                self.pings.set(number + 1);
                self.ping.set(Some((number, now)));
                self.outbox.put_always(Class::Urgent, |buffer| frame::put_ping(buffer, number));
            }
        }
    }

    /// Forgets everything that waits. Requests are told what is known of their fate.
    pub fn abandon(&self) {
        let taken = self.outbox.taken(Class::Requests);
        let [urgent, _, bulk] = self.outbox.clear();
        self.meter.not_sent(urgent + bulk);
        self.ping.set(None);
        self.relays.abandon(taken);
    }

    /// Keeps the connection, for ever.
    pub async fn run(self: Rc<Connection>) {
        loop {
            self.outbox.wait().await;
            let failure = self.open_and_talk().await;
            self.state.set(State::BackingOff);
            self.log_failure(&failure);
            self.abandon();
            let pause = self.backoff.borrow_mut().next();
            Timer::new(pause).await;
            self.state.set(State::Opening);
        }
    }

    async fn open_and_talk(&self) -> Failure {
        let url = &self.urls[self.attempts.get() % self.urls.len()];
        self.attempts.set(self.attempts.get().wrapping_add(1));
        let stream = match dial(&self.identity, self.remote, url).await {
            Ok(stream) => stream,
            Err(error) => return error.into(),
        };
        self.backoff.borrow_mut().reset();
        self.state.set(State::Connected);
        if self.options.complaints.is_mended(Subject::To(self.remote)) {
            let (local_member_id, remote_peer_id) = self.ids();
            tracing::info!(local_member_id, remote_peer_id, remote_peer_url = %url, "connected to a peer");
        }
        self.talk(stream).await.into()
    }

    /// Reads and writes until something ends it.
    async fn talk(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> StreamError {
        let (reader, writer) = split(stream);
        let read = self.read(FrameReader::new(reader, self.meter.clone()));
        let write = write_all(writer, &self.outbox, &self.meter);
        let silence = async {
            self.outbox.broken().await;
            StreamError::Silent
        };
        future::or(future::or(read, write), silence).await
    }

    async fn read<R: AsyncRead + Unpin>(&self, mut frames: FrameReader<R>) -> StreamError {
        loop {
            let taken = match frames.next().await {
                Ok(frame) => self.take(frame),
                Err(error) => return error,
            };
            if let Err(error) = taken {
                return error;
            }
            glommio::yield_if_needed().await;
        }
    }

    fn take(&self, frame: Frame) -> Result<(), StreamError> {
        match frame {
            Frame::Pong(number) => {
                if let Some((expected, sent)) = self.ping.get()
                    && expected == number
                {
                    self.ping.set(None);
                    self.meter.round_trip(sent.elapsed());
                }
            }
            Frame::AnswerPart { number, bytes } => {
                self.relays.part(number, &bytes).map_err(|_| StreamError::Protocol("an answer beyond its bound"))?;
            }
            Frame::Answer { number, bytes } => self.relays.answer(number, Ok(bytes)),
            Frame::Status { number, status } => self.relays.answer(number, Err(status)),
            Frame::Message(_) | Frame::Request { .. } | Frame::Ping(_) => {
                return Err(StreamError::Protocol("a request on a connection that it accepted"));
            }
        }
        Ok(())
    }

    /// This member's id and the remote's, as etcd prints them.
    fn ids(&self) -> (String, String) {
        (format!("{:x}", self.identity.member.0), format!("{:x}", self.remote.0))
    }

    fn log_failure(&self, failure: &Failure) {
        let cause = match failure {
            Failure::Dial(error) => error.cause(),
            Failure::Stream(error) => error.cause(),
        };
        if !self.options.complaints.is_new(Subject::To(self.remote), cause) {
            return;
        }
        let (local_member_id, remote_peer_id) = self.ids();
        let remote_peer_urls = self.urls.iter().map(Url::to_string).collect::<Vec<_>>().join(",");
        match failure {
            Failure::Dial(DialError::Refused { refusal, remote }) => tracing::warn!(
                local_member_id,
                local_member_cluster_id = format!("{:x}", self.identity.cluster_id),
                remote_peer_id,
                remote_peer_urls,
                found_peer_id = format!("{:x}", remote.sender.0),
                found_peer_cluster_id = format!("{:x}", remote.cluster_id),
                found_peer_protocol = remote.version,
                reason = refusal.reason(),
                "cannot talk to a peer"
            ),
            Failure::Dial(error) => {
                tracing::warn!(local_member_id, remote_peer_id, remote_peer_urls, error = %error, "cannot reach a peer");
            }
            Failure::Stream(error) => {
                tracing::warn!(local_member_id, remote_peer_id, remote_peer_urls, error = %error, "lost a peer");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Connection, State};
    use crate::peers::tests::Snapshot;

    impl Connection {
        /// What tests look at.
        pub fn snapshot(&self) -> Snapshot {
            Snapshot {
                is_connected: self.state.get() == State::Connected,
                dropped_messages: self.meter.cells().sent_failures.get(),
                queued_bytes: Class::ALL.iter().map(|class| self.outbox.bytes(*class)).sum(),
                relays_waiting: self.relays.len(),
            }
        }
    }
}
