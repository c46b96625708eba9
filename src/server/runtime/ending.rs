//! Why the executors of a member end: told to all of them, and to the thread that waits for it.

use crate::start::signals::Caller;
use std::sync::atomic::{AtomicU8, Ordering};

/// Why the executors are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The member is to stop.
    Stop,
    /// It begins anew from what the disk holds.
    BeginAnew,
}

const NONE: u8 = 0;
const STOP: u8 = 1;
const BEGIN_ANEW: u8 = 2;

#[derive(Debug)]
pub struct Ending {
    reason: AtomicU8,
    caller: Caller,
}

impl Ending {
    #[must_use]
    pub fn new(caller: Caller) -> Ending {
        Ending { reason: AtomicU8::new(NONE), caller }
    }

    /// The member is to stop.
    pub fn stop(&self) {
        self.reason.store(STOP, Ordering::Relaxed);
    }

    /// The core says that this life of the member is over. A member that stops anyway does not begin anew.
    pub fn begin_anew(&self) {
        let _ = self.reason.compare_exchange(NONE, BEGIN_ANEW, Ordering::Relaxed, Ordering::Relaxed);
        self.caller.call();
    }

    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self.reason.load(Ordering::Relaxed) {
            NONE => None,
            STOP => Some(Reason::Stop),
            _ => Some(Reason::BeginAnew),
        }
    }
}
