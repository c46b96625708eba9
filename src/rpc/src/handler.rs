//! What a server implements to be served.

use bytes::Bytes;

use crate::call::{Call, Method, UnknownMethod};
use crate::plain::{HttpReply, HttpRequest};
use crate::reply::{Reply, StreamHandle};

/// The services behind a connection. Called on the connection's own thread, from within its poll: a method that takes
/// long holds up every connection of the executor.
pub trait Handler {
    /// The method at `/service/method`.
    ///
    /// # Errors
    /// Says what of the path is unknown; the client is answered UNIMPLEMENTED.
    fn route(&self, service: &str, method: &str) -> Result<&'static Method, UnknownMethod>;

    /// One message, to be answered once, now or later.
    fn unary(&self, call: Call, message: Bytes, reply: Reply);

    /// A streaming call began. Messages go to the returned handler; answers to the handle.
    fn stream(&self, call: Call, stream: StreamHandle) -> Box<dyn StreamHandler>;

    /// A plain HTTP request, such as `GET /metrics`.
    fn http(&self, request: HttpRequest, reply: HttpReply);
}

/// The handler's end of one streaming call. Dropped when the call has ended.
pub trait StreamHandler {
    /// The client's next message.
    fn on_message(&mut self, message: Bytes);

    /// Whether it takes a message now. If not, the client's wait, until
    /// [`StreamHandle::read_on`](crate::StreamHandle::read_on).
    fn is_accepting(&self) -> bool {
        true
    }

    /// The client sends nothing more. The handler ends the call when it has nothing more to say.
    fn on_half_close(&mut self);

    /// The call is over without the handler: the client cancelled it, its deadline passed, or the connection is gone.
    fn on_cancel(&mut self);

    /// After [`Flow::Pause`](crate::Flow::Pause): the queue has drained, go on.
    fn on_ready(&mut self) {}
}
