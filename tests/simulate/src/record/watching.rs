//! Watches of clients, each with everything that its stream brought.

use crate::moment::Moment;
use bytes::Bytes;
use campanile_core::error::UserError;
use campanile_core::watch::{CreateWatch, WatchResponse};
use campanile_storage::ids::Revision;
use campanile_storage::store::KeyValue;

/// One event as a client saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub key_value: KeyValue,
    pub previous: Option<KeyValue>,
}

/// One response, as far as it concerns one watch.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Moment,
    pub revision: Revision,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Created,
    Events(Vec<Seen>),
    /// Everything up to the revision has come.
    Progress,
    Canceled {
        compacted: Revision,
        reason: Option<UserError>,
    },
}

/// One watch on one stream.
#[derive(Clone, Debug)]
pub struct Watched {
    pub wish: CreateWatch,
    pub member: usize,
    /// The highest compaction that anybody had asked for when it began.
    pub told: Vec<Told>,
    /// It was open at the end of the run, and its client had time to read everything up to here.
    pub read_up_to: Option<Revision>,
}

impl Watched {
    /// Where a client that comes back goes on.
    #[must_use]
    pub fn next(&self) -> Revision {
        let mut next = self.wish.start;
        for told in &self.told {
            next = match &told.kind {
                Kind::Created if next.0 == 0 => told.revision.next(),
                Kind::Events(events) => events.last().map_or(next, |seen| seen.key_value.mod_revision().next()),
                Kind::Progress => next.max(told.revision.next()),
                Kind::Canceled { compacted, .. } if compacted.0 > 0 => next.max(*compacted),
                Kind::Created | Kind::Canceled { .. } => next,
            };
        }
        next
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        self.told.last().is_some_and(|told| matches!(told.kind, Kind::Canceled { .. }))
    }

    /// Whether its range holds a key.
    #[must_use]
    pub fn wants(&self, key: &Bytes) -> bool {
        self.wish.keys.contains(key)
    }
}

/// What a response says to one watch.
#[must_use]
pub fn told(response: &WatchResponse, at: Moment) -> Told {
    let seen = |event: &std::sync::Arc<campanile_core::watch::WatchEvent>| Seen {
        key_value: event.key_value.clone(),
        previous: event.previous.clone().filter(|_| response.with_previous),
    };
    let kind = if response.created && !response.canceled {
        Kind::Created
    } else if response.canceled {
        Kind::Canceled { compacted: response.compact_revision, reason: response.cancel_reason }
    } else if response.events.is_empty() {
        Kind::Progress
    } else {
        Kind::Events(response.events.iter().map(seen).collect())
    };
    Told { at, revision: response.revision, kind }
}
