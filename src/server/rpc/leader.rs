//! Clients that want a leader: they say so in the metadata `hasleader`, and would rather be refused than wait.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use campanile_core::error::UserError;
use campanile_rpc::{Call, Status};

use super::errors::status;

/// Whether a call requires a leader.
pub(super) fn is_required(call: &Call) -> bool {
    call.metadata.get("hasleader") == Some("true")
}

/// A stream that can be ended from outside.
pub(super) trait Finish {
    fn finish(&self, status: Status);
}

/// The streams of one executor that require a leader.
#[derive(Default)]
pub(super) struct LeaderRequired {
    streams: RefCell<Vec<Weak<dyn Finish>>>,
}

impl LeaderRequired {
    pub(super) fn add(&self, stream: &Rc<impl Finish + 'static>) {
        let mut streams = self.streams.borrow_mut();
        // Forgets the dead whenever the list would grow: it is at most twice as long as what lives.
        if streams.len() == streams.capacity() {
            streams.retain(|stream| stream.strong_count() > 0);
        }
        let stream: Weak<dyn Finish> = Rc::downgrade(&(Rc::clone(stream) as Rc<dyn Finish>));
        streams.push(stream);
    }

    /// There has been no leader for long.
    pub(super) fn finish_all(&self) {
        for stream in self.streams.take() {
            if let Some(stream) = stream.upgrade() {
                stream.finish(status(UserError::NoLeader));
            }
        }
    }
}
