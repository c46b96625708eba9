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

    /// What `interest` must have received from `from` on: at the compacted revision only how the transaction left each key.
    pub fn expected(&self, interest: &Interest, from: i64) -> Vec<Event> {
        let first = self.events.partition_point(|event| revision(event) < from.max(interest.start));
        let is_kept = |event: &&Event| revision(event) != interest.compacted || !self.is_superseded(event);
        let covered = self.events[first..].iter().filter(|event| interest.covers(event));
        covered.filter(is_kept).map(|event| interest.seen(event)).collect()
    }

    /// Whether the event's own transaction changed its key once more, and otherwise. (No transaction puts a key twice.)
    pub fn is_superseded(&self, event: &Event) -> bool {
        let end = self.events.partition_point(|other| revision(other) <= revision(event));
        let same_key = |other: &&Event| key(other) == key(event);
        let last =
            self.events[..end].iter().rev().take_while(|other| revision(other) == revision(event)).find(same_key);
        last.is_some_and(|last| last.r#type != event.r#type)
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

fn key(event: &Event) -> Option<&[u8]> {
    event.kv.as_ref().map(|kv| &kv.key[..])
}

/// The revision of an event.
pub fn revision(event: &Event) -> i64 {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}

#[test]
fn at_the_compacted_revision_only_the_last_change_of_a_key_is_expected() {
    use campanile_api::mvccpb::KeyValue;
    let event = |key: &'static str, r#type: EventType, mod_revision| Event {
        r#type: r#type as i32,
        kv: Some(KeyValue { key: key.into(), mod_revision, ..Default::default() }),
        prev_kv: None,
    };
    let (put, delete) = (EventType::Put, EventType::Delete);
    let events = [event("a", put, 2), event("b", put, 2), event("a", delete, 2), event("a", put, 3)];
    let history = History { events: events.to_vec() };
    let request = WatchCreateRequest { key: "a".into(), range_end: "\0".into(), ..Default::default() };
    let expected = |compacted| history.expected(&Interest { request: request.clone(), start: 2, compacted }, 2);
    assert_eq!(expected(1), events);
    assert_eq!(expected(2), events[1..]);
}
