//! What a watch stream brings, in the core's own words. Responses that the server split are put together again, as every
//! client does.

use std::{collections::BTreeMap, sync::Arc};

use campanile_api::{
    etcdserverpb::{self as pb, watch_create_request::FilterType, watch_request::RequestUnion},
    mvccpb::{Event, event::EventType},
};
use campanile_core::{
    error::UserError,
    watch::{CreateWatch, WatchEvent, WatchResponse},
};
use campanile_storage::{
    ids::{Position, Revision},
    store::KeyValue,
};

use super::{
    answer::{self, Nonsense, Understood},
    errors::{self, Meaning},
    request,
};

pub fn create(wish: &CreateWatch) -> pb::WatchRequest {
    let (key, range_end) = request::keys(&wish.keys);
    let filters = [(wish.no_put, FilterType::Noput), (wish.no_delete, FilterType::Nodelete)];
    wrap(RequestUnion::CreateRequest(pb::WatchCreateRequest {
        key,
        range_end,
        start_revision: wish.start.0,
        progress_notify: wish.progress_notify,
        filters: filters.iter().filter(|(wanted, _)| *wanted).map(|(_, filter)| *filter as i32).collect(),
        prev_kv: wish.previous,
        watch_id: wish.watch_id,
        fragment: wish.fragment,
    }))
}

pub fn cancel(watch_id: i64) -> pb::WatchRequest {
    wrap(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id }))
}

pub fn progress() -> pb::WatchRequest {
    wrap(RequestUnion::ProgressRequest(pb::WatchProgressRequest {}))
}

fn wrap(request: RequestUnion) -> pb::WatchRequest {
    pb::WatchRequest { request_union: Some(request) }
}

/// Parts of responses that are not complete, by watch.
#[derive(Debug, Default)]
pub struct Parts(BTreeMap<i64, Vec<Event>>);

impl Parts {
    /// A message came. Nothing if more of its response follows.
    pub fn take(&mut self, mut message: pb::WatchResponse) -> Understood<Option<WatchResponse>> {
        let mut events = self.0.remove(&message.watch_id).unwrap_or_default();
        events.append(&mut message.events);
        if message.fragment {
            self.0.insert(message.watch_id, events);
            return Ok(None);
        }
        response(&message, &events).map(Some)
    }
}

fn response(message: &pb::WatchResponse, events: &[Event]) -> Understood<WatchResponse> {
    let event = |event: &Event| read(event).map(Arc::new);
    let reason: Option<UserError> = match errors::of_text(&message.cancel_reason) {
        Meaning::Error(error) => Some(error),
        _ => None,
    };
    Ok(WatchResponse {
        watch_id: message.watch_id,
        revision: answer::revision(message.header.as_ref()),
        created: message.created,
        canceled: message.canceled,
        compact_revision: Revision(message.compact_revision),
        cancel_reason: reason,
        fragment: false,
        events: events.iter().map(event).collect::<Understood<_>>()?,
        // Whatever came is to be seen, asked for or not.
        with_previous: true,
    })
}

fn read(event: &Event) -> Understood<WatchEvent> {
    let nonsense = || Nonsense(format!("not an event: {event:?}"));
    let message = event.kv.as_ref().ok_or_else(nonsense)?;
    let previous = event.prev_kv.as_ref().map(answer::key_value).transpose()?;
    if event.r#type == EventType::Put as i32 {
        return Ok(WatchEvent::new(answer::key_value(message)?, previous));
    }
    let says_more = message.create_revision != 0 || message.version != 0 || message.lease != 0;
    if says_more || !message.value.is_empty() || message.key.is_empty() || message.mod_revision <= 0 {
        return Err(nonsense());
    }
    let position = Position { revision: Revision(message.mod_revision), sub: 0 };
    Ok(WatchEvent::new(KeyValue::tombstone(&message.key, position), previous))
}
