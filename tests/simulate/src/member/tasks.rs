//! Drives the futures of one member: those that wait for its disk. Polled in their order whenever they were woken, so that
//! nothing of a run depends on when a thread came by.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// Rounds of polling without an end mean that tasks wake each other for ever.
const ROUNDS_MAX: u32 = 10_000;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Flag>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Flag>,
    waker: Waker,
}

#[derive(Default)]
pub struct Tasks(Vec<Task>);

impl Tasks {
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        self.0.push(Task { future: Box::pin(future), waker: Waker::from(Arc::clone(&woken)), woken });
    }

    /// Polls until all tasks wait.
    pub fn run(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let mut polled = false;
            self.0.retain_mut(|task| {
                if !task.woken.0.swap(false, Ordering::Relaxed) {
                    return true;
                }
                polled = true;
                task.future.as_mut().poll(&mut Context::from_waker(&task.waker)).is_pending()
            });
            if !polled {
                return;
            }
        }
        panic!("the tasks of a member never come to rest");
    }
}
