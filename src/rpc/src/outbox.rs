//! Where answers wait for their connection: whoever holds a reply handle puts them in, the connection takes them out.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::plain::HttpResponse;
use crate::segment::Segment;
use crate::status::Status;
use crate::wake::ConnectionWaker;

/// One exchange of one connection. The generation tells it from later ones in the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExchangeKey {
    pub(crate) slot: usize,
    pub(crate) generation: u64,
}

/// What is to be sent in an exchange.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A message; the exchange goes on.
    Message(Segment),
    /// A message, and success.
    Last(Segment),
    /// The end.
    Finish(Status),
    /// Nothing: the handler takes further messages.
    ReadOn,
    /// The whole answer to a plain HTTP request.
    Http(HttpResponse),
}

/// The answers of one connection, in order.
#[derive(Debug)]
pub(crate) struct Outbox {
    answers: RefCell<Vec<(ExchangeKey, Answer)>>,
    waker: Arc<ConnectionWaker>,
    /// Bytes of messages on their way, here and in the connection.
    pub(crate) queued: Rc<Queued>,
    open: Cell<bool>,
}

impl Outbox {
    pub(crate) fn new(waker: Arc<ConnectionWaker>) -> Rc<Outbox> {
        let answers = RefCell::default();
        Rc::new(Outbox { answers, waker, queued: Rc::default(), open: Cell::new(true) })
    }

    /// Queues an answer, and has the connection polled. Nothing happens once the connection is gone.
    pub(crate) fn push(&self, key: ExchangeKey, answer: Answer) {
        if self.open.get() {
            self.answers.borrow_mut().push((key, answer));
            self.waker.wake_connection();
        }
    }

    /// Swaps all answers into `into`, which must be empty: both buffers keep their room.
    pub(crate) fn take(&self, into: &mut Vec<(ExchangeKey, Answer)>) {
        assert!(into.is_empty(), "answers taken before were all sent");
        std::mem::swap(into, &mut *self.answers.borrow_mut());
    }

    /// The connection is gone.
    pub(crate) fn close(&self) {
        self.open.set(false);
        self.answers.take();
    }
}

/// Bytes of messages that a connection has yet to write.
#[derive(Debug, Default)]
pub(crate) struct Queued {
    pub(crate) bytes: Cell<usize>,
    /// Something was written: a head, or a piece of a message.
    written: Cell<bool>,
    /// Streams that were told to pause, and of whose queue something was written.
    drained: RefCell<Vec<ExchangeKey>>,
}

impl Queued {
    pub(crate) fn add(&self, length: usize) {
        self.bytes.set(self.bytes.get() + length);
    }

    pub(crate) fn subtract(&self, length: usize) {
        let left = self.bytes.get().checked_sub(length).expect("what is written was queued");
        self.bytes.set(left);
    }

    pub(crate) fn note_written(&self) {
        self.written.set(true);
    }

    /// Whether anything was written since the last call.
    pub(crate) fn take_written(&self) -> bool {
        self.written.take()
    }

    pub(crate) fn note_drained(&self, key: ExchangeKey) {
        self.drained.borrow_mut().push(key);
    }

    pub(crate) fn take_drained(&self) -> Vec<ExchangeKey> {
        self.drained.take()
    }
}

/// The same of one stream.
#[derive(Debug)]
pub(crate) struct StreamQueue {
    pub(crate) bytes: Cell<usize>,
    pub(crate) open: Cell<bool>,
    /// The handler was told to pause, and not yet to go on.
    pub(crate) paused: Cell<bool>,
    pub(crate) max_bytes: usize,
}

impl StreamQueue {
    pub(crate) fn new(max_bytes: usize) -> Rc<StreamQueue> {
        let (bytes, open, paused) = (Cell::new(0), Cell::new(true), Cell::new(false));
        Rc::new(StreamQueue { bytes, open, paused, max_bytes })
    }

    pub(crate) fn has_drained(&self) -> bool {
        self.bytes.get() <= self.max_bytes / 2
    }
}
