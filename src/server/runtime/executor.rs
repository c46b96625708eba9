//! One executor: a pinned thread that puts core, log, messages and sockets together, serves, and takes them down again.

use super::checkpoints::Checkpoints;
use super::driver::{Driver, Files, Parts};
use super::ending::{Ending, Reason};
use super::front::Front;
use super::journal::{Durable, Journal};
use super::listener::{Dealer, Hand, Purpose};
use super::mesh::{Ends, Mesh};
use super::offers::Offers;
use super::recovery::Inheritance;
use super::sockets::Timers;
use super::tasks::Tasks;
use super::time::Clock;
use crate::metrics::{Metrics, Registry};
use crate::peers::{self, Acceptor, Complaints, Identity, Peers, Remote};
use crate::rpc::{Services, Settings};
use crate::start::logging;
use campanile_core::executor::effect::Input;
use campanile_core::executor::{Config, Executor, Start};
use campanile_rpc::{Environment, Limits, Meter, Shutdown};
use campanile_storage::bounds::RECORD_BYTES_MAX;
use campanile_storage::disk::uring::UringDisk;
use campanile_storage::log::{Log, Options};
use glommio::{LocalExecutorBuilder, Placement};
use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

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
    /// Room on the device that checkpoints leave to the logs: a segment for each.
    pub log_reserve_bytes: u64,
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
    /// Executors whose connections have not ended yet. As long as there is one, all work on: its requests may be theirs.
    pub serving: AtomicUsize,
    /// When the executors are to end, and why.
    pub ending: Ending,
    /// Called once, when the member listens.
    pub listening: Box<dyn Fn() + Send + Sync>,
}

/// How often an executor looks whether it is to end, at least.
const ENDING_LOOK: Duration = Duration::from_millis(100);
/// What is closed when an executor ends gets a moment to be closed by the kernel.
const CLOSING: Duration = Duration::from_millis(10);

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
    let Storage { log, journal, files } = Storage::open(inheritance, &shared, executor).await;
    let metrics = Rc::new(shared.registry.claim(usize::from(executor)));
    let peers = Peers::new(shared.identity, shared.remotes.clone(), &peer_options(&shared, executor, &metrics));
    let tasks = Tasks::default();
    let parts = Parts {
        clock,
        peers,
        journal: Rc::clone(&journal),
        files: files.clone(),
        begin_anew: {
            let shared = Arc::clone(&shared);
            Box::new(move || shared.ending.begin_anew())
        },
        tasks: tasks.clone(),
        registry: Arc::clone(&shared.registry),
        metrics: Rc::clone(&metrics),
        quota_bytes: shared.quota_bytes,
    };
    let driver = Driver::new(Executor::new(core, start, clock.now()), parts);
    let services = Services::new(Rc::clone(&driver) as Rc<dyn crate::rpc::Executor>, &shared.services);
    driver.serve(&services);
    let mesh = {
        let driver = Rc::clone(&driver);
        Mesh::join(ends, &tasks, move |from, message| driver.input(Input::Message { from, message })).await
    };
    driver.join(mesh);

    spawn_rounds(&tasks, &driver, executor);
    spawn_journal(&tasks, &driver, &journal, executor);
    if let Some(Files { checkpoints, .. }) = files {
        let driver = Rc::clone(&driver);
        let metrics = Rc::clone(Driver::metrics(&driver));
        let written = move |took| metrics.checkpoint_write.observe(took);
        tasks.spawn(checkpoints.run(move |done| driver.input(done), written));
    }
    spawn_maintenance(&tasks, &log, executor);
    spawn_ticks(&tasks, &driver, &shared);
    driver.tick();

    let front = front(services, Rc::clone(&driver), metrics, tasks.clone(), &shared);
    let dealing = front.accept(connections, &shared).await;
    let reason = ended(&shared).await;
    if let Some(dealing) = dealing {
        dealing.end().await;
    }
    front.drain(reason, &shared.serving).await;
    tasks.end().await;
    driver.forget_clients();
    drop(front);
    if Rc::strong_count(&driver) > 1 {
        tracing::warn!(executor, "something holds on to an executor that has ended; its memory is not given back");
    }
    drop((driver, journal, log));
    glommio::timer::sleep(CLOSING).await;
}

/// What an executor keeps on the disk.
struct Storage {
    log: Rc<Log<UringDisk>>,
    journal: Rc<Journal<UringDisk>>,
    files: Option<Files>,
}

impl Storage {
    /// Goes on where recovery ended. A member that cannot has to stop.
    async fn open(inheritance: Inheritance, shared: &Shared, executor: u16) -> Storage {
        let stop = |what: &str, error: &dyn std::fmt::Display| -> ! {
            logging::fatal(&format!("executor {executor}: {what}: {error}"));
            std::process::exit(1);
        };
        let disk = match UringDisk::new(&shared.data_directory).await {
            Ok(disk) => disk,
            Err(error) => stop("cannot use the data directory", &error),
        };
        let files = inheritance.kept.map(|kept| Files {
            checkpoints: Checkpoints::new(
                disk,
                shared.data_directory.clone(),
                shared.identity.cluster_id,
                shared.log_reserve_bytes,
                kept,
            ),
            offers: Rc::new(Offers::new(disk)),
        });
        let log = match Log::open(disk, inheritance.log, shared.log_options).await {
            Ok(log) => Rc::new(log),
            Err(error) => stop("cannot open the log", &error),
        };
        let journal = Journal::new(Rc::clone(&log), inheritance.cursors, inheritance.floors, RECORD_BYTES_MAX);
        Storage { log, journal, files }
    }
}

fn front(services: Rc<Services>, driver: Rc<Driver>, metrics: Rc<Metrics>, tasks: Tasks, shared: &Shared) -> Front {
    Front {
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
        tasks,
    }
}

/// Waits until the executor is to end.
async fn ended(shared: &Shared) -> Reason {
    loop {
        if let Some(reason) = shared.ending.reason() {
            return reason;
        }
        glommio::timer::sleep(shared.heartbeat_interval.min(ENDING_LOOK)).await;
    }
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
fn spawn_rounds(tasks: &Tasks, driver: &Rc<Driver>, executor: u16) {
    let driver = Rc::clone(driver);
    tasks.spawn(async move {
        if let Err(error) = driver.run().await {
            logging::fatal(&format!("executor {executor}: the log is damaged: {error}"));
            std::process::exit(1);
        }
    });
}

fn spawn_journal(tasks: &Tasks, driver: &Rc<Driver>, journal: &Rc<Journal<UringDisk>>, executor: u16) {
    tasks.spawn(Rc::clone(journal).run_release());
    let (driver, journal) = (Rc::clone(driver), Rc::clone(journal));
    tasks.spawn(async move {
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
    });
}

/// Zeroes the log's next segment ahead of time. Failing to is no harm yet: the log says so when it needs one.
fn spawn_maintenance(tasks: &Tasks, log: &Rc<Log<UringDisk>>, executor: u16) {
    let log = Rc::clone(log);
    tasks.spawn(async move {
        loop {
            let mut pause = MAINTENANCE_INTERVAL;
            if let Err(error) = log.maintain().await {
                tracing::warn!(executor, %error, "cannot prepare the log's next segment");
                pause = MAINTENANCE_RETRY;
            }
            glommio::timer::sleep(pause).await;
        }
    });
}

/// How often the log is looked after.
const MAINTENANCE_INTERVAL: Duration = Duration::from_millis(200);
/// And after it failed, which may have taken a write of a whole segment.
const MAINTENANCE_RETRY: Duration = Duration::from_secs(10);

fn spawn_ticks(tasks: &Tasks, driver: &Rc<Driver>, shared: &Shared) {
    let driver = Rc::clone(driver);
    let interval = shared.heartbeat_interval;
    let patience = shared.election_timeout * LEADERLESS_ELECTIONS_MAX;
    tasks.spawn(async move {
        let mut leaderless = Duration::ZERO;
        let mut before = Instant::now();
        loop {
            glommio::timer::sleep(interval).await;
            driver.tick();
            driver.note_tick(before.elapsed(), interval);
            before = Instant::now();
            leaderless = if driver.leader().is_some() { Duration::ZERO } else { leaderless + interval };
            if leaderless >= patience {
                driver.services().leader_lost();
            }
        }
    });
}

/// Election timeouts without a leader after which streams that require one are ended, as in etcd.
const LEADERLESS_ELECTIONS_MAX: u32 = 3;
