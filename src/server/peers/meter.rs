//! Counts what one executor and one remote say to each other.

use std::rc::Rc;
use std::time::Duration;

use campanile_storage::ids::MemberId;

use crate::metrics::{Metrics, PeerCells, PeerSlot};

/// The executor's cells about one remote.
#[derive(Clone)]
pub struct Meter {
    metrics: Rc<Metrics>,
    slot: PeerSlot,
}

impl Meter {
    #[must_use]
    pub fn new(metrics: &Rc<Metrics>, remote: MemberId) -> Meter {
        Meter { metrics: Rc::clone(metrics), slot: metrics.peer_slot(remote.0) }
    }

    pub fn sent(&self, bytes: usize) {
        self.cells().sent_bytes.add(bytes as u64);
    }

    pub fn received(&self, bytes: usize) {
        self.cells().received_bytes.add(bytes as u64);
    }

    /// So many messages did not leave.
    pub fn not_sent(&self, messages: usize) {
        self.cells().sent_failures.add(messages as u64);
    }

    /// A connection from the remote broke.
    pub fn broke(&self) {
        self.cells().received_failures.increment();
    }

    pub fn round_trip(&self, duration: Duration) {
        self.cells().round_trip.observe(duration);
    }

    #[must_use]
    pub fn cells(&self) -> &PeerCells {
        self.metrics.peer(self.slot)
    }
}
