//! Wakers of a connection: what wakes it while it is polled sends it round again instead of through the executor.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

const IDLE: u8 = 0;
const POLLED: u8 = 1;
const POLLED_AND_WOKEN: u8 = 2;

/// Stands before the task's own waker. Sending a frame wakes h2's connection, which is the very task that sends: without
/// this, each batch of answers would cost a second pass through the executor's queue.
#[derive(Debug)]
pub(crate) struct ConnectionWaker {
    state: AtomicU8,
    task: Mutex<Waker>,
}

impl ConnectionWaker {
    pub(crate) fn new() -> Arc<ConnectionWaker> {
        Arc::new(ConnectionWaker { state: AtomicU8::new(IDLE), task: Mutex::new(Waker::noop().clone()) })
    }

    /// A poll begins, on behalf of `task`.
    pub(crate) fn begin(&self, task: &Waker) {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(task);
        self.state.store(POLLED, Ordering::SeqCst);
    }

    /// Whether anything woke the connection since the poll began or this was last asked.
    pub(crate) fn take(&self) -> bool {
        self.state.swap(POLLED, Ordering::SeqCst) == POLLED_AND_WOKEN
    }

    /// The poll is over. What woke the connection since the last [`take`](Self::take) wakes the task.
    pub(crate) fn end(&self) {
        if self.state.swap(IDLE, Ordering::SeqCst) == POLLED_AND_WOKEN {
            self.wake_task();
        }
    }

    pub(crate) fn wake_connection(&self) {
        let polled = self.state.compare_exchange(POLLED, POLLED_AND_WOKEN, Ordering::SeqCst, Ordering::SeqCst);
        if polled == Err(IDLE) {
            self.wake_task();
        }
    }

    fn wake_task(&self) {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_connection();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_connection();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn wakes_during_a_poll_stay_inside() {
        let count = Arc::new(Count::default());
        let woken = || count.0.load(Ordering::SeqCst);
        let connection = ConnectionWaker::new();
        let waker = Waker::from(connection.clone());

        connection.begin(&Waker::from(count.clone()));
        waker.wake_by_ref();
        assert!(connection.take());
        assert!(!connection.take());
        connection.end();
        assert_eq!(woken(), 0);

        waker.wake_by_ref();
        assert_eq!(woken(), 1, "an idle connection's task is woken");

        connection.begin(&Waker::from(count.clone()));
        waker.wake_by_ref();
        connection.end();
        assert_eq!(woken(), 2, "a wake that nobody took is not lost");
    }
}
