//! etcd's services: the one place that knows both protobuf and the core.
//!
//! Each service decodes its messages into the core's requests and encodes the core's responses; the front end
//! (`campanile-rpc`) knows nothing of messages, and the core nothing of protobuf. What carries requests out is an
//! [`Executor`], the runtime's.
//!
//! | file | what |
//! | --- | --- |
//! | `methods.rs` | the methods that exist |
//! | `kv.rs`, `operation.rs` | KV: answers, and what operations mean |
//! | `watch.rs`, `lease.rs` | streams, and the unary methods of Lease |
//! | `cluster.rs`, `maintenance.rs`, `health.rs` | what their names say |
//! | `http.rs` | plain HTTP on the same port |
//! | `executor.rs`, `settings.rs` | what the services need of the runtime, and of the configuration |
//! | `respond.rs`, `header.rs`, `errors.rs` | how answers, their headers and errors become messages |
//! | `leader.rs` | clients that require a leader |

mod cluster;
mod errors;
mod executor;
mod header;
mod health;
mod http;
mod kv;
mod leader;
mod lease;
mod maintenance;
mod methods;
mod operation;
mod respond;
mod settings;
#[cfg(test)]
mod tests;
mod watch;

use std::rc::Rc;

use bytes::Bytes;
use campanile_core::error::UserError;
use campanile_core::request::Request;
use campanile_rpc::{
    Call, Code, Handler, HttpReply, HttpRequest, Method, Reply, Status, StreamHandle, StreamHandler, UnknownMethod,
};

pub use errors::status;
pub use executor::{Done, Executor, Relayed, Sizes};
pub use header::Headers;
pub use methods::METHODS;
pub use respond::Responder;
pub use settings::Settings;

use health::HealthWatch;
use leader::LeaderRequired;
use lease::{KeepAliveHandler, KeepAlives};
use methods::Rpc;
use respond::Asked;
use watch::{WatchHandler, WatchStream};

/// What all answers of an executor's services need.
struct Context {
    executor: Rc<dyn Executor>,
    headers: Headers,
    settings: Settings,
}

/// The services of one executor, for all its connections.
pub struct Services {
    context: Rc<Context>,
    leader_required: LeaderRequired,
}

impl Services {
    #[must_use]
    pub fn new(executor: Rc<dyn Executor>, settings: &Settings) -> Rc<Services> {
        let headers = Headers::new(settings.cluster_id, settings.member);
        let context = Rc::new(Context { executor, headers, settings: settings.clone() });
        Rc::new(Services { context, leader_required: LeaderRequired::default() })
    }

    /// The member's part of response headers, to keep up to date.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.context.headers
    }

    /// There has been no leader for some election timeouts: ends the streams of clients that require one.
    pub fn leader_lost(&self) {
        self.leader_required.finish_all();
    }

    /// Another member sent a request on, for its client. `done` is called once, unless the executor drops it.
    pub fn relayed(&self, relayed: Relayed, done: Done) {
        let request = match usize::try_from(relayed.method).ok().and_then(|index| METHODS.get(index)) {
            Some(method) => decode(methods::rpc(method), relayed.message, &self.context.settings),
            None => Err(Status::new(Code::Unimplemented, "a method that only a newer member knows")),
        };
        match request {
            Ok(request) => {
                let responder = Responder::member(Rc::clone(&self.context), done);
                self.context.executor.request(request, true, responder);
            }
            Err(status) => done(Err(status)),
        }
    }
}

/// What the message of a call asks of the core.
fn decode(rpc: Rpc, message: Bytes, settings: &Settings) -> Result<Request, Status> {
    match rpc {
        Rpc::Range | Rpc::Put | Rpc::DeleteRange | Rpc::Txn | Rpc::Compact => {
            kv::request(rpc, message, settings.limits)
        }
        Rpc::LeaseGrant | Rpc::LeaseRevoke | Rpc::LeaseTimeToLive | Rpc::LeaseLeases | Rpc::LeaseKeepAlive => {
            lease::request(rpc, message)
        }
        Rpc::MemberList => cluster::request(rpc, message),
        Rpc::Alarm | Rpc::Status | Rpc::Hash | Rpc::HashKv => maintenance::request(rpc, message),
        Rpc::Watch | Rpc::HealthCheck | Rpc::HealthWatch => {
            Err(Status::new(Code::Internal, format!("{rpc:?} is not asked of the core")))
        }
    }
}

impl Handler for Services {
    fn route(&self, service: &str, method: &str) -> Result<&'static Method, UnknownMethod> {
        methods::find(service, method)
    }

    fn unary(&self, call: Call, message: Bytes, reply: Reply) {
        let rpc = methods::rpc(call.method);
        if rpc == Rpc::HealthCheck {
            return health::check(message, reply);
        }
        if leader::is_required(&call) && !self.context.executor.has_leader() {
            return reply.error(status(UserError::NoLeader));
        }
        match decode(rpc, message.clone(), &self.context.settings) {
            Ok(request) => {
                let asked = Asked { rpc, message, deadline: call.deadline };
                let responder = Responder::client(Rc::clone(&self.context), reply, asked);
                self.context.executor.request(request, false, responder);
            }
            Err(status) => reply.error(status),
        }
    }

    fn stream(&self, call: Call, stream: StreamHandle) -> Box<dyn StreamHandler> {
        let requires_leader = leader::is_required(&call);
        if requires_leader && !self.context.executor.has_leader() {
            stream.finish(status(UserError::NoLeader));
            return Box::new(Refused);
        }
        match methods::rpc(call.method) {
            Rpc::Watch => {
                let watch = WatchStream::open(Rc::clone(&self.context), stream);
                if requires_leader {
                    self.leader_required.add(&watch);
                }
                Box::new(WatchHandler(watch))
            }
            Rpc::LeaseKeepAlive => {
                let keepalives = KeepAlives::new(stream);
                if requires_leader {
                    self.leader_required.add(&keepalives);
                }
                Box::new(KeepAliveHandler { context: Rc::clone(&self.context), keepalives })
            }
            Rpc::HealthWatch => Box::new(HealthWatch { stream: Some(stream) }),
            rpc => unreachable!("{rpc:?} is unary"),
        }
    }

    fn http(&self, request: HttpRequest, reply: HttpReply) {
        http::serve(&self.context, &request, reply);
    }
}

/// A stream that was answered before it began.
struct Refused;

impl StreamHandler for Refused {
    fn on_message(&mut self, _: Bytes) {}

    fn on_half_close(&mut self) {}

    fn on_cancel(&mut self) {}
}
