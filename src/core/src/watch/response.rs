//! What a client's watch stream is sent, and how a large response is split. Shapes and sizes only.

use super::event::WatchEvent;
use crate::error::UserError;
use campanile_storage::ids::Revision;
use std::sync::Arc;

/// etcd splits the response of a watch that asked for fragments when it reaches this size: the limit of a request, and
/// gRPC's overhead with it.
pub const FRAGMENT_BYTES: usize = (1536 << 10) + (512 << 10);
/// Everything in a response but its events takes at most this much, in bytes.
const RESPONSE_OVERHEAD_BYTES: usize = 128;
/// The id of a response that belongs to no watch: one that was refused, and progress of the whole stream.
pub(super) const NO_WATCH: i64 = -1;

/// One response on a watch stream, with etcd's meaning (`WatchResponse`).
#[derive(Clone, Debug, Default)]
pub struct WatchResponse {
    /// -1 for a refused watch, and for the progress of the whole stream.
    pub watch_id: i64,
    /// Of the header. 0 where a compaction cancels a watch: etcd knows no better.
    pub revision: Revision,
    pub created: bool,
    pub canceled: bool,
    /// Where a watch that was canceled may start again; 0 otherwise.
    pub compact_revision: Revision,
    pub cancel_reason: Option<UserError>,
    /// More of the same response follows.
    pub fragment: bool,
    pub events: Vec<Arc<WatchEvent>>,
    /// Whether the events show what was there before.
    pub with_previous: bool,
}

impl WatchResponse {
    /// What the response takes on the wire, in bytes; never less than it really takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let events: usize = self.events.iter().map(|event| event.bytes(self.with_previous)).sum();
        RESPONSE_OVERHEAD_BYTES + events
    }

    /// Splits the response so that each part is below `bytes_max`, if it has more than one event.
    pub(super) fn fragments(self, bytes_max: usize) -> Vec<WatchResponse> {
        if self.events.len() < 2 || self.bytes() < bytes_max {
            return vec![self];
        }
        let mut parts: Vec<WatchResponse> = Vec::new();
        let mut bytes = usize::MAX;
        for event in &self.events {
            bytes = bytes.saturating_add(event.bytes(self.with_previous));
            match parts.last_mut() {
                Some(part) if bytes < bytes_max => part.events.push(event.clone()),
                _ => {
                    bytes = RESPONSE_OVERHEAD_BYTES + event.bytes(self.with_previous);
                    parts.push(WatchResponse {
                        events: vec![event.clone()],
                        fragment: true,
                        watch_id: self.watch_id,
                        revision: self.revision,
                        with_previous: self.with_previous,
                        ..WatchResponse::default()
                    });
                }
            }
        }
        parts.last_mut().expect("there are two events at least").fragment = false;
        parts
    }
}
