//! Whole connections in memory: h2's own client at one end, the front end at the other, a clock that tests move.

mod batches;
mod http1;
mod lifecycle;
mod limits;
mod streams;
mod unary;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use bytes::Bytes;
use futures_lite::future::{self, poll_fn};
use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use crate::{
    Call, Code, ConnectionError, Environment, Flow, Handler, HttpReply, HttpRequest, HttpResponse, Kind, Limits, Meter,
    Method, Peer, Reply, Shutdown, Status, StreamHandle, StreamHandler, Timer, UnknownMethod, serve_connection,
};

const SERVICE: &str = "test.Service";

const fn method(name: &'static str, kind: Kind, index: usize) -> Method {
    Method { service: SERVICE, name, kind, index }
}

static METHODS: [Method; 5] = [
    method("Echo", Kind::Unary, 0),
    method("Hold", Kind::Unary, 1),
    method("Drop", Kind::Unary, 2),
    method("EchoStream", Kind::BidirectionalStream, 3),
    method("HoldStream", Kind::BidirectionalStream, 4),
];

/// A clock that stands still until it is moved.
struct ManualTimer {
    now: Cell<Instant>,
    sleepers: RefCell<Vec<Waker>>,
}

impl ManualTimer {
    fn advance(&self, duration: Duration) {
        self.now.set(self.now.get() + duration);
        self.sleepers.take().into_iter().for_each(Waker::wake);
    }
}

struct SharedTimer(Rc<ManualTimer>);

impl Timer for SharedTimer {
    fn now(&self) -> Instant {
        self.0.now.get()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()>>> {
        let timer = Rc::clone(&self.0);
        let until = timer.now.get() + duration;
        Box::pin(poll_fn(move |cx| {
            if timer.now.get() >= until {
                return Poll::Ready(());
            }
            timer.sleepers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        }))
    }
}

/// Counts by method name and code.
#[derive(Default)]
struct Counts {
    started: Cell<usize>,
    handled: RefCell<HashMap<(&'static str, Code), usize>>,
    received_bytes: Cell<u64>,
}

impl Meter for Counts {
    fn started(&self, _: &'static Method) {
        self.started.set(self.started.get() + 1);
    }

    fn handled(&self, method: &'static Method, code: Code, _: Duration) {
        *self.handled.borrow_mut().entry((method.name, code)).or_default() += 1;
    }

    fn transferred(&self, received: u64, _: u64) {
        self.received_bytes.set(self.received_bytes.get() + received);
    }
}

/// What tests see of the handler's side.
#[derive(Default)]
struct Seen {
    /// Unary calls that were not answered.
    held: RefCell<Vec<(Call, Bytes, Reply)>>,
    streams: RefCell<Vec<StreamHandle>>,
    half_closed: Cell<usize>,
    cancelled: Cell<usize>,
    ready: Cell<usize>,
    messages: Cell<usize>,
    /// Messages that streams take before they stop accepting.
    accepted_max: Cell<usize>,
}

struct TestHandler {
    seen: Rc<Seen>,
}

impl Handler for TestHandler {
    fn route(&self, service: &str, method: &str) -> Result<&'static Method, UnknownMethod> {
        if service != SERVICE {
            return Err(UnknownMethod::Service);
        }
        METHODS.iter().find(|known| known.name == method).ok_or(UnknownMethod::Method)
    }

    fn unary(&self, call: Call, message: Bytes, reply: Reply) {
        match call.method.name {
            "Echo" if &message[..] == b"fail" => reply.error(Status::new(Code::NotFound, "100 % gone\n")),
            "Echo" => reply.ok(vec![message.slice(..message.len() / 2), message.slice(message.len() / 2..)]),
            "Hold" => self.seen.held.borrow_mut().push((call, message, reply)),
            _ => drop(reply),
        }
    }

    fn stream(&self, call: Call, stream: StreamHandle) -> Box<dyn StreamHandler> {
        let seen = Rc::clone(&self.seen);
        if call.method.name == "EchoStream" {
            return Box::new(TestStream { seen, echo: Some(stream) });
        }
        seen.streams.borrow_mut().push(stream);
        Box::new(TestStream { seen, echo: None })
    }

    fn http(&self, request: HttpRequest, reply: HttpReply) {
        match request.path.as_str() {
            "/health" => reply.send(HttpResponse::new(200, "application/json", r#"{"health":"true"}"#)),
            "/drop" => drop(reply),
            path => reply.send(HttpResponse::text(404, format!("no {path}, {:?} either\n", request.query))),
        }
    }
}

struct TestStream {
    seen: Rc<Seen>,
    echo: Option<StreamHandle>,
}

impl StreamHandler for TestStream {
    fn on_message(&mut self, message: Bytes) {
        self.seen.messages.set(self.seen.messages.get() + 1);
        if let Some(stream) = &self.echo {
            stream.send(message);
        }
    }

    fn is_accepting(&self) -> bool {
        self.seen.messages.get() < self.seen.accepted_max.get()
    }

    fn on_half_close(&mut self) {
        self.seen.half_closed.set(self.seen.half_closed.get() + 1);
        if let Some(stream) = self.echo.take() {
            stream.finish(Status::OK);
        }
    }

    fn on_cancel(&mut self) {
        self.seen.cancelled.set(self.seen.cancelled.get() + 1);
    }

    fn on_ready(&mut self) {
        self.seen.ready.set(self.seen.ready.get() + 1);
    }
}

/// One server and its surroundings.
struct World {
    executor: Rc<LocalExecutor<'static>>,
    seen: Rc<Seen>,
    timer: Rc<ManualTimer>,
    counts: Rc<Counts>,
    environment: Environment<TestHandler>,
    ended: Rc<RefCell<Option<Result<(), ConnectionError>>>>,
}

impl World {
    fn new(limits: Limits) -> World {
        let timer = Rc::new(ManualTimer { now: Cell::new(Instant::now()), sleepers: RefCell::default() });
        let (seen, counts) = (Rc::<Seen>::default(), Rc::<Counts>::default());
        seen.accepted_max.set(usize::MAX);
        let environment = Environment {
            handler: Rc::new(TestHandler { seen: Rc::clone(&seen) }),
            timer: Rc::new(SharedTimer(Rc::clone(&timer))),
            meter: Rc::clone(&counts) as Rc<dyn Meter>,
            limits: Rc::new(limits),
            shutdown: Shutdown::default(),
        };
        World { executor: Rc::default(), seen, timer, counts, environment, ended: Rc::default() }
    }

    /// Opens a connection whose pipe holds `pipe_bytes` in each direction.
    fn connect(&self, pipe_bytes: usize) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(pipe_bytes);
        self.serve(theirs);
        ours
    }

    /// Serves one end of a pipe.
    fn serve(&self, theirs: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let served = serve_connection(theirs, Peer { address: "test".to_owned() }, self.environment.clone());
        let ended = Rc::clone(&self.ended);
        self.executor.spawn(async move { *ended.borrow_mut() = Some(served.await) }).detach();
    }

    /// The same, with h2's client on our end. Its windows are as large as those of tonic: h2 gives a connection up that
    /// brings more small frames at once than half its window allows for.
    async fn client(&self) -> Client {
        let mut builder = h2::client::Builder::new();
        self.client_of(builder.initial_window_size(1 << 20).initial_connection_window_size(5 << 20)).await
    }

    async fn client_of(&self, builder: &h2::client::Builder) -> Client {
        let (send, connection) = builder.handshake(self.connect(64 << 10)).await.expect("the client shakes hands");
        self.executor.spawn(async { drop(connection.await) }).detach();
        Client { send }
    }

    /// Lets everything run until nothing moves.
    async fn settle(&self) {
        for _ in 0..200 {
            future::yield_now().await;
        }
    }
}

/// Runs `test` with a world of its own.
fn in_world<F: Future<Output = ()>>(limits: Limits, test: impl FnOnce(Rc<World>) -> F) {
    let world = Rc::new(World::new(limits));
    let executor = Rc::clone(&world.executor);
    future::block_on(executor.run(test(world)));
}

#[derive(Clone)]
struct Client {
    send: SendRequest<Bytes>,
}

/// What came back.
#[derive(Debug, PartialEq)]
struct Answer {
    http_status: u16,
    body: Bytes,
    code: Option<String>,
    text: Option<String>,
    headers: HeaderMap,
}

impl Answer {
    fn code(&self) -> &str {
        self.code.as_deref().unwrap_or("none")
    }

    fn text(&self) -> &str {
        self.text.as_deref().unwrap_or("none")
    }
}

fn framed(message: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.into()
}

fn request(name: &str, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::post(format!("http://test/{SERVICE}/{name}")).header("te", "trailers");
    if !fields.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request of tests is well-formed")
}

async fn read_all(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let (head, mut body) = response.await?.into_parts();
    let mut all = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        all.extend_from_slice(&chunk);
    }
    let trailers = body.trailers().await?;
    let field = |name: &str| {
        let value = trailers.as_ref().and_then(|fields| fields.get(name)).or(head.headers.get(name));
        value.map(|value| value.to_str().expect("fields are ASCII").to_owned())
    };
    let (code, text) = (field("grpc-status"), field("grpc-message"));
    Ok(Answer { http_status: head.status.as_u16(), body: all.into(), code, text, headers: head.headers })
}

impl Client {
    /// Sends a whole request; the answer may come later.
    async fn begin(&mut self, request: Request<()>, body: Bytes) -> ResponseFuture {
        let mut send = self.send.clone().ready().await.expect("the server takes requests");
        let (response, mut stream) = send.send_request(request, false).expect("a request is sent");
        stream.send_data(body, true).expect("a body is sent");
        response
    }

    async fn call(&mut self, name: &str, message: &[u8]) -> Answer {
        let response = self.begin(request(name, &[]), framed(message)).await;
        read_all(response).await.expect("an answer comes")
    }

    async fn open(&mut self, name: &str) -> (ResponseFuture, h2::SendStream<Bytes>) {
        let mut send = self.send.clone().ready().await.expect("the server takes requests");
        send.send_request(request(name, &[]), false).expect("a request is sent")
    }
}

/// Reads `count` bytes of a body.
async fn read_some(body: &mut RecvStream, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let chunk = body.data().await.expect("more comes").expect("the stream goes on");
        body.flow_control().release_capacity(chunk.len()).expect("it was received");
        all.extend_from_slice(&chunk);
    }
    all
}
