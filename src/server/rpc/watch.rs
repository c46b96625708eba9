//! The Watch service: commands go to the executor, responses come from it as long as the client reads them.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_api::etcdserverpb::watch_create_request::FilterType;
use campanile_api::mvccpb::event::EventType;
use campanile_api::raw::{self, Encode};
use campanile_core::executor::watching::WatchCommand;
use campanile_core::watch::{CreateWatch, StreamId, WatchEvent, WatchResponse};
use campanile_rpc::{Flow, Status, StreamHandle, StreamHandler};
use campanile_storage::ids::Revision;

use super::Context;
use super::header::Headers;
use super::kv::decode;
use super::leader::Finish;
use super::operation::key_range;

/// Commands that a stream may send before anything is read of the answers, whatever the executor says.
const COMMANDS_UNASKED: usize = 16;

/// One watch stream. The executor tells it of responses, the connection of room for them.
pub(super) struct WatchStream {
    context: Rc<Context>,
    id: StreamId,
    /// None once the stream is finished.
    stream: RefCell<Option<StreamHandle>>,
    /// Commands since responses were last taken.
    commands: Cell<usize>,
}

impl WatchStream {
    /// Opens the stream at the executor.
    pub(super) fn open(context: Rc<Context>, stream: StreamHandle) -> Rc<WatchStream> {
        let watch = Rc::new_cyclic(|watch: &Weak<WatchStream>| {
            let watch = Weak::clone(watch);
            let ready = move || {
                if let Some(watch) = watch.upgrade() {
                    watch.pump();
                }
            };
            let id = context.executor.open_watch_stream(Rc::new(ready));
            WatchStream { context, id, stream: RefCell::new(Some(stream)), commands: Cell::new(0) }
        });
        let interval = watch.context.settings.notice_interval;
        let notice_interval = interval + jitter(interval, watch.id);
        watch.context.executor.watch(watch.id, WatchCommand::Open { notice_interval });
        watch
    }

    /// Sends what there is, until the client has to read first.
    fn pump(&self) {
        let stream = self.stream.borrow();
        let Some(stream) = &*stream else { return };
        while stream.flow() == Flow::Open {
            let Some(response) = self.context.executor.next_watch_response(self.id) else { break };
            stream.send(encode(&response, &self.context.headers));
        }
        self.commands.set(0);
        stream.read_on();
    }

    fn command(&self, command: WatchCommand) {
        self.commands.set(self.commands.get() + 1);
        self.context.executor.watch(self.id, command);
    }
}

/// Up to a tenth of `interval`, spread evenly over streams: those that open at once are not notified at once.
fn jitter(interval: Duration, stream: StreamId) -> Duration {
    const STEPS: u32 = 1_024;
    let step = stream.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    interval / 10 * u32::try_from(step).expect("ten bits are left") / STEPS
}

impl Finish for WatchStream {
    fn finish(&self, status: Status) {
        if let Some(stream) = self.stream.take() {
            stream.finish(status);
        }
    }
}

/// The client's side of a watch stream. The stream is closed at the executor when this goes, however it ended.
pub(super) struct WatchHandler(pub(super) Rc<WatchStream>);

impl StreamHandler for WatchHandler {
    fn on_message(&mut self, message: Bytes) {
        use pb::watch_request::RequestUnion;
        match decode(message).map(|pb::WatchRequest { request_union }| request_union) {
            Ok(Some(RequestUnion::CreateRequest(request))) => {
                self.0.command(WatchCommand::Create(create(request)));
            }
            Ok(Some(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id }))) => {
                self.0.command(WatchCommand::Cancel { watch_id });
            }
            Ok(Some(RequestUnion::ProgressRequest(pb::WatchProgressRequest {}))) => {
                self.0.command(WatchCommand::Progress);
            }
            // A newer client's request: etcd ignores it too.
            Ok(None) => {}
            Err(status) => self.0.finish(status),
        }
    }

    fn is_accepting(&self) -> bool {
        self.0.commands.get() < COMMANDS_UNASKED || self.0.context.executor.accepts_watch_commands(self.0.id)
    }

    /// A client that sends nothing more wants nothing more, as etcd has it.
    fn on_half_close(&mut self) {
        self.0.finish(Status::OK);
    }

    fn on_cancel(&mut self) {
        self.0.stream.take();
    }

    fn on_ready(&mut self) {
        self.0.pump();
    }
}

impl Drop for WatchHandler {
    fn drop(&mut self) {
        self.0.stream.take();
        self.0.context.executor.watch(self.0.id, WatchCommand::Close);
    }
}

fn create(request: pb::WatchCreateRequest) -> CreateWatch {
    // The smallest key stands for none.
    let key = if request.key.is_empty() { Bytes::from_static(b"\0") } else { request.key.clone() };
    let filters = |filter: FilterType| request.filters.contains(&filter.into());
    CreateWatch {
        watch_id: request.watch_id,
        keys: key_range(key, request.range_end.clone()),
        start: Revision(request.start_revision),
        no_put: filters(FilterType::Noput),
        no_delete: filters(FilterType::Nodelete),
        previous: request.prev_kv,
        progress_notify: request.progress_notify,
        fragment: request.fragment,
    }
}

fn encode(response: &WatchResponse, headers: &Headers) -> Bytes {
    let with_previous = response.with_previous;
    let encoded = |event: &'_ WatchEvent| encode_event(event, with_previous);
    let events: Vec<&Bytes> = response.events.iter().map(|event| event.encoded(with_previous, encoded)).collect();
    let reason = response.cancel_reason.map(|reason| reason.to_string()).unwrap_or_default();
    raw::WatchResponse {
        header: headers.at(response.revision),
        watch_id: response.watch_id,
        created: response.created,
        canceled: response.canceled,
        compact_revision: response.compact_revision.0,
        cancel_reason: &reason,
        fragment: response.fragment,
        events: &events,
    }
    .encode_to_bytes()
}

fn encode_event(event: &WatchEvent, with_previous: bool) -> Bytes {
    let kind = if event.is_delete() { EventType::Delete } else { EventType::Put };
    let previous = event.previous.as_ref().filter(|_| with_previous).map(|previous| previous.encoded());
    raw::encode_event(kind, event.key_value.encoded_for_event(), previous)
}
