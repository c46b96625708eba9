//! What is counted about other members, by member.
//!
//! Members come and go, cells do not: each executor has a fixed number of slots, and the first counts about a member
//! take the next one for all executors. Slots are never taken back, so that no count changes its meaning; in a process
//! that has met more members than there are slots, the rest share the last one, `other`.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cells::{Counter, Histogram, HistogramSum, ROUND_TRIP_BOUNDS};
use super::text::Text;

/// A cluster has at most seven members or so; this allows for replacing each several times.
const PEERS_MAX: usize = 32;
/// The slot for all members that have none of their own.
const OTHER: usize = PEERS_MAX;

/// Where counts about one member go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerSlot(pub(super) usize);

/// One executor's counts about one member.
#[derive(Debug)]
pub struct PeerCells {
    pub sent_bytes: Counter,
    pub received_bytes: Counter,
    pub sent_failures: Counter,
    pub received_failures: Counter,
    pub round_trip: Histogram,
}

/// One executor's cells about all members.
pub(super) fn cells() -> Box<[PeerCells]> {
    let cells = |_| PeerCells {
        sent_bytes: Counter::default(),
        received_bytes: Counter::default(),
        sent_failures: Counter::default(),
        received_failures: Counter::default(),
        round_trip: Histogram::new(&ROUND_TRIP_BOUNDS),
    };
    (0..=OTHER).map(cells).collect()
}

/// Which member has which slot; 0 is none.
#[derive(Debug, Default)]
pub(super) struct PeerNames([AtomicU64; PEERS_MAX]);

impl PeerNames {
    /// The member's slot, which is taken if there is none yet. Not for the hot path: keep the answer.
    pub(super) fn slot(&self, member_id: u64) -> PeerSlot {
        assert!(member_id != 0, "0 is nobody");
        for (slot, name) in self.0.iter().enumerate() {
            match name.compare_exchange(0, member_id, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return PeerSlot(slot),
                Err(taken) if taken == member_id => return PeerSlot(slot),
                Err(_) => {}
            }
        }
        PeerSlot(OTHER)
    }

    /// Writes the series of all members that were ever met.
    pub(super) fn render(&self, text: &mut Text, executors: &[&[PeerCells]]) {
        let mut peers: Vec<(usize, String)> = Vec::new();
        for (slot, name) in self.0.iter().enumerate() {
            match name.load(Ordering::Relaxed) {
                0 => break,
                member_id => peers.push((slot, format!("{member_id:x}"))),
            }
        }
        if peers.len() == PEERS_MAX {
            peers.push((OTHER, "other".to_owned()));
        }
        type Row = (&'static str, &'static str, &'static str, fn(&PeerCells) -> &Counter);
        let rows: [Row; 4] = [
            ("etcd_network_peer_sent_bytes_total", "To", "Bytes sent to a member.", |cells| &cells.sent_bytes),
            ("etcd_network_peer_received_bytes_total", "From", "Bytes received from a member.", |cells| {
                &cells.received_bytes
            }),
            ("etcd_network_peer_sent_failures_total", "To", "Messages that could not be sent to a member.", |cells| {
                &cells.sent_failures
            }),
            ("etcd_network_peer_received_failures_total", "From", "Broken connections from a member.", |cells| {
                &cells.received_failures
            }),
        ];
        for (name, label, help, cell) in rows {
            text.head(name, "counter", help);
            for (slot, peer) in &peers {
                let sum = executors.iter().fold(0_u64, |sum, cells| sum.wrapping_add(cell(&cells[*slot]).get()));
                text.sample(name, &[(label, peer)], sum);
            }
        }
        let name = "etcd_network_peer_round_trip_time_seconds";
        text.head(name, "histogram", "Round trips to a member.");
        for (slot, peer) in &peers {
            let histograms = executors.iter().map(|cells| &cells[*slot].round_trip);
            text.histogram(name, &[("To", peer)], &HistogramSum::of(&ROUND_TRIP_BOUNDS, histograms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_few_and_stay() {
        let names = PeerNames::default();
        let slots: Vec<PeerSlot> = (1..=PEERS_MAX as u64).map(|id| names.slot(id)).collect();
        assert_eq!(names.slot(1), slots[0]);
        assert_eq!(names.slot(PEERS_MAX as u64), slots[PEERS_MAX - 1]);
        assert_eq!(names.slot(1_000), PeerSlot(OTHER));
        assert_eq!(names.slot(1_001), PeerSlot(OTHER));
    }
}
