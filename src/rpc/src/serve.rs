//! One connection from its first bytes to its end.

use std::future::poll_fn;
use std::io as std_io;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::call::Peer;
use crate::handler::Handler;
use crate::io::Io;
use crate::limits::Limits;
use crate::meter::Meter;
use crate::shutdown::Shutdown;
use crate::timer::Timer;
use crate::{http1, http2};

/// What a thread's connections share.
pub struct Environment<H> {
    pub handler: Rc<H>,
    pub timer: Rc<dyn Timer>,
    pub meter: Rc<dyn Meter>,
    pub limits: Rc<Limits>,
    pub shutdown: Shutdown,
}

impl<H> Clone for Environment<H> {
    fn clone(&self) -> Environment<H> {
        Environment {
            handler: Rc::clone(&self.handler),
            timer: Rc::clone(&self.timer),
            meter: Rc::clone(&self.meter),
            limits: Rc::clone(&self.limits),
            shutdown: self.shutdown.clone(),
        }
    }
}

/// Why a connection ended before its time. None of these is the server's fault: log them low.
#[derive(Debug, Error)]
pub enum ConnectionError {
    #[error("the socket failed: {0}")]
    Socket(#[from] std_io::Error),
    #[error("HTTP/2: {0}")]
    Http2(String),
    #[error("HTTP/1.1: {0}")]
    Http1(&'static str),
    #[error("nothing was asked within {0:?}")]
    Silent(Duration),
    #[error("no answer to a keepalive ping within {0:?}")]
    KeepaliveTimeout(Duration),
    #[error("it pings too often")]
    TooManyPings,
    #[error("calls still open {0:?} after the shutdown began")]
    DrainTimeout(Duration),
}

/// What every HTTP/2 client sends first (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves one connection until either side ends it. Dropping the future closes it at once: open streams are told.
///
/// # Errors
/// Why the connection ended, other than by the client's closing it or an orderly shutdown.
pub async fn serve_connection<T, H>(socket: T, peer: Peer, environment: Environment<H>) -> Result<(), ConnectionError>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let io = Io::new(socket);
    match sniff(&io, &environment).await? {
        Some(Protocol::Http2) => http2::serve(io, Rc::new(peer), environment).await,
        Some(Protocol::Http1) => http1::serve(io, environment).await,
        None => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// The protocol that `first` begins; `None` while it may be either.
fn protocol(first: &[u8]) -> Option<Protocol> {
    if first.starts_with(PREFACE) {
        Some(Protocol::Http2)
    } else if PREFACE.starts_with(first) {
        None
    } else {
        Some(Protocol::Http1)
    }
}

/// Reads until the protocol is clear; `None` if the client goes, or the server does, before it says anything.
async fn sniff<T, H>(io: &Io<T>, environment: &Environment<H>) -> Result<Option<Protocol>, ConnectionError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let patience = environment.limits.first_bytes_timeout;
    let mut timeout = environment.timer.sleep(patience);
    let mut shutdown = environment.shutdown.listen();
    poll_fn(|cx| {
        loop {
            if let Some(protocol) = io.with_ahead(protocol) {
                return Poll::Ready(Ok(Some(protocol)));
            }
            match io.poll_read_ahead(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => break,
            }
        }
        if timeout.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(ConnectionError::Silent(patience)));
        }
        shutdown.poll_begun(cx).map(|()| Ok(None))
    })
    .await
}

/// The earlier of two moments that may not come.
pub(crate) fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differing_byte_tells_the_protocol() {
        for length in 0..PREFACE.len() {
            assert_eq!(protocol(&PREFACE[..length]), None);
        }
        assert_eq!(protocol(PREFACE), Some(Protocol::Http2));
        assert_eq!(protocol(b"GET / HTTP/1.1\r\n"), Some(Protocol::Http1));
        assert_eq!(protocol(b"POST /"), Some(Protocol::Http1));
        assert_eq!(protocol(b"PRI * HTTP/1"), Some(Protocol::Http1));
    }
}
