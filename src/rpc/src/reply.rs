//! The handles by which handlers answer, from anywhere on the connection's thread and at any time.

use std::rc::Rc;

use crate::message::Message;
use crate::outbox::{Answer, ExchangeKey, Outbox, StreamQueue};
use crate::segment::Segment;
use crate::status::{Code, Status};

fn dropped() -> Status {
    Status::new(Code::Unavailable, "the server dropped the request")
}

/// The answer to a unary call, to be given once. Dropped unused, it answers UNAVAILABLE.
#[derive(Debug)]
pub struct Reply {
    outbox: Rc<Outbox>,
    key: ExchangeKey,
    answered: bool,
}

impl Reply {
    pub(crate) fn new(outbox: Rc<Outbox>, key: ExchangeKey) -> Reply {
        Reply { outbox, key, answered: false }
    }

    /// Success, with a message of less than 4 GiB.
    pub fn ok(mut self, message: impl Into<Message>) {
        let segment = Segment::new(message.into(), &self.outbox, None);
        self.answer(Answer::Last(segment));
    }

    pub fn error(mut self, status: Status) {
        self.answer(Answer::Finish(status));
    }

    fn answer(&mut self, answer: Answer) {
        self.answered = true;
        self.outbox.push(self.key, answer);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            self.answer(Answer::Finish(dropped()));
        }
    }
}

/// Whether a stream takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Open,
    /// The message is queued, and the queue full: send no more until
    /// [`on_ready`](crate::StreamHandler::on_ready).
    Pause,
    /// The call is over; nothing is sent any more.
    Closed,
}

/// The sending side of a streaming call. Dropped before [`finish`](Self::finish), it ends the call with UNAVAILABLE.
#[derive(Debug)]
pub struct StreamHandle {
    outbox: Rc<Outbox>,
    key: ExchangeKey,
    queue: Rc<StreamQueue>,
    finished: bool,
}

impl StreamHandle {
    pub(crate) fn new(outbox: Rc<Outbox>, key: ExchangeKey, queue: Rc<StreamQueue>) -> StreamHandle {
        StreamHandle { outbox, key, queue, finished: false }
    }

    /// Queues a message of less than 4 GiB. It is taken even when the queue is full: a handler that heeds
    /// [`Flow::Pause`] exceeds the bound by one message at most.
    pub fn send(&self, message: impl Into<Message>) -> Flow {
        if !self.queue.open.get() {
            return Flow::Closed;
        }
        let segment = Segment::new(message.into(), &self.outbox, Some((&self.queue, self.key)));
        self.outbox.push(self.key, Answer::Message(segment));
        self.flow()
    }

    /// Whether the stream takes more now.
    pub fn flow(&self) -> Flow {
        if !self.queue.open.get() {
            Flow::Closed
        } else if self.queue.bytes.get() >= self.queue.max_bytes {
            self.queue.paused.set(true);
            Flow::Pause
        } else if self.queue.paused.get() {
            Flow::Pause
        } else {
            Flow::Open
        }
    }

    /// The handler accepts messages again, after [`is_accepting`](crate::StreamHandler::is_accepting) said no.
    pub fn read_on(&self) {
        if self.queue.open.get() {
            self.outbox.push(self.key, Answer::ReadOn);
        }
    }

    /// Bytes that wait for the client to read them.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes.get()
    }

    /// Ends the call, behind all that was sent.
    pub fn finish(mut self, status: Status) {
        self.end(status);
    }

    fn end(&mut self, status: Status) {
        self.finished = true;
        self.outbox.push(self.key, Answer::Finish(status));
    }
}

impl Drop for StreamHandle {
    fn drop(&mut self) {
        if !self.finished && self.queue.open.get() {
            self.end(dropped());
        }
    }
}
