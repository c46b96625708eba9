//! What is known of one request while it is open.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;

use crate::call::{Call, Method};
use crate::handler::StreamHandler;
use crate::outbox::StreamQueue;
use crate::reader::MessageReader;
use crate::segment::Segment;
use crate::status::Status;

/// One request, and the answer to it.
pub(super) struct Exchange {
    pub(super) generation: u64,
    /// None of a plain HTTP request, whose body nobody reads.
    pub(super) incoming: Option<Incoming>,
    pub(super) outgoing: Outgoing,
    pub(super) role: Role,
    /// None of a plain HTTP request.
    pub(super) method: Option<&'static Method>,
    pub(super) started: Instant,
    pub(super) deadline: Option<Instant>,
}

/// What the request is to its handler.
pub(super) enum Role {
    /// A unary call whose message is not complete.
    UnaryArriving(Call),
    /// A unary call that the handler has.
    UnaryHandled { message_bytes: usize },
    /// A streaming call.
    Stream { handler: Box<dyn StreamHandler>, queue: Rc<StreamQueue> },
    /// A plain HTTP request.
    Plain { head_only: bool },
}

/// The client's half.
pub(super) struct Incoming {
    body: RecvStream,
    reader: MessageReader,
    ended: bool,
    /// Notes the stream's key; made when the stream first has to wait.
    waker: Option<Waker>,
}

/// Our half.
pub(super) enum Outgoing {
    /// Nothing is sent yet.
    Fresh(SendResponse<Segment>),
    /// The header is.
    Begun(h2::SendStream<Segment>),
}

/// News from the client's half.
pub(super) enum Received {
    Message(Bytes),
    /// The client sends nothing more.
    End,
    Nothing,
    /// The client reset the stream.
    Cancelled,
    /// What it sent cannot be read.
    Broken(Status),
    /// It ended in the midst of a message.
    Truncated,
}

impl Incoming {
    pub(super) fn new(body: RecvStream, message_max_bytes: usize) -> Incoming {
        Incoming { body, reader: MessageReader::new(message_max_bytes), ended: false, waker: None }
    }

    /// Bytes of a message that is not complete.
    pub(super) fn partial_bytes(&self) -> usize {
        self.reader.partial_bytes()
    }

    /// The next news. If there is none, `make_waker`'s waker learns of it.
    pub(super) fn receive(&mut self, make_waker: impl Fn() -> Waker) -> Received {
        loop {
            match self.reader.next() {
                Ok(Some(message)) => return Received::Message(message),
                Ok(None) => {}
                Err(status) => return Received::Broken(status),
            }
            if self.ended {
                return Received::Nothing;
            }
            let Poll::Ready(chunk) = self.poll_chunk(&make_waker) else { return Received::Nothing };
            match chunk {
                Some(Ok(chunk)) => {
                    // The window is for what was not looked at; what is kept of it has a bound of its own.
                    let released = self.body.flow_control().release_capacity(chunk.len());
                    if released.is_err() {
                        return Received::Cancelled;
                    }
                    self.reader.push(chunk);
                }
                Some(Err(_)) => return Received::Cancelled,
                None => {
                    self.ended = true;
                    return if self.reader.partial_bytes() == 0 { Received::End } else { Received::Truncated };
                }
            }
        }
    }

    /// Mostly the data lies ready, and no waker is made.
    fn poll_chunk(&mut self, make_waker: &impl Fn() -> Waker) -> Poll<Option<Result<Bytes, h2::Error>>> {
        if self.waker.is_none() {
            let chunk = self.body.poll_data(&mut Context::from_waker(Waker::noop()));
            if chunk.is_ready() {
                return chunk;
            }
        }
        let waker = self.waker.get_or_insert_with(make_waker);
        self.body.poll_data(&mut Context::from_waker(waker))
    }

    pub(super) fn waker(&mut self, make_waker: impl Fn() -> Waker) -> &Waker {
        self.waker.get_or_insert_with(make_waker)
    }
}

impl Outgoing {
    /// Whether the client has reset the stream; `waker` learns of it otherwise.
    pub(super) fn is_reset(&mut self, waker: &Waker) -> bool {
        let mut cx = Context::from_waker(waker);
        match self {
            Outgoing::Fresh(send) => send.poll_reset(&mut cx).is_ready(),
            Outgoing::Begun(send) => send.poll_reset(&mut cx).is_ready(),
        }
    }
}
