//! Plain HTTP, for health checks and metrics.

use std::borrow::Cow;
use std::rc::Rc;

use bytes::Bytes;

use crate::outbox::{Answer, ExchangeKey, Outbox};

/// A request without a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `HEAD` and so on.
    pub method: String,
    /// The path alone, such as `/health`.
    pub path: String,
    /// What follows a `?`; empty without one.
    pub query: String,
}

impl HttpRequest {
    pub(crate) fn new(method: &str, target: &str) -> HttpRequest {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        HttpRequest { method: method.to_owned(), path: path.to_owned(), query: query.to_owned() }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// Such as 200.
    pub status: u16,
    pub content_type: Cow<'static, str>,
    pub body: Bytes,
}

impl HttpResponse {
    #[must_use]
    pub fn new(status: u16, content_type: impl Into<Cow<'static, str>>, body: impl Into<Bytes>) -> HttpResponse {
        HttpResponse { status, content_type: content_type.into(), body: body.into() }
    }

    /// A line of plain text.
    #[must_use]
    pub fn text(status: u16, body: impl Into<Bytes>) -> HttpResponse {
        HttpResponse::new(status, "text/plain; charset=utf-8", body)
    }
}

/// Where the answer goes, once. Dropped unused, it answers 503.
#[derive(Debug)]
pub struct HttpReply {
    outbox: Rc<Outbox>,
    key: ExchangeKey,
    answered: bool,
}

impl HttpReply {
    pub(crate) fn new(outbox: Rc<Outbox>, key: ExchangeKey) -> HttpReply {
        HttpReply { outbox, key, answered: false }
    }

    pub fn send(mut self, response: HttpResponse) {
        self.answer(response);
    }

    fn answer(&mut self, response: HttpResponse) {
        self.answered = true;
        self.outbox.push(self.key, Answer::Http(response));
    }
}

impl Drop for HttpReply {
    fn drop(&mut self) {
        if !self.answered {
            self.answer(HttpResponse::text(503, "the server dropped the request\n"));
        }
    }
}
