//! An answer of the core on its way to the client that waits for it.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_core::error::UserError;
use campanile_core::response::Response;
use campanile_rpc::{Code, HttpReply, Message as RpcMessage, Reply, Status};
use campanile_storage::ids::{LeaseId, MemberId};
use prost::Message;

use super::executor::{Done, Relayed, Sizes};
use super::header::Headers;
use super::lease::KeepAlives;
use super::methods::Rpc;
use super::{Context, cluster, errors, http, kv, lease, maintenance};

/// Turns one answer into protobuf and sends it. Dropped instead, it answers UNAVAILABLE.
pub struct Responder {
    context: Rc<Context>,
    to: To,
}

enum To {
    /// A client, and what it asked: another member may have to answer.
    Client {
        reply: Reply,
        asked: Asked,
    },
    Stream {
        keepalives: Rc<KeepAlives>,
        asked: Asked,
    },
    /// Another member, on behalf of its client.
    Member(Done),
    /// `GET /health` and its kin.
    Health(HttpReply, http::Check),
}

/// A request as it came.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) rpc: Rpc,
    pub(super) message: Bytes,
    pub(super) deadline: Option<Instant>,
}

impl Responder {
    pub(super) fn client(context: Rc<Context>, reply: Reply, asked: Asked) -> Responder {
        Responder { context, to: To::Client { reply, asked } }
    }

    pub(super) fn stream(context: Rc<Context>, keepalives: Rc<KeepAlives>, asked: Asked) -> Responder {
        Responder { context, to: To::Stream { keepalives, asked } }
    }

    pub(super) fn member(context: Rc<Context>, done: Done) -> Responder {
        Responder { context, to: To::Member(done) }
    }

    pub(super) fn health(context: Rc<Context>, reply: HttpReply, check: http::Check) -> Responder {
        Responder { context, to: To::Health(reply, check) }
    }

    /// Answers.
    pub fn answer(self, result: Result<Response, UserError>) {
        if let To::Health(reply, check) = self.to {
            self.context.executor.checked(result.is_ok());
            return reply.send(check.response(result.err()));
        }
        let message = result.map(|response| encode(response, &self.context)).map_err(errors::status);
        self.finish(message.map(RpcMessage::Whole));
    }

    /// Has `to` answer, which is asked once.
    pub fn relay(self, to: MemberId) {
        let asked = match &self.to {
            To::Client { asked, .. } | To::Stream { asked, .. } => asked,
            // A health check reads, and what was sent on is not sent on again.
            To::Member(_) | To::Health(..) => return self.answer(Err(UserError::LeaderChanged)),
        };
        let request = Relayed {
            method: u32::try_from(asked.rpc as usize).expect("there are few methods"),
            message: asked.message.clone(),
            deadline: asked.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
        };
        let executor = Rc::clone(&self.context.executor);
        let done = move |result: Result<Bytes, Status>| {
            let adopted = result.and_then(|message| {
                let malformed = |error| Status::new(Code::Internal, format!("the primary's answer: {error}"));
                self.context.headers.adopt(message).map_err(malformed)
            });
            self.finish(adopted.map(RpcMessage::Pieces));
        };
        executor.relay(to, request, Box::new(done));
    }

    fn finish(self, result: Result<RpcMessage, Status>) {
        match (self.to, result) {
            (To::Client { reply, .. }, Ok(message)) => reply.ok(message),
            (To::Client { reply, .. }, Err(status)) => reply.error(status),
            (To::Stream { keepalives, .. }, result) => keepalives.answer(result),
            (To::Member(done), Ok(RpcMessage::Whole(message))) => done(Ok(message)),
            (To::Member(done), Ok(RpcMessage::Pieces(pieces))) => done(Ok(pieces.concat().into())),
            (To::Member(done), Err(status)) => done(Err(status)),
            (To::Health(..), _) => unreachable!("health checks are answered without a message"),
        }
    }
}

fn encode(response: Response, context: &Context) -> Bytes {
    let headers: &Headers = &context.headers;
    let message = match response {
        Response::Operation(response) => return kv::response(response, headers),
        Response::Compact { revision } => pb::CompactionResponse { header: headers.at(revision) }.encode_to_vec(),
        Response::LeaseGrant { revision, id, ttl_seconds } => {
            let header = headers.at(revision);
            pb::LeaseGrantResponse { header, id: id.0, ttl: ttl_seconds, error: String::new() }.encode_to_vec()
        }
        Response::LeaseRevoke { revision } => pb::LeaseRevokeResponse { header: headers.at(revision) }.encode_to_vec(),
        Response::LeaseTimeToLive(response) => lease::time_to_live(response, headers).encode_to_vec(),
        Response::LeaseLeases { revision, leases } => {
            let leases = leases.into_iter().map(|LeaseId(id)| pb::LeaseStatus { id }).collect();
            pb::LeaseLeasesResponse { header: headers.at(revision), leases }.encode_to_vec()
        }
        Response::LeaseKeepAlive { revision, id, ttl_seconds } => {
            pb::LeaseKeepAliveResponse { header: headers.at(revision), id: id.0, ttl: ttl_seconds }.encode_to_vec()
        }
        Response::Status(status) => {
            let sizes: Sizes = context.executor.sizes();
            maintenance::status(status, sizes, context.settings.versions.api, headers).encode_to_vec()
        }
        Response::Hash { revision, hash } => pb::HashResponse { header: headers.at(revision), hash }.encode_to_vec(),
        Response::HashKv(response) => maintenance::hash_kv(response, headers).encode_to_vec(),
        Response::MemberList { members, .. } => cluster::member_list(members, headers).encode_to_vec(),
        Response::AlarmGet { revision, alarms } => maintenance::alarms(revision, alarms, headers).encode_to_vec(),
    };
    message.into()
}
