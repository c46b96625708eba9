//! All events since the beginning, and the part of them that one watcher must receive.
//!
//! The judge tells them to one watcher of everything, which is opened before the first operation. So each other watcher's
//! part is known beforehand, and a run knows when to stop waiting.

use std::collections::HashSet;

use campanile_api::{
    etcdserverpb::{WatchCreateRequest, watch_create_request::FilterType},
    mvccpb::{Event, event::EventType},
};

/// Events in the order of their revisions; each with the version before it, if there was one.
#[derive(Debug, Default)]
pub struct History {
    events: Vec<Event>,
}

/// A watcher, as far as its events go.
#[derive(Clone, Debug)]
pub struct Interest {
    pub request: WatchCreateRequest,
    /// The first revision that it is to receive.
    pub start: i64,
    /// What was compacted when it was created: an earlier version is told to nobody.
    pub compacted: i64,
}

impl History {
    pub fn extend(&mut self, events: impl IntoIterator<Item = Event>) {
        self.events.extend(events);
    }

    /// 1 while nothing was written.
    pub fn revision(&self) -> i64 {
        self.events.last().map_or(1, revision)
    }

    /// Whether one transaction deleted a key and wrote it again.
    pub fn writes_anew(&self, at: i64) -> bool {
        let first = self.events.partition_point(|event| revision(event) < at);
        let keys = || {
            self.events[first..].iter().take_while(|event| revision(event) == at).filter_map(|event| event.kv.as_ref())
        };
        let distinct: HashSet<_> = keys().map(|kv| &kv.key).collect();
        distinct.len() < keys().count()
    }

    /// What `interest` must have received from `from` on.
    pub fn expected(&self, interest: &Interest, from: i64) -> Vec<Event> {
        let first = self.events.partition_point(|event| revision(event) < from.max(interest.start));
        self.events[first..].iter().filter(|event| interest.covers(event)).map(|event| interest.seen(event)).collect()
    }
}

impl Interest {
    fn covers(&self, event: &Event) -> bool {
        let request = &self.request;
        let Some(kv) = &event.kv else { return false };
        let filter = if event.r#type == EventType::Put as i32 { FilterType::Noput } else { FilterType::Nodelete };
        let in_range = match &request.range_end[..] {
            b"" if request.key.is_empty() => kv.key[..] == b"\0"[..],
            b"" => kv.key == request.key,
            b"\0" => kv.key >= request.key,
            end => kv.key >= request.key && &kv.key[..] < end,
        };
        in_range && !request.filters.contains(&(filter as i32))
    }

    fn seen(&self, event: &Event) -> Event {
        let told = self.request.prev_kv && revision(event) > self.compacted;
        Event { prev_kv: event.prev_kv.clone().filter(|_| told), ..event.clone() }
    }
}

/// The revision of an event.
pub fn revision(event: &Event) -> i64 {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}
