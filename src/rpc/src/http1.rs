//! Plain HTTP/1.1: enough for health checks, metrics and a browser, with keep-alive.
//!
//! Requests have no body here: one that announces a body is refused. Requests are answered one after the other.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::handler::Handler;
use crate::io::Io;
use crate::limits::{HTTP1_HEAD_MAX_BYTES, HTTP1_HEADERS_MAX};
use crate::outbox::{Answer, ExchangeKey, Outbox};
use crate::plain::{HttpReply, HttpRequest, HttpResponse};
use crate::serve::{ConnectionError, Environment};
use crate::shutdown::Listener;
use crate::wake::ConnectionWaker;

/// A request's head.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    request: HttpRequest,
    keep_alive: bool,
    has_body: bool,
    length: usize,
}

/// Serves requests until either side has had enough.
pub(crate) async fn serve<T, H>(io: Io<T>, environment: Environment<H>) -> Result<(), ConnectionError>
where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let mut shutdown = environment.shutdown.listen();
    loop {
        let head = match read_head(&io, &environment, &mut shutdown).await? {
            Request::Head(head) => head,
            Request::None => return close(&io, &environment).await,
            Request::Refused(status, reason) => {
                write(&io, "GET", &HttpResponse::text(status, format!("{reason}\n")), false);
                close(&io, &environment).await?;
                return Err(ConnectionError::Http1(reason));
            }
        };
        io.consume_ahead(head.length);
        let method = head.request.method.clone();
        let keep_alive = head.keep_alive && !head.has_body && !environment.shutdown.has_begun();
        let response = if head.has_body {
            HttpResponse::text(413, "requests with a body are not served here\n")
        } else {
            answer(&*environment.handler, head.request).await
        };
        write(&io, &method, &response, keep_alive);
        if !keep_alive {
            return close(&io, &environment).await;
        }
        let patience = environment.limits.http1_idle_timeout;
        within(&environment, patience, |cx| io.poll_send(cx)).await??;
        report(&io, &environment);
        io.shrink();
    }
}

enum Request {
    Head(Head),
    /// The client, or the server, is going.
    None,
    Refused(u16, &'static str),
}

/// Reads until a whole head is there. Between requests a client may be idle for longer than within one.
async fn read_head<T, H>(
    io: &Io<T>,
    environment: &Environment<H>,
    shutdown: &mut Listener,
) -> Result<Request, ConnectionError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &environment.limits;
    let mut idle = environment.timer.sleep(limits.http1_idle_timeout);
    let mut slow: Option<Pin<Box<dyn Future<Output = ()>>>> = None;
    poll_fn(|cx| {
        loop {
            match io.with_ahead(parse) {
                Ok(Some(head)) => return Poll::Ready(Ok(Request::Head(head))),
                Ok(None) => {}
                Err((status, reason)) => return Poll::Ready(Ok(Request::Refused(status, reason))),
            }
            match io.poll_read_ahead(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Request::None)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => break,
            }
        }
        if io.with_ahead(<[u8]>::is_empty) {
            if idle.as_mut().poll(cx).is_ready() || shutdown.poll_begun(cx).is_ready() {
                return Poll::Ready(Ok(Request::None));
            }
            return Poll::Pending;
        }
        let slow = slow.get_or_insert_with(|| environment.timer.sleep(limits.first_bytes_timeout));
        slow.as_mut().poll(cx).map(|()| Ok(Request::Refused(408, "the head of the request took too long")))
    })
    .await
}

/// The head at the beginning of `bytes`; `None` if it is not complete.
fn parse(bytes: &[u8]) -> Result<Option<Head>, (u16, &'static str)> {
    let mut headers = [httparse::EMPTY_HEADER; HTTP1_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < HTTP1_HEAD_MAX_BYTES => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Err((431, "the head of the request is too large"));
        }
        Err(_) => return Err((400, "malformed HTTP request")),
    };
    let method = request.method.expect("a complete head has a method");
    let target = request.path.expect("a complete head has a path");
    let mut keep_alive = request.version == Some(1);
    let mut has_body = false;
    for header in request.headers {
        if header.name.eq_ignore_ascii_case("connection") {
            keep_alive = match header.value {
                value if value.eq_ignore_ascii_case(b"close") => false,
                value if value.eq_ignore_ascii_case(b"keep-alive") => true,
                _ => keep_alive,
            };
        }
        has_body |= header.name.eq_ignore_ascii_case("transfer-encoding")
            || (header.name.eq_ignore_ascii_case("content-length") && header.value != b"0");
    }
    Ok(Some(Head { request: HttpRequest::new(method, target), keep_alive, has_body, length }))
}

/// Asks the handler, and waits for its answer.
async fn answer(handler: &impl Handler, request: HttpRequest) -> HttpResponse {
    let waker = ConnectionWaker::new();
    let outbox = Outbox::new(waker.clone());
    let key = ExchangeKey { slot: 0, generation: 0 };
    handler.http(request, HttpReply::new(Rc::clone(&outbox), key));
    let mut answers = Vec::new();
    poll_fn(|cx| {
        waker.begin(cx.waker());
        outbox.take(&mut answers);
        let answer = answers.pop();
        waker.take();
        waker.end();
        match answer {
            Some((_, Answer::Http(response))) => Poll::Ready(response),
            Some(_) => unreachable!("an HTTP reply gives an HTTP answer"),
            None => Poll::Pending,
        }
    })
    .await
}

fn write<T>(io: &Io<T>, method: &str, response: &HttpResponse, keep_alive: bool)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let status = http::StatusCode::from_u16(response.status).expect("handlers answer with statuses of HTTP");
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or(""),
        response.content_type,
        response.body.len(),
    );
    io.gather(head.as_bytes());
    if method != "HEAD" {
        io.gather(&response.body);
    }
}

async fn close<T, H>(io: &Io<T>, environment: &Environment<H>) -> Result<(), ConnectionError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let closed = within(environment, environment.limits.http1_idle_timeout, |cx| io.poll_close(cx)).await?;
    report(io, environment);
    Ok(closed?)
}

fn report<T, H>(io: &Io<T>, environment: &Environment<H>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (received, sent) = io.take_transferred();
    environment.meter.transferred(received, sent);
}

/// Polls until ready, or gives the client up.
async fn within<H, R>(
    environment: &Environment<H>,
    patience: Duration,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
) -> Result<R, ConnectionError> {
    let mut timeout = environment.timer.sleep(patience);
    poll_fn(|cx| {
        if let Poll::Ready(done) = poll(cx) {
            return Poll::Ready(Ok(done));
        }
        timeout.as_mut().poll(cx).map(|()| Err(ConnectionError::Silent(patience)))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        parse(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn heads_are_read_with_their_meaning() {
        let text = "GET /health?serializable=true HTTP/1.1\r\nHost: x\r\n\r\nrest";
        let found = head(text);
        assert_eq!((found.request.path.as_str(), found.request.query.as_str()), ("/health", "serializable=true"));
        assert_eq!((found.keep_alive, found.has_body, found.length), (true, false, text.len() - 4));
        assert!(!head("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").keep_alive);
        assert!(!head("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(head("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n").keep_alive);
        assert!(head("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").has_body);
        assert!(head("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").has_body);
        assert!(!head("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").has_body);
    }

    #[test]
    fn heads_are_bounded() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHo"), Ok(None));
        let long = format!("GET / HTTP/1.1\r\nCookie: {}", "x".repeat(HTTP1_HEAD_MAX_BYTES));
        assert_eq!(parse(long.as_bytes()).unwrap_err().0, 431);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HTTP1_HEADERS_MAX + 1));
        assert_eq!(parse(many.as_bytes()).unwrap_err().0, 431);
        assert_eq!(parse(b"\x00\x01\x02\r\n\r\n").unwrap_err().0, 400);
    }
}
