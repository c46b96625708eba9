//! gRPC over HTTP/2, on the `h2` crate. Nothing outside this folder names it.
//!
//! One future drives a connection and all its calls; no call has a task. It owns every handle of h2: handlers answer
//! through the outbox, and each poll moves what is there to h2 before h2 writes.
//!
//! | file | step |
//! | --- | --- |
//! | `connection.rs` | one poll: answers out, requests in, timers, one write |
//! | `admission.rs` | how many calls may be under way |
//! | `accept.rs` | a request's head becomes an exchange, or an error |
//! | `receive.rs` | its bytes become messages for the handler |
//! | `answer.rs` | the handler's answers become frames |
//! | `exchange.rs` | what is known of one call |
//! | `timers.rs`, `keepalive.rs` | deadlines, keepalive, the end of draining |
//! | `frames.rs` | follows the client's frames on their way to h2 |
//! | `authority.rs`, `pings.rs` | clients that name a URL as authority; clients that ping too often |
//! | `headers.rs` | the fields of answers |
//! | `signal.rs` | which streams h2 has news of |

mod accept;
mod admission;
mod answer;
mod authority;
mod connection;
mod exchange;
mod frames;
mod headers;
mod keepalive;
mod pings;
mod receive;
mod signal;
mod timers;

use std::future::poll_fn;
use std::rc::Rc;

use h2::server::Builder;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::call::Peer;
use crate::handler::Handler;
use crate::io::Io;
use crate::limits::{
    CONNECTION_WINDOW_BYTES, DATA_FRAME_BUDGET_BYTES, HEADER_LIST_MAX_BYTES, STREAM_WINDOW_BYTES, UNSEEN_RESETS_MAX,
};
use crate::segment::Segment;
use crate::serve::{ConnectionError, Environment};
use connection::Connection;
pub(crate) use frames::ClientFrames;

/// Serves a connection whose preface is ahead in `io`.
pub(crate) async fn serve<T, H>(io: Io<T>, peer: Rc<Peer>, environment: Environment<H>) -> Result<(), ConnectionError>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    io.follow_frames();
    let h2 = Builder::new()
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEADER_LIST_MAX_BYTES)
        .max_concurrent_streams(environment.limits.concurrent_streams_max)
        .max_pending_accept_reset_streams(UNSEEN_RESETS_MAX)
        .data_frame_budget(DATA_FRAME_BUDGET_BYTES)
        .handshake::<_, Segment>(io.clone())
        .await
        .map_err(|error| ConnectionError::Http2(error.to_string()))?;
    let mut connection = Connection::new(h2, io, peer, environment);
    poll_fn(|cx| connection.poll(cx)).await
}
