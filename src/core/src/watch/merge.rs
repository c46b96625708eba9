//! One watch: its legs, merged by revision. A revision leaves only when every leg has arrived behind it, so it leaves whole.

use super::event::WatchEvent;
use super::leg::{Leg, State};
use crate::request::KeyRange;
use campanile_storage::ids::Revision;
use std::sync::Arc;

/// A response ends with the revision in which it reaches so many revisions (etcd's bound), or so many bytes.
const RESPONSE_REVISIONS: usize = 1_000;
const RESPONSE_BYTES: usize = 1 << 20;

/// What a client asked for.
#[derive(Clone, Debug)]
pub struct CreateWatch {
    /// 0 asks the server to draw one.
    pub watch_id: i64,
    pub keys: KeyRange,
    /// The first revision wanted; 0 is the one after the newest.
    pub start: Revision,
    pub no_put: bool,
    pub no_delete: bool,
    /// Show what was there before.
    pub previous: bool,
    /// Say how far the watch is when it has been idle for an interval.
    pub progress_notify: bool,
    /// Split large responses.
    pub fragment: bool,
}

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) wish: CreateWatch,
    pub(super) legs: Vec<Leg>,
    /// Nothing was sent since the last notice was due.
    pub(super) is_idle: bool,
}

impl Watch {
    /// Everything up to here has arrived on all legs.
    pub(super) fn reach(&self, handed: &[Revision]) -> Revision {
        self.legs.iter().map(|leg| leg.reach(handed)).min().unwrap_or(Revision::NEWEST)
    }

    pub(super) fn is_live(&self) -> bool {
        self.legs.iter().all(|leg| leg.state == State::Live)
    }

    pub(super) fn is_hungry(&self) -> bool {
        self.legs.iter().any(Leg::is_hungry)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.legs.iter().any(|leg| leg.head().is_some())
    }

    pub(super) fn event_bytes(&self, event: &WatchEvent) -> usize {
        event.bytes(self.wish.previous)
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.legs.iter().flat_map(Leg::queue).map(|event| self.event_bytes(event)).sum()
    }

    /// Takes the events of the next response: whole revisions up to `reach`. None are left if it answers with none.
    pub(super) fn take_events(&mut self, reach: Revision) -> Vec<Arc<WatchEvent>> {
        let mut events: Vec<Arc<WatchEvent>> = Vec::new();
        let (mut revisions, mut bytes) = (0, 0);
        while let Some((leg, revision)) = self.next(reach) {
            let is_new = events.last().is_none_or(|last| last.position().revision < revision);
            if is_new && (revisions == RESPONSE_REVISIONS || bytes >= RESPONSE_BYTES) {
                break;
            }
            let event = self.legs[leg].pop().expect("the leg's head was just seen");
            revisions += usize::from(is_new);
            bytes += self.event_bytes(&event);
            events.push(event);
        }
        events
    }

    /// The leg whose next event comes first.
    fn next(&self, reach: Revision) -> Option<(usize, Revision)> {
        let heads = self.legs.iter().enumerate().filter_map(|(leg, state)| Some((state.head()?.position(), leg)));
        let (position, leg) = heads.min()?;
        (position.revision <= reach).then_some((leg, position.revision))
    }
}
