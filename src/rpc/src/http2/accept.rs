//! A request's head becomes an exchange, or is answered with what is wrong with it, in grpc-go's words.

use std::rc::Rc;
use std::time::Duration;

use h2::RecvStream;
use h2::server::SendResponse;
use http::header::CONTENT_TYPE;
use http::{Method as HttpMethod, Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::exchange::{Exchange, Incoming, Outgoing, Role};
use super::headers;
use crate::call::{Call, Kind, Metadata, Method, UnknownMethod};
use crate::handler::Handler;
use crate::outbox::StreamQueue;
use crate::plain::{HttpReply, HttpRequest};
use crate::reply::StreamHandle;
use crate::segment::Segment;
use crate::serve::earliest;
use crate::status::{Code, Status};
use crate::timeout;

/// What a request's head asks for.
enum Asked {
    Grpc(&'static Method, Option<Duration>),
    Plain,
}

/// Why it is refused, and with which status of HTTP.
struct Refusal {
    http: StatusCode,
    status: Status,
}

impl Refusal {
    fn new(http: StatusCode, code: Code, text: String) -> Refusal {
        Refusal { http, status: Status::new(code, text) }
    }
}

impl<T, H> Connection<T, H>
where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    pub(super) fn accept(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Segment>) {
        self.last_stream = respond.stream_id().as_u32();
        match asked(&*self.environment.handler, &request) {
            Ok(Asked::Grpc(method, timeout)) => self.accept_call(method, timeout, request, respond),
            Ok(Asked::Plain) => self.accept_plain(&request, respond),
            Err(refusal) => {
                self.outbox.queued.note_written();
                // An error means that the client reset the stream: it wants no answer.
                let _ = respond.send_response(headers::trailers_only(refusal.http, &refusal.status), true);
            }
        }
    }

    fn accept_call(
        &mut self,
        method: &'static Method,
        timeout: Option<Duration>,
        request: Request<RecvStream>,
        respond: SendResponse<Segment>,
    ) {
        self.environment.meter.started(method);
        let (head, body) = request.into_parts();
        let deadline = timeout.and_then(|timeout| self.now.checked_add(timeout));
        self.next_deadline = earliest(self.next_deadline, deadline);
        let metadata = Metadata::new(head.headers);
        let call = Call { method, metadata, deadline, peer: Rc::clone(&self.peer) };
        let key = self.next_key();
        let role = match method.kind {
            Kind::Unary => Role::UnaryArriving(call),
            Kind::ClientStream | Kind::ServerStream | Kind::BidirectionalStream => {
                let queue = StreamQueue::new(self.environment.limits.stream_queue_max_bytes);
                let handle = StreamHandle::new(Rc::clone(&self.outbox), key, Rc::clone(&queue));
                Role::Stream { handler: self.environment.handler.stream(call, handle), queue }
            }
        };
        let watched = matches!(role, Role::Stream { .. });
        let incoming = Incoming::new(body, self.environment.limits.message_max_bytes);
        self.exchanges.insert(Exchange {
            generation: key.generation,
            incoming: Some(incoming),
            outgoing: Outgoing::Fresh(respond),
            role,
            method: Some(method),
            started: self.now,
            deadline,
        });
        if watched {
            self.see_to_stream(key);
        } else {
            self.receive(key);
        }
    }

    fn accept_plain(&mut self, request: &Request<RecvStream>, respond: SendResponse<Segment>) {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let request_line = HttpRequest::new(request.method().as_str(), target);
        let key = self.next_key();
        let role = Role::Plain { head_only: request.method() == HttpMethod::HEAD };
        self.exchanges.insert(Exchange {
            generation: key.generation,
            incoming: None,
            outgoing: Outgoing::Fresh(respond),
            role,
            method: None,
            started: self.now,
            deadline: None,
        });
        self.environment.handler.http(request_line, HttpReply::new(Rc::clone(&self.outbox), key));
    }
}

fn asked(handler: &impl Handler, request: &Request<RecvStream>) -> Result<Asked, Refusal> {
    let content_type = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if !content_type.is_some_and(headers::is_grpc) {
        if matches!(*request.method(), HttpMethod::GET | HttpMethod::HEAD) {
            return Ok(Asked::Plain);
        }
        let content_type = String::from_utf8_lossy(content_type.unwrap_or_default());
        let text = format!("invalid gRPC request content-type {content_type:?}");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, text));
    }
    if request.method() != HttpMethod::POST {
        let text =
            format!("Received a HEADERS frame with :method {:?} which should be POST", request.method().as_str());
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::Internal, text));
    }
    let timeout = match request.headers().get("grpc-timeout") {
        Some(header) => Some(timeout::parse(header.as_bytes()).ok_or_else(|| {
            let text = format!("malformed grpc-timeout: {:?}", String::from_utf8_lossy(header.as_bytes()));
            Refusal::new(StatusCode::BAD_REQUEST, Code::Internal, text)
        })?),
        None => None,
    };
    if let Some(encoding) = request.headers().get("grpc-encoding").filter(|encoding| *encoding != "identity") {
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        let text = format!("grpc: Decompressor is not installed for grpc-encoding {encoding:?}");
        return Err(Refusal::new(StatusCode::OK, Code::Unimplemented, text));
    }
    let method =
        route(handler, request.uri().path()).map_err(|text| Refusal::new(StatusCode::OK, Code::Unimplemented, text))?;
    Ok(Asked::Grpc(method, timeout))
}

fn route(handler: &impl Handler, path: &str) -> Result<&'static Method, String> {
    let Some((service, method)) = path.strip_prefix('/').and_then(|path| path.rsplit_once('/')) else {
        return Err(format!("malformed method name: {path:?}"));
    };
    handler.route(service, method).map_err(|unknown| match unknown {
        UnknownMethod::Service => format!("unknown service {service}"),
        UnknownMethod::Method => format!("unknown method {method} for service {service}"),
    })
}
