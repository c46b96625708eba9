//! The announcement that the server goes away, to all connections of a thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

/// Clones share one announcement.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    shared: Rc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    begun: Cell<bool>,
    waiting: RefCell<Slab<Waker>>,
}

impl Shutdown {
    /// Every connection refuses new calls from now on, and ends when its open ones have.
    pub fn begin(&self) {
        self.shared.begun.set(true);
        for waker in self.shared.waiting.take().drain() {
            waker.wake();
        }
    }

    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.shared.begun.get()
    }

    pub(crate) fn listen(&self) -> Listener {
        Listener { shared: Rc::clone(&self.shared), place: None }
    }
}

/// One connection's ear. It keeps one waker at most, and takes it along when it goes.
#[derive(Debug)]
pub(crate) struct Listener {
    shared: Rc<Shared>,
    place: Option<usize>,
}

impl Listener {
    pub(crate) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.begun.get() {
            return Poll::Ready(());
        }
        let mut waiting = self.shared.waiting.borrow_mut();
        match self.place {
            Some(place) => waiting[place].clone_from(cx.waker()),
            None => self.place = Some(waiting.insert(cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.shared.waiting.borrow_mut().try_remove(place);
        }
    }
}
