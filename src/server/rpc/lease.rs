//! The Lease service. Keepalives come on streams; each is a request of its own, and several may be under way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_core::request::Request;
use campanile_core::response::LeaseTimeToLive;
use campanile_rpc::{Message, Status, StreamHandle, StreamHandler};
use campanile_storage::ids::LeaseId;

use super::Context;
use super::header::Headers;
use super::kv::decode;
use super::leader::Finish;
use super::methods::Rpc;
use super::respond::{Asked, Responder};

/// Keepalives of one stream that may wait for their answer.
const KEEPALIVES_MAX: usize = 256;

/// What a message of one of the service's methods asks for.
pub(super) fn request(rpc: Rpc, message: Bytes) -> Result<Request, Status> {
    Ok(match rpc {
        Rpc::LeaseGrant => {
            let pb::LeaseGrantRequest { id, ttl } = decode(message)?;
            Request::LeaseGrant { id: LeaseId(id), ttl_seconds: ttl }
        }
        Rpc::LeaseRevoke => {
            let pb::LeaseRevokeRequest { id } = decode(message)?;
            Request::LeaseRevoke { id: LeaseId(id) }
        }
        Rpc::LeaseTimeToLive => {
            let pb::LeaseTimeToLiveRequest { id, keys } = decode(message)?;
            Request::LeaseTimeToLive { id: LeaseId(id), keys }
        }
        Rpc::LeaseLeases => {
            let pb::LeaseLeasesRequest {} = decode(message)?;
            Request::LeaseLeases
        }
        Rpc::LeaseKeepAlive => {
            let pb::LeaseKeepAliveRequest { id } = decode(message)?;
            Request::LeaseKeepAlive { id: LeaseId(id) }
        }
        rpc => unreachable!("{rpc:?} is no method of Lease"),
    })
}

pub(super) fn time_to_live(response: LeaseTimeToLive, headers: &Headers) -> pb::LeaseTimeToLiveResponse {
    pb::LeaseTimeToLiveResponse {
        header: headers.at(response.revision),
        id: response.id.0,
        ttl: response.ttl_seconds,
        granted_ttl: response.granted_ttl_seconds,
        keys: response.keys,
    }
}

/// A keepalive stream, as its answers see it.
#[derive(Debug)]
pub(super) struct KeepAlives {
    /// None once the stream is finished.
    stream: RefCell<Option<StreamHandle>>,
    under_way: Cell<usize>,
    half_closed: Cell<bool>,
}

impl KeepAlives {
    pub(super) fn new(stream: StreamHandle) -> Rc<KeepAlives> {
        let stream = RefCell::new(Some(stream));
        Rc::new(KeepAlives { stream, under_way: Cell::new(0), half_closed: Cell::new(false) })
    }

    /// Passes an answer on. An error ends the stream, as etcd has it.
    pub(super) fn answer(&self, result: Result<Message, Status>) {
        self.under_way.set(self.under_way.get() - 1);
        match result {
            Ok(message) => {
                if let Some(stream) = &*self.stream.borrow() {
                    stream.send(message);
                    stream.read_on();
                }
            }
            Err(status) => self.finish(status),
        }
        self.finish_if_done();
    }

    /// The client sends no more: the stream ends behind the last answer.
    fn finish_if_done(&self) {
        if self.half_closed.get() && self.under_way.get() == 0 {
            self.finish(Status::OK);
        }
    }
}

impl Finish for KeepAlives {
    fn finish(&self, status: Status) {
        if let Some(stream) = self.stream.take() {
            stream.finish(status);
        }
    }
}

/// The client's side of a keepalive stream.
pub(super) struct KeepAliveHandler {
    pub(super) context: Rc<Context>,
    pub(super) keepalives: Rc<KeepAlives>,
}

impl StreamHandler for KeepAliveHandler {
    fn on_message(&mut self, message: Bytes) {
        match request(Rpc::LeaseKeepAlive, message.clone()) {
            Ok(request) => {
                self.keepalives.under_way.set(self.keepalives.under_way.get() + 1);
                let asked = Asked { rpc: Rpc::LeaseKeepAlive, message, deadline: None };
                let responder = Responder::stream(Rc::clone(&self.context), Rc::clone(&self.keepalives), asked);
                self.context.executor.request(request, false, responder);
            }
            Err(status) => self.keepalives.finish(status),
        }
    }

    fn is_accepting(&self) -> bool {
        self.keepalives.under_way.get() < KEEPALIVES_MAX
    }

    fn on_half_close(&mut self) {
        self.keepalives.half_closed.set(true);
        self.keepalives.finish_if_done();
    }

    fn on_cancel(&mut self) {
        self.keepalives.stream.take();
    }
}
