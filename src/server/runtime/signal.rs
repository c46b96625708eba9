//! Wakes one task of the same executor. Signals that come before the task looks are one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

#[derive(Clone, Debug, Default)]
pub struct Signal {
    shared: Rc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_set: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Signal {
    pub fn set(&self) {
        if !self.shared.is_set.replace(true)
            && let Some(waker) = self.shared.waker.take()
        {
            waker.wake();
        }
    }

    /// Waits until it is set, and resets it. One task waits at a time.
    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.shared.is_set.replace(false) {
                return Poll::Ready(());
            }
            *self.shared.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
