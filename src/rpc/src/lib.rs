//! The RPC front end: what comes in on a connection becomes (call, message bytes, reply handle), and back.
//!
//! [`serve_connection`] drives one connection, gRPC over HTTP/2 or plain HTTP/1.1 by its first bytes, as one future on
//! the thread that polls it. It spawns nothing, needs no `Send`, and knows neither the runtime (it is given an I/O type
//! and a [`Timer`]) nor any service: a [`Handler`] says which methods exist and answers them, at once or later, through
//! a [`Reply`] or [`StreamHandle`].
//!
//! Guarantees: every request that reached the handler is answered, or its client is gone; a deadline that passes is
//! answered for the handler; whatever a client does or leaves undone, the memory of its connection is bounded by
//! [`Limits`]; all answers that are ready at one moment leave in one write.
//!
//! HTTP/2 itself is the `h2` crate's, and named in `http2` alone.

mod call;
mod handler;

mod http1;
mod http2;
mod io;
mod limits;
mod message;
mod meter;
mod outbox;
mod plain;
mod reader;
mod reply;
mod segment;
mod serve;
mod shutdown;
mod status;
mod timeout;
mod timer;
mod wake;

#[cfg(test)]
mod tests;

pub use call::{Call, Kind, Metadata, Method, Peer, UnknownMethod};
pub use handler::{Handler, StreamHandler};
pub use limits::Limits;
pub use message::Message;
pub use meter::Meter;
pub use plain::{HttpReply, HttpRequest, HttpResponse};
pub use reply::{Flow, Reply, StreamHandle};
pub use serve::{ConnectionError, Environment, serve_connection};
pub use shutdown::Shutdown;
pub use status::{Code, Status};
pub use timer::Timer;
