//! One executor: a pinned thread that puts core, log, messages and sockets together, serves, and takes them down again.

use super::checkpoints::Checkpoints;
use super::driver::{Driver, Parts};
use super::journal::{Durable, Journal};
use super::listener::{Dealer, Dealing, Hand, Purpose};
use super::mesh::{Ends, Mesh};
use super::recovery::Inheritance;
use super::sockets::{Socket, Timers};
use super::time::Clock;
use crate::metrics::{Metrics, Registry};
use crate::peers::{self, Acceptor, Complaints, Identity, Peers, Remote, serve_peer};
use crate::rpc::{Services, Settings};
use crate::start::logging;
use campanile_core::executor::effect::Input;
use campanile_core::executor::{Config, Executor, Start};
use campanile_rpc::{Environment, Limits, Meter, Peer, Shutdown, serve_connection};
use campanile_storage::disk::uring::UringDisk;
use campanile_storage::log::{Log, Options};
use glommio::net::TcpStream;
use glommio::{LocalExecutorBuilder, Placement};
use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Everything that one executor is made of; it travels to the executor's thread.
pub struct Plan {
    pub core: Config,
    pub inheritance: Inheritance,
    pub start: Start,
    pub ends: Ends,
    pub connections: Connections,
    pub shared: Arc<Shared>,
    pub clock: Clock,
    pub cpu: Option<usize>,
}

/// Where an executor's connections come from.
pub enum Connections {
    /// The control executor listens, and deals them out.
    Deal {
        dealer: Dealer,
        addresses: Vec<(SocketAddr, Purpose)>,
    },
    Take(Hand),
}

/// What all executors of the member know.
pub struct Shared {
    pub data_directory: PathBuf,
    pub log_options: Options,
    pub io_memory_bytes: usize,
    pub spin: Duration,
    pub heartbeat_interval: Duration,
    pub identity: Identity,
    pub remotes: Vec<Remote>,
    pub election_timeout: Duration,
    pub complaints: Complaints,
    pub rpc_limits: Limits,
    pub services: Settings,
    pub registry: Arc<Registry>,
    pub quota_bytes: u64,
    pub seed: u64,
    /// Set when the member is to stop.
    pub stop: AtomicBool,
    /// Executors whose connections have not ended yet. As long as there is one, all work on: its requests may be theirs.
    pub serving: AtomicUsize,
    /// Called once, when the member listens.
    pub listening: Box<dyn Fn() + Send + Sync>,
}

/// How long connections get to end by themselves when the member stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How often a draining executor looks whether its connections have ended.
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// Starts an executor's thread. It ends when the member stops.
///
/// # Errors
/// If the thread or its rings cannot be made.
pub fn spawn(plan: Plan) -> Result<glommio::ExecutorJoinHandle<()>, glommio::GlommioError<()>> {
    let placement = plan.cpu.map_or(Placement::Unbound, Placement::Fixed);
    let mut builder = LocalExecutorBuilder::new(placement)
        .name(&format!("campanile-{}", plan.core.executor))
        .io_memory(plan.shared.io_memory_bytes);
    if !plan.shared.spin.is_zero() {
        builder = builder.spin_before_park(plan.shared.spin);
    }
    builder.spawn(move || async move { run(plan).await })
}

async fn run(plan: Plan) {
    let Plan { core, inheritance, start, ends, connections, shared, clock, .. } = plan;
    let executor = core.executor;
    let stop = |what: &str, error: &dyn std::fmt::Display| -> ! {
        logging::fatal(&format!("executor {executor}: {what}: {error}"));
        std::process::exit(1);
    };
    let disk = match UringDisk::new(&shared.data_directory).await {
        Ok(disk) => disk,
        Err(error) => stop("cannot use the data directory", &error),
    };
    let checkpoints = inheritance
        .kept
        .map(|kept| Checkpoints::new(disk, shared.data_directory.clone(), shared.identity.cluster_id, kept));
    let log = match Log::open(disk, inheritance.log, shared.log_options).await {
        Ok(log) => Rc::new(log),
        Err(error) => stop("cannot open the log", &error),
    };
    let journal = Journal::new(Rc::clone(&log), inheritance.cursors);
    let metrics = Rc::new(shared.registry.claim(usize::from(executor)));
    let peers = Peers::new(shared.identity, shared.remotes.clone(), &peer_options(&shared, executor, &metrics));
    let core = Executor::new(core, start, clock.now());
    let driver = Driver::new(
        core,
        Parts {
            clock,
            peers,
            journal: Rc::clone(&journal),
            checkpoints: checkpoints.clone(),
            registry: Arc::clone(&shared.registry),
            metrics: Rc::clone(&metrics),
            quota_bytes: shared.quota_bytes,
        },
    );
    let services = Services::new(Rc::clone(&driver) as Rc<dyn crate::rpc::Executor>, &shared.services);
    driver.serve(Rc::clone(&services));
    let mesh = {
        let driver = Rc::clone(&driver);
        Mesh::join(ends, move |from, message| driver.input(Input::Message { from, message })).await
    };
    driver.join(mesh);

    spawn_rounds(&driver, executor);
    spawn_journal(&driver, &journal, executor);
    if let Some(checkpoints) = checkpoints {
        spawn_checkpoints(&driver, checkpoints);
    }
    spawn_maintenance(&log, executor);
    spawn_ticks(&driver, &shared);
    driver.tick();

    let front = Front {
        environment: Environment {
            handler: services,
            timer: Rc::new(Timers),
            meter: Rc::clone(&metrics) as Rc<dyn Meter>,
            limits: Rc::new(shared.rpc_limits.clone()),
            shutdown: Shutdown::default(),
        },
        acceptor: Rc::new(Acceptor {
            identity: shared.identity,
            known: shared.remotes.iter().map(|remote| remote.id).collect(),
            incoming: driver,
            metrics: Rc::clone(&metrics),
            complaints: shared.complaints.clone(),
        }),
        metrics,
        open: Rc::new(Cell::new(0)),
    };
    let dealing = front.accept(connections, &shared).await;
    while !shared.stop.load(Ordering::Relaxed) {
        glommio::timer::sleep(shared.heartbeat_interval).await;
    }
    if let Some(dealing) = dealing {
        dealing.end();
    }
    front.drain(&shared.serving).await;
}

fn peer_options(shared: &Shared, executor: u16, metrics: &Rc<Metrics>) -> peers::Options {
    peers::Options {
        heartbeat: shared.heartbeat_interval,
        silence_max: shared.election_timeout * 3 / 2,
        // Executors of one member must not knock at the same moment.
        seed: shared.seed ^ u64::from(executor) << 48,
        metrics: Rc::clone(metrics),
        complaints: shared.complaints.clone(),
    }
}

/// Takes what the core wants done, round after round.
fn spawn_rounds(driver: &Rc<Driver>, executor: u16) {
    let driver = Rc::clone(driver);
    glommio::spawn_local(async move {
        if let Err(error) = driver.run().await {
            logging::fatal(&format!("executor {executor}: the log is damaged: {error}"));
            std::process::exit(1);
        }
    })
    .detach();
}

fn spawn_journal(driver: &Rc<Driver>, journal: &Rc<Journal<UringDisk>>, executor: u16) {
    glommio::spawn_local(Rc::clone(journal).run_release()).detach();
    let (driver, journal) = (Rc::clone(driver), Rc::clone(journal));
    glommio::spawn_local(async move {
        let durable = |durable: Durable| {
            let metrics = Driver::metrics(&driver);
            metrics.wal_sync.observe(durable.took);
            metrics.wal_write_bytes.add(i64::try_from(durable.bytes).expect("a batch fits into memory"));
            driver.input(Input::Persisted { batch: durable.batch });
        };
        if let Err(error) = journal.run(durable).await {
            logging::fatal(&format!(
                "executor {executor}: the log cannot be written: {error}; nothing is acknowledged any more, the \
                 member stops"
            ));
            std::process::exit(1);
        }
    })
    .detach();
}

/// Writes checkpoints as the core says.
fn spawn_checkpoints(driver: &Rc<Driver>, checkpoints: Rc<Checkpoints<UringDisk>>) {
    let driver = Rc::clone(driver);
    glommio::spawn_local(checkpoints.run(move |done| driver.input(Input::CheckpointStep { done }))).detach();
}

/// Zeroes the log's next segment ahead of time. Failing to is no harm yet: the log says so when it needs one.
fn spawn_maintenance(log: &Rc<Log<UringDisk>>, executor: u16) {
    let log = Rc::clone(log);
    glommio::spawn_local(async move {
        loop {
            if let Err(error) = log.maintain().await {
                tracing::warn!(executor, %error, "cannot prepare the log's next segment");
            }
            glommio::timer::sleep(MAINTENANCE_INTERVAL).await;
        }
    })
    .detach();
}

/// How often the log is looked after.
const MAINTENANCE_INTERVAL: Duration = Duration::from_millis(200);

fn spawn_ticks(driver: &Rc<Driver>, shared: &Shared) {
    let driver = Rc::clone(driver);
    let interval = shared.heartbeat_interval;
    let patience = shared.election_timeout * LEADERLESS_ELECTIONS_MAX;
    glommio::spawn_local(async move {
        let mut leaderless = Duration::ZERO;
        loop {
            glommio::timer::sleep(interval).await;
            driver.tick();
            leaderless = if driver.leader().is_some() { Duration::ZERO } else { leaderless + interval };
            if leaderless >= patience {
                driver.services().leader_lost();
            }
        }
    })
    .detach();
}

/// Election timeouts without a leader after which streams that require one are ended, as in etcd.
const LEADERLESS_ELECTIONS_MAX: u32 = 3;

/// The connections of one executor.
struct Front {
    environment: Environment<Services>,
    acceptor: Rc<Acceptor>,
    metrics: Rc<Metrics>,
    open: Rc<Cell<usize>>,
}

impl Front {
    /// Begins to serve: listens and deals out, or takes what is dealt.
    async fn accept(&self, connections: Connections, shared: &Arc<Shared>) -> Option<Rc<Dealing>> {
        let serve = self.server();
        match connections {
            Connections::Take(hand) => {
                glommio::spawn_local(async move { hand.take(serve).await }).detach();
                None
            }
            Connections::Deal { dealer, addresses } => {
                let dealing = Dealing::new(dealer, serve).await;
                for (address, purpose) in addresses {
                    if let Err(error) = dealing.listen(address, purpose) {
                        logging::fatal(&format!("cannot listen on {address}: {error}"));
                        std::process::exit(1);
                    }
                }
                (shared.listening)();
                Some(dealing)
            }
        }
    }

    /// Serves one connection in a task of its own.
    fn server(&self) -> impl Fn(Purpose, TcpStream) + 'static {
        let (environment, acceptor) = (self.environment.clone(), Rc::clone(&self.acceptor));
        let (open, metrics) = (Rc::clone(&self.open), Rc::clone(&self.metrics));
        move |purpose, stream| {
            let environment = environment.clone();
            let (acceptor, open, metrics) = (Rc::clone(&acceptor), Rc::clone(&open), Rc::clone(&metrics));
            open.set(open.get() + 1);
            glommio::spawn_local(async move {
                let address = stream.peer_addr().map_or_else(|_| "gone".into(), |address| address.to_string());
                let _ = stream.set_nodelay(true);
                match purpose {
                    Purpose::Client => {
                        let peer = Peer { address: address.clone() };
                        metrics.client_connections.add(1);
                        if let Err(error) = serve_connection(Socket(stream), peer, environment).await {
                            tracing::debug!(client = address, %error, "a connection ended");
                        }
                        metrics.client_connections.add(-1);
                    }
                    Purpose::Peer => serve_peer(stream, acceptor).await,
                }
                open.set(open.get() - 1);
            })
            .detach();
        }
    }

    /// Tells the clients to go, and waits for a while until they have, those of the other executors too.
    async fn drain(&self, serving: &AtomicUsize) {
        self.environment.shutdown.begin();
        let deadline = std::time::Instant::now() + DRAIN;
        let mut is_serving = true;
        while std::time::Instant::now() < deadline {
            if is_serving && self.open.get() == 0 {
                is_serving = false;
                serving.fetch_sub(1, Ordering::Relaxed);
            }
            if !is_serving && serving.load(Ordering::Relaxed) == 0 {
                break;
            }
            glommio::timer::sleep(DRAIN_LOOK).await;
        }
    }
}
