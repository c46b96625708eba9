//! The first bytes of a client's connection, and all that follow: HTTP/2 with gRPC in it, or HTTP/1.1. Whatever comes, the
//! connection ends when the client is gone, and every message is answered.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use campanile_rpc::{
    Call, Code, Environment, Handler, HttpReply, HttpRequest, HttpResponse, Kind, Limits, Message, Meter, Method, Peer,
    Reply, Shutdown, Status, StreamHandle, StreamHandler, Timer, UnknownMethod, serve_connection,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// What either side of the connection may have under way.
const PIPE_BYTES: usize = 1 << 20;
/// Polls after which a connection that its client has left must be over.
const POLLS_MAX: usize = 10_000;

static METHODS: [Method; 2] = [
    Method { service: "etcdserverpb.KV", name: "Range", kind: Kind::Unary, index: 0 },
    Method { service: "etcdserverpb.Watch", name: "Watch", kind: Kind::BidirectionalStream, index: 1 },
];

/// Answers every message with itself.
struct Echo;

/// Sends every message back, until it is finished.
struct EchoStream(Option<StreamHandle>);

impl Handler for Echo {
    fn route(&self, service: &str, _: &str) -> Result<&'static Method, UnknownMethod> {
        METHODS.iter().find(|method| method.service == service).ok_or(UnknownMethod::Service)
    }

    fn unary(&self, _: Call, message: Bytes, reply: Reply) {
        reply.ok(Message::from(message));
    }

    fn stream(&self, _: Call, stream: StreamHandle) -> Box<dyn StreamHandler> {
        Box::new(EchoStream(Some(stream)))
    }

    fn http(&self, _: HttpRequest, reply: HttpReply) {
        reply.send(HttpResponse::text(200, "well"));
    }
}

impl StreamHandler for EchoStream {
    fn on_message(&mut self, message: Bytes) {
        if let Some(stream) = &self.0 {
            let _ = stream.send(Message::from(message));
        }
    }

    fn on_half_close(&mut self) {
        if let Some(stream) = self.0.take() {
            stream.finish(Status::new(Code::Ok, ""));
        }
    }

    fn on_cancel(&mut self) {}
}

/// A clock that stands still.
struct Still(Instant);

impl Timer for Still {
    fn now(&self) -> Instant {
        self.0
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(std::future::pending())
    }
}

struct Uncounted;

impl Meter for Uncounted {}

pub fn run(input: &[u8]) {
    let (mut client, server) = duplex(PIPE_BYTES);
    let environment = Environment {
        handler: Rc::new(Echo),
        timer: Rc::new(Still(Instant::now())),
        meter: Rc::new(Uncounted),
        limits: Rc::new(Limits::default()),
        shutdown: Shutdown::default(),
    };
    let mut serving = pin!(serve_connection(server, Peer { address: String::new() }, environment));
    let mut asking = pin!(async move {
        let _ = client.write_all(input).await;
        let _ = client.shutdown().await;
        let mut answer = [0; 4_096];
        while client.read(&mut answer).await.is_ok_and(|count| count > 0) {}
    });
    let mut context = Context::from_waker(Waker::noop());
    let mut has_asked = false;
    for _ in 0..POLLS_MAX {
        has_asked = has_asked || asking.as_mut().poll(&mut context).is_ready();
        if serving.as_mut().poll(&mut context).is_ready() {
            return;
        }
    }
    panic!("a connection that its client has left does not end");
}
