//! One client's watch stream: its watches by id, the responses that it has not read yet, and how much it holds.
//!
//! Routing is not here: what this cannot do without other streams or shards is left to [`super::streams`].

use super::merge::{CreateWatch, Watch};
use super::response::{FRAGMENT_BYTES, NO_WATCH, WatchResponse};
use crate::error::UserError;
use crate::planted::planted;
use crate::time::Instant;
use campanile_storage::ids::Revision;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::time::Duration;

/// Responses that a client may leave unread before its requests wait: each request adds one, at most.
const UNREAD_RESPONSES_MAX: usize = 1_024;

/// How much one stream may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of events, unread by the client or waiting for another shard. Beyond, live legs are given up; below half of
    /// it they ask for history again. One revision, and one slice of each shard, may come on top.
    pub held_bytes_max: usize,
}

impl Default for StreamLimits {
    fn default() -> StreamLimits {
        StreamLimits { held_bytes_max: 8 << 20 }
    }
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) watches: BTreeMap<i64, Watch>,
    next_id: i64,
    output: VecDeque<WatchResponse>,
    output_bytes: usize,
    /// Bytes of events that wait in legs.
    pub(super) queued_bytes: usize,
    /// Bytes kept free for slices that were asked for, and how many those are.
    pub(super) reserved_bytes: usize,
    pub(super) asked: usize,
    /// Watches with a leg that wants to ask.
    pub(super) hungry: BTreeSet<i64>,
    /// The one of them that asked last: the next higher one asks next, so that none waits for ever behind others.
    asked_last: i64,
    /// Watches that a compaction ended and that their client has not cancelled. Bounded like requests: by the client.
    pub(super) ended: BTreeSet<i64>,
    /// The client asked how far the stream is, when the member showed this revision.
    pub(super) progress_wanted: Option<Revision>,
    pub(super) notice_due: Instant,
    notice_interval: Duration,
}

impl Stream {
    pub(super) fn new(now: Instant, notice_interval: Duration) -> Stream {
        Stream {
            watches: BTreeMap::new(),
            next_id: 0,
            output: VecDeque::new(),
            output_bytes: 0,
            queued_bytes: 0,
            reserved_bytes: 0,
            asked: 0,
            hungry: BTreeSet::new(),
            asked_last: 0,
            ended: BTreeSet::new(),
            progress_wanted: None,
            notice_due: now + notice_interval,
            notice_interval,
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.output_bytes + self.queued_bytes
    }

    /// Whether legs may ask for so many bytes of history. A client that has read everything always gets one watch further,
    /// or events that wait for another leg could hold the room that this leg needs.
    pub(super) fn has_room(&self, bytes: usize, limits: StreamLimits) -> bool {
        self.held_bytes() + self.reserved_bytes + bytes <= limits.held_bytes_max / 2
            || self.output.is_empty() && self.asked == 0
    }

    /// Whose turn it is to ask for history.
    pub(super) fn next_hungry(&self) -> Option<i64> {
        let behind = (Bound::Excluded(self.asked_last), Bound::Unbounded);
        self.hungry.range(behind).next().or_else(|| self.hungry.first()).copied()
    }

    /// A watch asks for history now.
    pub(super) fn take_turn(&mut self, watch_id: i64) {
        self.hungry.remove(&watch_id);
        self.asked_last = watch_id;
    }

    pub(super) fn is_accepting(&self) -> bool {
        self.output.len() < UNREAD_RESPONSES_MAX
    }

    /// The id of a new watch.
    ///
    /// # Errors
    /// What etcd refuses: a start that lies before everything, a range that holds nothing, an id that is taken.
    pub(super) fn admit(&mut self, wish: &CreateWatch) -> Result<i64, UserError> {
        if wish.start < Revision(0) {
            return Err(UserError::Compacted);
        }
        if wish.keys.is_empty() {
            return Err(UserError::EmptyWatchRange);
        }
        if wish.watch_id == 0 {
            while self.is_taken(self.next_id) {
                self.next_id += 1;
            }
            self.next_id += 1;
            return Ok(self.next_id - 1);
        }
        if self.is_taken(wish.watch_id) {
            return Err(UserError::DuplicateWatchId);
        }
        Ok(wish.watch_id)
    }

    /// A watch that a compaction ended keeps its id until its client cancels it, as etcd has it.
    fn is_taken(&self, watch_id: i64) -> bool {
        self.watches.contains_key(&watch_id) || self.ended.contains(&watch_id)
    }

    pub(super) fn refuse(&mut self, reason: UserError, visible: Revision) -> bool {
        self.push(WatchResponse {
            watch_id: NO_WATCH,
            revision: visible,
            created: true,
            canceled: true,
            cancel_reason: Some(reason),
            ..WatchResponse::default()
        })
    }

    /// Adds a response. Says whether the client had read everything before.
    pub(super) fn push(&mut self, response: WatchResponse) -> bool {
        let was_empty = self.output.is_empty();
        self.output_bytes += response.bytes();
        self.output.push_back(response);
        was_empty
    }

    pub(super) fn pop(&mut self) -> Option<WatchResponse> {
        let response = self.output.pop_front()?;
        self.output_bytes -= response.bytes();
        Some(response)
    }

    /// Moves what a watch has complete into the output. Says whether the client had read everything before.
    ///
    /// The header of a watch that follows what happens names the last event's revision, as etcd's does; that of a slice of
    /// history names how far the watch has come.
    pub(super) fn deliver(&mut self, id: i64, handed: &[Revision], is_history: bool) -> bool {
        let Some(watch) = self.watches.get_mut(&id) else { return false };
        let reach = watch.reach(handed);
        let mut became_ready = false;
        loop {
            let events = watch.take_events(reach);
            let Some(last) = events.last().map(|event| event.position().revision) else { break };
            watch.is_idle = false;
            self.queued_bytes -= events.iter().map(|event| watch.event_bytes(event)).sum::<usize>();
            let is_rest = !watch.is_waiting();
            let response = WatchResponse {
                watch_id: id,
                revision: if is_history && is_rest { reach.max(last) } else { last },
                events,
                with_previous: watch.wish.previous,
                ..WatchResponse::default()
            };
            let bytes_max = if watch.wish.fragment { FRAGMENT_BYTES } else { usize::MAX };
            for part in response.fragments(bytes_max) {
                became_ready |= self.output.is_empty();
                self.output_bytes += part.bytes();
                self.output.push_back(part);
            }
        }
        if watch.is_hungry() {
            self.hungry.insert(id);
        }
        became_ready
    }

    /// Answers a request for progress, if everything that the member showed then has been sent, and every watch has
    /// begun. Says whether the client had read everything before; `None` if the question still stands.
    pub(super) fn answer_progress(&mut self, handed: &[Revision]) -> Option<bool> {
        let wanted = self.progress_wanted?;
        if self.watches.is_empty() {
            self.progress_wanted = None;
            return Some(false);
        }
        let reach = self.watches.values().map(|watch| watch.reach(handed)).min()?;
        let starts = self.watches.values().map(|watch| watch.wish.start);
        if reach < starts.fold(wanted, Revision::max) && !planted!(ProgressTooEarly) {
            return None;
        }
        self.progress_wanted = None;
        Some(self.push(WatchResponse { watch_id: NO_WATCH, revision: reach.max(wanted), ..WatchResponse::default() }))
    }

    /// An interval is over: tells idle watches that asked for it how far they are. A client that has not even read what is
    /// there needs no notice. Says whether there is something to read now that was not before.
    pub(super) fn notify(&mut self, handed: &[Revision]) -> bool {
        self.notice_due = self.notice_due + self.notice_interval;
        if !self.output.is_empty() {
            return false;
        }
        let mut notices = Vec::new();
        for (id, watch) in self.watches.iter_mut().filter(|(_, watch)| watch.wish.progress_notify) {
            let reach = watch.reach(handed);
            let was_idle = std::mem::replace(&mut watch.is_idle, true);
            if was_idle && watch.is_live() && reach >= watch.wish.start {
                notices.push(WatchResponse { watch_id: *id, revision: reach, ..WatchResponse::default() });
            }
        }
        let became_ready = !notices.is_empty();
        for notice in notices {
            self.push(notice);
        }
        became_ready
    }
}
