//! The tasks of one executor, which end with it.
//!
//! A member may begin anew within its process, so an executor has to leave nothing behind: what a task holds (sockets,
//! files, the shards of the core) is let go when the executor ends, and not when the process does.

use glommio::task::JoinHandle;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

/// Clones share the tasks.
#[derive(Clone, Default)]
pub struct Tasks {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Those that run. One has no handle while it runs for the first time, which glommio does before it hands one out.
    running: RefCell<Slab<Option<JoinHandle<()>>>>,
    has_ended: Cell<bool>,
}

impl Tasks {
    /// Runs a future until it is done, or the executor ends. When it has, the future is dropped at once.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        if self.shared.has_ended.get() {
            return;
        }
        let key = self.shared.running.borrow_mut().insert(None);
        let shared = Rc::clone(&self.shared);
        let task = glommio::spawn_local(async move {
            future.await;
            let handle = shared.running.borrow_mut().try_remove(key);
            drop(handle);
        });
        // It may be done already; its place is empty then, since the last thing that it did was to leave it.
        if let Some(running) = self.shared.running.borrow_mut().get_mut(key) {
            *running = Some(task.detach());
        }
    }

    /// Drops all that run, and waits until they are gone.
    pub async fn end(&self) {
        self.shared.has_ended.set(true);
        let running = self.shared.running.take();
        for (_, task) in running {
            let Some(task) = task else { continue };
            task.cancel();
            task.await;
        }
    }
}
