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

/// What etcd checks at `/livez` and `/readyz`, each also at a path of its own. None can fail but the reads.
const LIVE: &[&str] = &["serializable_read"];
const READY: &[&str] = &["data_corruption", "serializable_read", LINEARIZABLE_READ];
const LINEARIZABLE_READ: &str = "linearizable_read";

/// Answers one request.
pub(super) fn serve(context: &Rc<Context>, request: &HttpRequest, reply: HttpReply) {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return reply.send(HttpResponse::text(405, "Method Not Allowed\n"));
    }
    match request.path.as_str() {
        "/version" => reply.send(HttpResponse::new(200, JSON, version(&context.settings.versions))),
        "/metrics" => context.executor.metrics(reply),
        path => match Check::at(path, &request.query) {
            Some(check) => {
                let probe = probe(check.is_serializable());
                context.executor.request(probe, false, Responder::health(Rc::clone(context), reply, check));
            }
            None => reply.send(HttpResponse::text(404, "404 page not found\n")),
        },
    }
}

/// A question about the member's health, and how it wants to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// `/health`, in JSON.
    Health { serializable: bool },
    /// `/livez` and `/readyz`, or one of their checks, in words.
    Named { path: String, names: Vec<&'static str>, verbose: bool },
}

impl Check {
    fn at(path: &str, query: &str) -> Option<Check> {
        let pairs = || query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        if path == "/health" {
            return Some(Check::Health { serializable: pairs().any(|pair| pair == ("serializable", "true")) });
        }
        let (root, name) = match path.strip_prefix('/')?.split_once('/') {
            Some((root, name)) => (root, Some(name)),
            None => (&path[1..], None),
        };
        let all = match root {
            "livez" => LIVE,
            "readyz" => READY,
            _ => return None,
        };
        let is_asked = |check: &&'static str| match name {
            Some(name) => **check == *name,
            None => !pairs().any(|pair| pair == ("exclude", *check)),
        };
        let names: Vec<&'static str> = all.iter().copied().filter(is_asked).collect();
        let exists = name.is_none() || !names.is_empty();
        exists.then(|| Check::Named { path: path.to_owned(), names, verbose: pairs().any(|(key, _)| key == "verbose") })
    }

    /// Whether the member's own state answers it.
    fn is_serializable(&self) -> bool {
        match self {
            Check::Health { serializable } => *serializable,
            Check::Named { names, .. } => !names.contains(&LINEARIZABLE_READ),
        }
    }

    /// The answer, when the read that it asked for has ended so.
    pub(super) fn response(&self, error: Option<UserError>) -> HttpResponse {
        let Check::Named { path, names, verbose } = self else { return health(error) };
        // Both reads are one here; of two the one that needs other members fails.
        let failed = names.iter().rev().find(|name| name.ends_with("_read"));
        let mut text = String::new();
        for name in names {
            match &error {
                Some(error) if Some(name) == failed => text.push_str(&format!("[-]{name} failed: {error}\n")),
                _ => text.push_str(&format!("[+]{name} ok\n")),
            }
        }
        match error {
            Some(_) => {
                tracing::warn!(path, reason = text.trim_end(), "a health check failed");
                HttpResponse::text(503, text)
            }
            None if *verbose => HttpResponse::text(200, text + "ok\n"),
            None => HttpResponse::text(200, "ok\n"),
        }
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
fn health(error: Option<UserError>) -> HttpResponse {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn body(check: &Check, error: Option<UserError>) -> (u16, String) {
        let response = check.response(error);
        (response.status, String::from_utf8(response.body.to_vec()).unwrap())
    }

    #[test]
    fn checks_are_etcds() {
        let at = |path, query| Check::at(path, query).unwrap();
        assert!(at("/livez", "").is_serializable() && !at("/readyz", "").is_serializable());
        assert!(at("/readyz", "exclude=linearizable_read").is_serializable());
        assert_eq!(body(&at("/livez", ""), None), (200, "ok\n".to_owned()));
        let verbose = body(&at("/readyz/linearizable_read", "verbose"), None);
        assert_eq!(verbose, (200, "[+]linearizable_read ok\nok\n".to_owned()));
        let failed = body(&at("/readyz", ""), Some(UserError::Timeout));
        let expected = "[+]data_corruption ok\n[+]serializable_read ok\n\
                        [-]linearizable_read failed: etcdserver: request timed out\n";
        assert_eq!(failed, (503, expected.to_owned()));
        assert_eq!(Check::at("/livez/linearizable_read", ""), None);
        assert_eq!(Check::at("/anything", ""), None);
        assert_eq!(at("/health", "serializable=true"), Check::Health { serializable: true });
    }
}
