//! What the services need of the executor that they run on. The runtime implements it; nothing else of it is seen here.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use campanile_core::executor::watching::WatchCommand;
use campanile_core::request::Request;
use campanile_core::watch::{StreamId, WatchResponse};
use campanile_rpc::{HttpReply, Status};
use campanile_storage::ids::MemberId;

use super::respond::Responder;

/// One executor, as its services see it. All is on its own thread: an implementation must not hold its state borrowed
/// while it calls or drops a [`Responder`] or what [`open_watch_stream`](Self::open_watch_stream) was given, for either
/// may ask the next thing at once.
pub trait Executor {
    /// Carries `request` out, and answers through `responder`, before this returns or later: with
    /// [`Responder::answer`], or with [`Responder::relay`] where the core wants another member to answer. A responder that
    /// is dropped answers UNAVAILABLE. `relayed`: another member sent the request on.
    fn request(&self, request: Request, relayed: bool, responder: Responder);

    /// Sends a request on to another member, once. `done` is called exactly once.
    fn relay(&self, to: MemberId, request: Relayed, done: Done);

    /// A name for a new watch stream. `ready` is called on `Effect::WatchReady`, before this returns or later, until
    /// [`WatchCommand::Close`].
    fn open_watch_stream(&self, ready: Rc<dyn Fn()>) -> StreamId;

    /// A client speaks on a watch stream: `Open` first, `Close` last.
    fn watch(&self, stream: StreamId, command: WatchCommand);

    /// The next response on a watch stream; `None` if its client has all.
    fn next_watch_response(&self, stream: StreamId) -> Option<WatchResponse>;

    /// Whether a watch stream takes another command before its client reads.
    fn accepts_watch_commands(&self, stream: StreamId) -> bool;

    /// Whether the member knows a leader of the control group.
    fn has_leader(&self) -> bool;

    /// How large the member is now.
    fn sizes(&self) -> Sizes;

    /// A health check ended so; to be counted.
    fn checked(&self, is_healthy: bool);

    /// Answers `GET /metrics`.
    fn metrics(&self, reply: HttpReply);
}

/// A client's request on its way between members: still the message that the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// The method's place in [`METHODS`](super::METHODS).
    pub method: u32,
    pub message: Bytes,
    /// How much time is left.
    pub deadline: Option<Duration>,
}

/// Takes the answer to a [`Relayed`] request: a message with the other member's header, or how it failed.
pub type Done = Box<dyn FnOnce(Result<Bytes, Status>)>;

/// Sizes on disk, in bytes, as the member's status names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub total: u64,
    pub in_use: u64,
    pub quota: u64,
}
