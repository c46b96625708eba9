//! What a client knows of its watches, and what it is due: the checker.

use super::super::{CreateWatch, WatchEvent, WatchResponse};
use crate::error::UserError;
use campanile_storage::ids::{Position, Revision};
use campanile_storage::store::KeyValue;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that ever happened, in order, each change with what was there at the revision before.
#[derive(Default)]
pub struct History(pub Vec<(KeyValue, Option<KeyValue>)>);

struct Expectation {
    wish: CreateWatch,
    from: Revision,
    /// The last position that it was shown.
    last: Position,
}

/// One stream as its client sees it.
#[derive(Default)]
pub struct Client {
    watches: BTreeMap<i64, Expectation>,
    /// Ended by a compaction, and not cancelled by the client: the id is still taken.
    compacted: BTreeSet<i64>,
    /// Creates and cancels that were sent and not answered.
    pub unanswered: Vec<CreateWatch>,
    pub events: usize,
    pub previous: usize,
}

impl Client {
    pub fn watches(&self) -> Vec<i64> {
        self.watches.keys().copied().collect()
    }

    /// Checks a response against what the client is due.
    pub fn read(&mut self, response: &WatchResponse, history: &History, compacted: Revision) {
        if response.created {
            let wish = self.unanswered.remove(0);
            return self.created(response, wish);
        }
        if response.watch_id == -1 {
            assert!(!self.watches.is_empty() && response.events.is_empty());
            for id in self.watches() {
                self.assert_complete(id, response.revision, history);
            }
            return;
        }
        if response.canceled {
            if self.compacted.remove(&response.watch_id) {
                return;
            }
            let watch = self.watches.remove(&response.watch_id).expect("only a watch that is there is canceled");
            if response.compact_revision.0 > 0 {
                self.compacted.insert(response.watch_id);
                let next = watch.due(history, Revision::NEWEST).map_or(Revision::NEWEST, |due| due.mod_revision());
                assert!(watch.from.max(watch.last.revision) < response.compact_revision && next.0 > 0);
            }
            return;
        }
        if response.events.is_empty() {
            return self.assert_complete(response.watch_id, response.revision, history);
        }
        self.show(response, history, compacted);
    }

    fn created(&mut self, response: &WatchResponse, wish: CreateWatch) {
        if response.canceled {
            assert_eq!(response.watch_id, -1);
            let taken = self.watches.contains_key(&wish.watch_id) || self.compacted.contains(&wish.watch_id);
            let reason = match response.cancel_reason {
                Some(UserError::Compacted) => wish.start.0 < 0,
                Some(UserError::EmptyWatchRange) => wish.keys.is_empty(),
                Some(UserError::DuplicateWatchId) => wish.watch_id != 0 && taken,
                _ => false,
            };
            assert!(reason, "refused without reason: {response:?}");
            return;
        }
        assert!(wish.watch_id == 0 || wish.watch_id == response.watch_id);
        let from = if wish.start.0 == 0 { response.revision.next() } else { wish.start };
        let former = self.watches.insert(response.watch_id, Expectation { wish, from, last: Position::default() });
        assert!(former.is_none(), "an id is given twice");
    }

    fn show(&mut self, response: &WatchResponse, history: &History, compacted: Revision) {
        let watch = self.watches.get_mut(&response.watch_id).expect("events come to watches that are there");
        for event in &response.events {
            let due = watch.due(history, Revision::NEWEST).expect("an event that nobody made");
            assert_eq!(event.key_value, *due, "not the event that is due");
            let shown: &WatchEvent = event;
            if response.with_previous {
                let (_, before) = history.0.iter().find(|(change, _)| change == due).expect("it is from there");
                let before = before.as_ref().filter(|_| due.create_revision() != due.mod_revision());
                match (&shown.previous, before) {
                    (None, Some(_)) => assert!(due.mod_revision() <= compacted, "{due:?} shows nothing before it"),
                    (shown, before) => assert_eq!(shown.as_ref(), before),
                }
                self.previous += usize::from(shown.previous.is_some());
            }
            watch.last = event.position();
            self.events += 1;
        }
        let last = watch.last.revision;
        assert!(response.revision >= last, "a header below its events");
        if !response.fragment {
            let next = watch.due(history, Revision::NEWEST);
            assert!(next.is_none_or(|next| next.mod_revision() > last), "a revision is torn: {next:?} is missing");
        }
    }

    fn assert_complete(&self, id: i64, revision: Revision, history: &History) {
        let watch = self.watches.get(&id).expect("progress of a watch that is there");
        assert_eq!(watch.due(history, revision), None, "progress says {revision} too early");
        assert!(revision >= watch.wish.start, "progress before the watch began");
    }

    /// At the end every watch has everything.
    pub fn finish(&self, history: &History, visible: Revision) {
        assert!(self.unanswered.is_empty());
        for (id, watch) in &self.watches {
            assert_eq!(watch.due(history, visible), None, "watch {id} {:?} misses something", watch.wish);
        }
    }
}

impl Expectation {
    /// The event that it must be shown next, if there is one up to this revision.
    fn due<'h>(&self, history: &'h History, up_to: Revision) -> Option<&'h KeyValue> {
        let behind = history.0.partition_point(|(change, _)| change.position() <= self.last);
        let wanted = |change: &&KeyValue| {
            let filtered = if change.is_tombstone() { self.wish.no_delete } else { self.wish.no_put };
            change.mod_revision() >= self.from && self.wish.keys.contains(change.key()) && !filtered
        };
        let due = history.0[behind..].iter().map(|(change, _)| change).find(wanted)?;
        (due.mod_revision() <= up_to).then_some(due)
    }
}
