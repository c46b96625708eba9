//! Which streams h2 has news of: a waker for each stream that waits, all noting themselves in one list.
//!
//! Without it a connection with thousands of idle watches would ask each of them on every poll.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use crate::outbox::ExchangeKey;
use crate::wake::ConnectionWaker;

/// The streams with news.
#[derive(Debug)]
pub(super) struct Signals {
    ready: Mutex<Vec<ExchangeKey>>,
    connection: Arc<ConnectionWaker>,
}

impl Signals {
    pub(super) fn new(connection: Arc<ConnectionWaker>) -> Arc<Signals> {
        Arc::new(Signals { ready: Mutex::default(), connection })
    }

    /// A waker that notes `key`.
    pub(super) fn waker(self: &Arc<Self>, key: ExchangeKey) -> Waker {
        Waker::from(Arc::new(StreamWaker { key, signals: Arc::clone(self) }))
    }

    /// Swaps the list into `into`, which must be empty.
    pub(super) fn take(&self, into: &mut Vec<ExchangeKey>) {
        assert!(into.is_empty(), "signals taken before were all seen to");
        std::mem::swap(into, &mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn note(&self, key: ExchangeKey) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        self.connection.wake_connection();
    }
}

struct StreamWaker {
    key: ExchangeKey,
    signals: Arc<Signals>,
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.signals.note(self.key);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signals.note(self.key);
    }
}
