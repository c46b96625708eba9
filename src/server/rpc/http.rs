//! Plain HTTP: `/health`, `/livez`, `/readyz`, `/version` and `/metrics`, with etcd's paths and answers.

use std::rc::Rc;

use bytes::Bytes;
use campanile_core::error::UserError;
use campanile_core::request::{KeyRange, Operation, Range, Request};
use campanile_rpc::{HttpReply, HttpRequest, HttpResponse};

use super::Context;
use super::respond::Responder;
use super::settings::Versions;

const JSON: &str = "application/json";

/// Answers one request.
pub(super) fn serve(context: &Rc<Context>, request: &HttpRequest, reply: HttpReply) {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return reply.send(HttpResponse::text(405, "Method Not Allowed\n"));
    }
    let probe = |serializable, reply| {
        let responder = Responder::health(Rc::clone(context), reply);
        context.executor.request(probe(serializable), false, responder);
    };
    match request.path.as_str() {
        "/health" | "/readyz" => probe(request.query.split('&').any(|pair| pair == "serializable=true"), reply),
        "/livez" => probe(true, reply),
        "/version" => reply.send(HttpResponse::new(200, JSON, version(&context.settings.versions))),
        "/metrics" => context.executor.metrics(reply),
        _ => reply.send(HttpResponse::text(404, "404 page not found\n")),
    }
}

/// The read that etcd's health check makes: whether there is such a key does not matter.
fn probe(serializable: bool) -> Request {
    Request::Operation(Operation::Range(Range {
        keys: KeyRange::single(Bytes::from_static(b"health")),
        at: None,
        limit: 1,
        sort: None,
        serializable,
        keys_only: true,
        count_only: false,
        mod_revision_min: 0,
        mod_revision_max: 0,
        create_revision_min: 0,
        create_revision_max: 0,
    }))
}

/// The answer of a health check whose read ended so.
pub(super) fn health(error: Option<UserError>) -> HttpResponse {
    let reason = match error {
        None => return HttpResponse::new(200, JSON, r#"{"health":"true","reason":""}"#),
        Some(UserError::NoLeader) => "RAFT NO LEADER".to_owned(),
        Some(error) => format!("RANGE ERROR:{error}"),
    };
    HttpResponse::new(503, JSON, format!(r#"{{"health":"false","reason":"{reason}"}}"#))
}

fn version(versions: &Versions) -> String {
    let Versions { api, cluster, own } = versions;
    format!(r#"{{"etcdserver":"{api}","etcdcluster":"{cluster}","campanile":"{own}"}}"#)
}
