//! A connection that another member opened: takes its messages and requests, answers its pings.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use campanile_core::peer::PeerMessage;
use campanile_storage::ids::MemberId;
use futures_lite::future;
use futures_lite::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, split};
use glommio::net::TcpStream;
use glommio::timer::Timer;

use super::Identity;
use super::bounds::{
    ACCEPTED_SILENCE_MAX, ANSWER_BYTES_MAX, ANSWER_PART_BYTES, ANSWERS_BYTES_MAX, FRAMES_MAX, HANDSHAKE_TIMEOUT,
    REFUSALS_MAX, RELAYED_MAX, URGENT_BYTES_MAX,
};
use super::complaints::{Complaints, Subject};
use super::dial::within;
use super::frame::{self, Frame};
use super::handshake::{HELLO_BYTES, Hello, NotAMember, Refusal, Reply};
use super::meter::Meter;
use super::outbox::{Bound, Class, Outbox};
use super::relay::{RelayRequest, RelayStatus};
use super::stream::{FrameReader, StreamError, write_all};
use crate::metrics::Metrics;
use campanile_rpc::Code;

/// Answers a request that another member sent on. Dropping it answers that nothing is known.
pub type Answer = Box<dyn FnOnce(Result<Bytes, RelayStatus>)>;

/// Who takes what other members say. Called from within the connection's poll.
pub trait Incoming {
    /// A message, in its sender's order among its class (see [`PeerMessage::is_bulk`]). The sender is a member.
    fn peer(&self, from: MemberId, message: PeerMessage);

    /// A client's request that the member sent on; it must not be sent on again.
    fn relayed(&self, from: MemberId, request: RelayRequest, answer: Answer);
}

/// What it takes to serve other members; one for each executor.
pub struct Acceptor {
    pub identity: Identity,
    /// The members of the cluster.
    pub known: Vec<MemberId>,
    pub incoming: Rc<dyn Incoming>,
    pub metrics: Rc<Metrics>,
    pub complaints: Complaints,
}

/// Serves one connection, until it ends. Dropping the future ends it.
pub async fn serve_peer(mut stream: TcpStream, acceptor: Rc<Acceptor>) {
    let Ok(address) = stream.peer_addr() else { return };
    if stream.set_nodelay(true).is_err() {
        return;
    }
    match acceptor.greet(&mut stream).await {
        Ok((hello, None)) => acceptor.talk(stream, hello.sender, address).await,
        Ok((hello, Some(refusal))) => acceptor.log_refusal(hello, refusal, address),
        Err(error) => acceptor.log_stranger(&error, address),
    }
}

impl Acceptor {
    async fn greet(&self, stream: &mut TcpStream) -> io::Result<(Hello, Option<Refusal>)> {
        within(HANDSHAKE_TIMEOUT, async {
            let mut hello = [0; HELLO_BYTES];
            stream.read_exact(&mut hello).await?;
            let hello = Hello::decode(&hello)
                .map_err(|NotAMember| io::Error::new(io::ErrorKind::InvalidData, NotAMember.to_string()))?;
            let refusal = hello.judge(&self.identity, &self.known).err();
            let reply = Reply { hello: Hello::new(&self.identity, hello.sender), refusal };
            stream.write_all(&reply.encode()).await?;
            Ok((hello, refusal))
        })
        .await
    }

    async fn talk(&self, stream: TcpStream, from: MemberId, address: SocketAddr) {
        let (local_member_id, remote_peer_id) = (format!("{:x}", self.identity.member.0), format!("{:x}", from.0));
        if self.complaints.is_mended(Subject::From(from)) {
            tracing::info!(local_member_id, remote_peer_id, remote_peer_address = %address, "a peer connected");
        }
        let meter = Meter::new(&self.metrics, from);
        let accepted = Rc::new(Accepted::new(from));
        let watchdog = glommio::spawn_local(Rc::clone(&accepted).watch());
        let (reader, writer) = split(stream);
        let read = accepted.read(FrameReader::new(reader, meter.clone()), &*self.incoming);
        let write = write_all(writer, &accepted.outbox, &meter);
        let silence = async {
            accepted.outbox.broken().await;
            StreamError::Silent
        };
        let error = future::or(future::or(read, write), silence).await;
        accepted.is_open.set(false);
        drop(watchdog);
        meter.broke();
        if self.complaints.is_new(Subject::From(from), error.cause()) {
            tracing::warn!(local_member_id, remote_peer_id, remote_peer_address = %address, error = %error, "a peer is gone");
        }
    }

    fn log_refusal(&self, hello: Hello, refusal: Refusal, address: SocketAddr) {
        if !self.complaints.is_new(Subject::From(hello.sender), refusal.reason()) {
            return;
        }
        tracing::warn!(
            local_member_id = format!("{:x}", self.identity.member.0),
            local_member_cluster_id = format!("{:x}", self.identity.cluster_id),
            remote_peer_id = format!("{:x}", hello.sender.0),
            remote_peer_cluster_id = format!("{:x}", hello.cluster_id),
            remote_peer_protocol = hello.version,
            remote_peer_address = %address,
            sought_peer_id = format!("{:x}", hello.receiver.0),
            reason = refusal.reason(),
            "refused a peer"
        );
    }

    fn log_stranger(&self, error: &io::Error, address: SocketAddr) {
        if self.complaints.is_new(Subject::Stranger(address.ip()), "no greeting") {
            tracing::warn!(remote_address = %address, error = %error, "refused a connection to the peer port");
        }
    }
}

/// One accepted connection.
struct Accepted {
    from: MemberId,
    outbox: Outbox,
    /// Requests that have no answer yet.
    under_way: Cell<usize>,
    /// Refusals that wait to leave, at most.
    refused: Cell<usize>,
    heard: Cell<bool>,
    is_open: Cell<bool>,
}

impl Accepted {
    fn new(from: MemberId) -> Accepted {
        // Answers are bounded by what is taken on, not by the queue: none may be dropped.
        let urgent = Bound { bytes: URGENT_BYTES_MAX, frames: FRAMES_MAX };
        Accepted {
            from,
            outbox: Outbox::new([urgent, Bound::NONE, Bound::NONE]),
            under_way: Cell::new(0),
            refused: Cell::new(0),
            heard: Cell::new(true),
            is_open: Cell::new(true),
        }
    }

    /// Breaks the connection off when nothing is heard.
    async fn watch(self: Rc<Accepted>) {
        while self.heard.replace(false) {
            Timer::new(ACCEPTED_SILENCE_MAX).await;
        }
        self.outbox.break_off();
    }

    async fn read<R: AsyncRead + Unpin>(
        self: &Rc<Accepted>,
        mut frames: FrameReader<R>,
        incoming: &dyn Incoming,
    ) -> StreamError {
        loop {
            let taken = match frames.next().await {
                Ok(frame) => self.take(frame, incoming),
                Err(error) => return error,
            };
            if let Err(error) = taken {
                return error;
            }
            self.heard.set(true);
            glommio::yield_if_needed().await;
        }
    }

    fn take(self: &Rc<Accepted>, frame: Frame, incoming: &dyn Incoming) -> Result<(), StreamError> {
        match frame {
            Frame::Message(message) => incoming.peer(self.from, message),
            Frame::Request { number, request } => return self.take_request(number, request, incoming),
            Frame::Ping(number) => {
                // With so much to be said already the pong is no news.
                let _full = self.outbox.put(Class::Urgent, |buffer| frame::put_pong(buffer, number));
            }
            Frame::AnswerPart { .. } | Frame::Answer { .. } | Frame::Status { .. } | Frame::Pong(_) => {
                return Err(StreamError::Protocol("an answer on a connection that it opened"));
            }
        }
        Ok(())
    }

    fn take_request(
        self: &Rc<Accepted>,
        number: u64,
        request: RelayRequest,
        incoming: &dyn Incoming,
    ) -> Result<(), StreamError> {
        let answers_bytes = self.outbox.bytes(Class::Bulk);
        if answers_bytes < ANSWERS_BYTES_MAX && self.under_way.get() < RELAYED_MAX {
            self.under_way.set(self.under_way.get() + 1);
            let answering = Answering { accepted: Rc::clone(self), number, is_answered: false };
            incoming.relayed(self.from, request, Box::new(move |result| answering.finish(result)));
            return Ok(());
        }
        if answers_bytes == 0 {
            self.refused.set(0);
        }
        if self.refused.get() >= REFUSALS_MAX {
            return Err(StreamError::Protocol("requests without end, and no answer is read"));
        }
        self.refused.set(self.refused.get() + 1);
        self.put_status(number, Code::ResourceExhausted, "etcdserver: too many requests");
        Ok(())
    }

    fn put_status(&self, number: u64, code: Code, text: &str) {
        let status = RelayStatus { code: code as u32, text: text.to_owned() };
        self.outbox.put_always(Class::Bulk, |buffer| frame::put_status(buffer, number, &status));
    }

    fn put_answer(&self, number: u64, mut rest: Bytes) {
        if rest.len() > ANSWER_BYTES_MAX {
            return self.put_status(number, Code::ResourceExhausted, "etcdserver: the response is larger than 2 GiB");
        }
        while rest.len() > ANSWER_PART_BYTES {
            let part = rest.split_to(ANSWER_PART_BYTES);
            self.outbox.put_always(Class::Bulk, |buffer| frame::put_answer_part(buffer, number, &part));
        }
        self.outbox.put_always(Class::Bulk, |buffer| frame::put_answer(buffer, number, &rest));
    }
}

/// A request's right to one answer.
struct Answering {
    accepted: Rc<Accepted>,
    number: u64,
    is_answered: bool,
}

impl Answering {
    fn finish(mut self, result: Result<Bytes, RelayStatus>) {
        self.is_answered = true;
        match result {
            _ if !self.accepted.is_open.get() => {}
            Ok(bytes) => self.accepted.put_answer(self.number, bytes),
            Err(status) => {
                let put = |buffer: &mut Vec<u8>| frame::put_status(buffer, self.number, &status);
                self.accepted.outbox.put_always(Class::Bulk, put);
            }
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.accepted.under_way.set(self.accepted.under_way.get() - 1);
        if !self.is_answered && self.accepted.is_open.get() {
            self.accepted.put_status(self.number, Code::Unknown, "etcdserver: the request was given up");
        }
    }
}
