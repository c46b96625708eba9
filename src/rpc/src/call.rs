//! What a handler learns of a call before its first message.

use std::rc::Rc;
use std::time::Instant;

use http::HeaderMap;

/// Whether a method takes one message and gives one, or streams in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Unary,
    ClientStream,
    ServerStream,
    BidirectionalStream,
}

/// A method that exists. Handlers keep a static table of them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Method {
    /// The service with its package, such as `etcdserverpb.KV`.
    pub service: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    /// Its place in the handler's table, for counters and dispatch.
    pub index: usize,
}

/// What of a path is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownMethod {
    Service,
    Method,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Address and port, for logs.
    pub address: String,
}

/// A call as it came in.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: &'static Method,
    pub metadata: Metadata,
    /// When the client gives up. The front end answers then; a handler may stop sooner.
    pub deadline: Option<Instant>,
    pub peer: Rc<Peer>,
}

/// The call's header fields.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    fields: HeaderMap,
}

impl Metadata {
    pub(crate) fn new(fields: HeaderMap) -> Metadata {
        Metadata { fields }
    }

    /// The first value of the field `name` (lower case); `None` also if it is no printable ASCII.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(|value| value.to_str().ok())
    }
}
