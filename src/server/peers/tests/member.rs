//! One member on a thread and an executor of its own.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use campanile_config::{MetricsDetail, Url};
use campanile_core::peer::PeerMessage;
use campanile_storage::ids::MemberId;
use glommio::net::TcpListener;
use glommio::timer::Timer;
use glommio::{LocalExecutorBuilder, Placement, Task};

use super::{CLUSTER, PATIENCE, Snapshot, question};
use crate::metrics::{self, Registry};
use crate::peers::{
    Acceptor, Answer, Complaints, Identity, Incoming, Options, Peers, RelayError, RelayRequest, RelayStatus, Remote,
    serve_peer,
};

/// What a request asks of the member that it is sent on to.
pub const ECHO: u32 = 0;
/// Never answered, while the member runs.
pub const HOLD: u32 = 1;
pub const REFUSE: u32 = 2;
/// Given up without an answer.
pub const DROP: u32 = 3;
/// Answered with so many bytes as the message says.
pub const LARGE: u32 = 4;

type Command = Box<dyn FnOnce(&Rc<Peers>) + Send>;

/// How a member is started.
#[derive(Clone)]
pub struct Plan {
    pub identity: Identity,
    /// 0 takes any.
    pub port: u16,
    pub known: Vec<MemberId>,
    pub remotes: Vec<(MemberId, u16)>,
    pub silence_max: Duration,
    /// Whether it says something to every remote all the time.
    pub chatters: bool,
}

impl Plan {
    pub fn new(member: MemberId, remotes: &[(MemberId, u16)]) -> Plan {
        Plan {
            identity: Identity { cluster_id: CLUSTER, member },
            port: 0,
            known: vec![super::A, super::B],
            remotes: remotes.to_vec(),
            silence_max: PATIENCE,
            chatters: false,
        }
    }
}

/// What happened on a member.
#[derive(Debug)]
pub enum Event {
    Message(MemberId, PeerMessage),
    Request(MemberId, RelayRequest),
    Answered(u64, Result<Bytes, RelayError>),
}

pub struct Member {
    pub port: u16,
    registry: Arc<Registry>,
    events: Receiver<Event>,
    events_sender: Sender<Event>,
    commands: Option<Sender<Command>>,
    log: Log,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    pub fn start(plan: Plan) -> Member {
        let identity =
            metrics::Identity { member_id: plan.identity.member.0, quota_bytes: None, detail: MetricsDetail::Basic };
        let registry = Registry::new(identity, 1, &[]);
        let (commands, inbox) = channel();
        let (events_sender, events) = channel();
        let (port_sender, port) = channel();
        let log = Log::default();
        let thread = {
            let (registry, log, events) = (Arc::clone(&registry), log.clone(), events_sender.clone());
            std::thread::spawn(move || {
                let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
                let _guard = tracing::subscriber::set_default(subscriber);
                let builder = LocalExecutorBuilder::new(Placement::Unbound).io_memory(64 << 10);
                builder.make().unwrap().run(live(plan, registry, events, port_sender, inbox));
            })
        };
        let port = port.recv_timeout(PATIENCE).expect("the member listens");
        Member { port, registry, events, events_sender, commands: Some(commands), log, thread: Some(thread) }
    }

    /// Runs something on the member's executor.
    pub fn run(&self, command: impl FnOnce(&Rc<Peers>) + Send + 'static) {
        self.commands.as_ref().expect("it runs").send(Box::new(command)).expect("it runs");
    }

    pub fn send(&self, to: MemberId, messages: impl IntoIterator<Item = PeerMessage>) {
        let messages: Vec<PeerMessage> = messages.into_iter().collect();
        self.run(move |peers| messages.iter().for_each(|message| peers.send(to, message)));
    }

    /// Sends a request on; its answer comes as an event of that name.
    pub fn relay(&self, to: MemberId, name: u64, request: RelayRequest) {
        let events = self.events_sender.clone();
        self.run(move |peers| {
            peers.relay(to, request, move |result| {
                let _ = events.send(Event::Answered(name, result));
            });
        });
    }

    pub fn stats(&self) -> Snapshot {
        let (sender, stats) = channel();
        self.run(move |peers| sender.send(peers.connections[0].snapshot()).expect("the test waits"));
        stats.recv_timeout(PATIENCE).expect("the member answers")
    }

    pub fn wait_for_stats(&self, what: &str, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let start = Instant::now();
        loop {
            let stats = self.stats();
            if holds(&stats) {
                return stats;
            }
            assert!(start.elapsed() < PATIENCE, "{what}: {stats:?}");
        }
    }

    /// Waits until a scrape holds the text.
    pub fn wait_for_metric(&self, text: &str) {
        let start = Instant::now();
        while !self.registry.render().contains(text) {
            assert!(start.elapsed() < PATIENCE, "{text} is not in\n{}", self.registry.render());
        }
    }

    pub fn event(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("something happens")
    }

    /// The next message that is no chatter.
    pub fn message(&self) -> (MemberId, PeerMessage) {
        loop {
            match self.event() {
                Event::Message(_, message) if message == question(u64::MAX) => {}
                Event::Message(from, message) => return (from, message),
                other => panic!("a message was expected: {other:?}"),
            }
        }
    }

    pub fn answer(&self) -> (u64, Result<Bytes, RelayError>) {
        match self.event() {
            Event::Answered(name, result) => (name, result),
            other => panic!("an answer was expected: {other:?}"),
        }
    }

    pub fn request(&self) -> RelayRequest {
        match self.event() {
            Event::Request(from, request) => {
                assert_eq!(from, super::A);
                request
            }
            other => panic!("a request was expected: {other:?}"),
        }
    }

    /// Waits for a line of the log that holds the text.
    pub fn wait_for_log(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(line) = self.log_lines(text).pop() {
                return line;
            }
            assert!(start.elapsed() < PATIENCE, "{text:?} is not in the log:\n{}", self.log_lines("").join("\n"));
            std::thread::yield_now();
        }
    }

    /// The lines of the log that hold the text.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        let log = self.log.0.lock().unwrap();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    /// Ends it; connections are closed when this returns.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(std::thread::panicking() || joined.is_ok(), "the member's thread panicked");
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end();
    }
}

async fn live(
    plan: Plan,
    registry: Arc<Registry>,
    events: Sender<Event>,
    port: Sender<u16>,
    commands: Receiver<Command>,
) {
    let metrics = Rc::new(registry.claim(0));
    let complaints = Complaints::default();
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], plan.port))).unwrap();
    port.send(listener.local_addr().unwrap().port()).unwrap();
    let remote = |&(id, port): &(MemberId, u16)| Remote { id, urls: vec![Url::new("127.0.0.1", port)] };
    let options = Options {
        heartbeat: Duration::from_millis(10),
        silence_max: plan.silence_max,
        seed: 7,
        metrics: Rc::clone(&metrics),
        complaints: complaints.clone(),
    };
    let peers = Peers::new(plan.identity, plan.remotes.iter().map(remote).collect(), &options);
    let incoming = Rc::new(Script { events, held: RefCell::default() });
    let acceptor =
        Rc::new(Acceptor { identity: plan.identity, known: plan.known.clone(), incoming, metrics, complaints });
    let connections: Rc<RefCell<Vec<Task<()>>>> = Rc::default();
    let accepting = {
        let connections = Rc::clone(&connections);
        glommio::spawn_local(async move {
            loop {
                let stream = listener.accept().await.unwrap();
                connections.borrow_mut().push(glommio::spawn_local(serve_peer(stream, Rc::clone(&acceptor))));
            }
        })
    };
    loop {
        match commands.try_recv() {
            Ok(command) => command(&peers),
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                Timer::new(Duration::from_millis(1)).await;
                if plan.chatters {
                    plan.remotes.iter().for_each(|(id, _)| peers.send(*id, &question(u64::MAX)));
                }
            }
        }
    }
    accepting.cancel().await;
    let open = connections.take();
    for connection in open {
        connection.cancel().await;
    }
}

/// Does what a request's method says.
struct Script {
    events: Sender<Event>,
    held: RefCell<Vec<Answer>>,
}

impl Incoming for Script {
    fn peer(&self, from: MemberId, message: PeerMessage) {
        let _ = self.events.send(Event::Message(from, message));
    }

    fn relayed(&self, from: MemberId, request: RelayRequest, answer: Answer) {
        let _ = self.events.send(Event::Request(from, request.clone()));
        match request.method {
            ECHO => answer(Ok(request.message)),
            HOLD => self.held.borrow_mut().push(answer),
            REFUSE => answer(Err(RelayStatus { code: 9, text: "etcdserver: no".to_owned() })),
            LARGE => {
                let bytes = u64::from_le_bytes(request.message[..].try_into().unwrap());
                answer(Ok((0..bytes).map(|place| (place % 251) as u8).collect()));
            }
            _ => drop(answer),
        }
    }
}

/// What a member logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
