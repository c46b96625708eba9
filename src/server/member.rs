//! One member's life: what is checked before it starts, in which order its parts begin, and how it stops.

use crate::metrics::{self, Registry};
use crate::peers::{Complaints, Identity, Remote};
use crate::rpc;
use crate::runtime::ending::{Ending, Reason};
use crate::runtime::executor::{self, Connections, Plan, Shared};
use crate::runtime::listener::{self, Purpose};
use crate::runtime::mesh;
use crate::runtime::recovery::{self, Inheritance};
use crate::runtime::time::Clock;
use crate::start::directory::DataDirectory;
use crate::start::notify::Notifier;
use crate::start::placement::{self, Placement};
use crate::start::probe::{Needs, probe};
use crate::start::signals::{Awaited, StopRequests};
use crate::start::{logging, memory, panic, spin};
use campanile_config::{Bootstrap, Config, REQUEST_BYTES_MAX, Url, Warning};
use campanile_core::bounds::Bounds;
use campanile_core::clock::AtomicReign;
use campanile_core::clock::batch::LONE_CHANGE_OVERHEAD_BYTES;
use campanile_core::control::CheckpointPolicy;
use campanile_core::evaluate::Limits;
use campanile_core::executor::{self as core, CatchUpBounds};
use campanile_core::response;
use campanile_storage::bounds::PAYLOAD_BYTES_MAX;
use campanile_storage::directory::Marker;
use campanile_storage::disk::uring::UringDisk;
use campanile_storage::ids::{GroupId, MemberId};
use campanile_storage::log::Options;
use glommio::LocalExecutorBuilder;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// What ends a start. Every such error names the thing and the mend.
type Failure = Box<dyn Error>;

/// etcd gives a request five seconds beyond its election timeouts.
const REQUEST_SECONDS: u32 = 5;

/// Runs a member until it is asked to stop.
///
/// # Errors
/// Whatever keeps it from starting.
pub fn run(config: &Config, warnings: &[Warning]) -> Result<(), Failure> {
    logging::start(&config.logging)?;
    panic::install();
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if let Err(error) = memory::use_small_pages() {
        tracing::warn!(%error, "cannot do without transparent huge pages; their faults will be seen in the latencies");
    }
    let mut stop = StopRequests::install()?;
    let bootstrap = config.bootstrap()?;
    let directory = DataDirectory::open(&config.data_dir)?;
    let placement = placement::place(&config.executors.cpus)?;
    let needs = Needs {
        executors: placement.executors(),
        io_memory_bytes: config.executors.io_memory_bytes,
        directories: &[directory.path()],
    };
    for caution in probe(&needs)? {
        tracing::warn!("{caution}");
    }
    tracing::info!(
        name = config.name,
        data_dir = %directory.path().display(),
        member_id = %format_args!("{:x}", bootstrap.local_id),
        cluster_id = %format_args!("{:x}", bootstrap.cluster_id),
        executors = placement.executors(),
        "starting a member"
    );
    let registry = registry(config, &bootstrap, placement.executors());
    let member = Member { config, bootstrap, directory: directory.path(), placement, registry };
    while member.live(&mut stop)? == Reason::BeginAnew {
        tracing::info!("beginning anew from what the disk holds");
    }
    tracing::info!("stopped");
    Ok(())
}

const _: () = {
    // A put brings at most its request, and has an entry of its own if it is larger than several may be together.
    let change_bytes_max = REQUEST_BYTES_MAX as usize + LONE_CHANGE_OVERHEAD_BYTES;
    assert!(change_bytes_max <= PAYLOAD_BYTES_MAX, "the log holds any one change");
};

/// What stays through all lives of a member in this process.
struct Member<'a> {
    config: &'a Config,
    bootstrap: Bootstrap,
    directory: &'a Path,
    placement: Placement,
    registry: Arc<Registry>,
}

impl Member<'_> {
    /// One life: from what the disk holds until the member stops, or has to begin anew. The only way from the disk to a
    /// running member, after a start, a crash, and the installation of a checkpoint alike.
    fn live(&self, stop: &mut StopRequests) -> Result<Reason, Failure> {
        let Member { config, bootstrap, directory, placement, registry } = self;
        let _ = Notifier::from_environment().and_then(|notifier| notifier.status("reading the log"));
        let inheritances = recover(config, bootstrap, directory, placement)?;
        let shared = Arc::new(share(self, Ending::new(stop.caller()?))?);
        let mut executors = Vec::new();
        for plan in plans(config, bootstrap, placement, inheritances, &shared)? {
            executors.push(executor::spawn(plan).map_err(|error| format!("cannot start an executor: {error}"))?);
        }
        let reason = match stop.wait()? {
            Awaited::Call => Reason::BeginAnew,
            Awaited::Stop(signal) => {
                tracing::info!(signal = signal.0, "stopping");
                let _ = Notifier::from_environment().and_then(|notifier| notifier.stopping());
                shared.ending.stop();
                Reason::Stop
            }
        };
        for executor in executors {
            executor.join().map_err(|error| format!("an executor ended badly: {error}"))?;
        }
        registry.release();
        Ok(reason)
    }
}

fn registry(config: &Config, bootstrap: &Bootstrap, executors: usize) -> Arc<Registry> {
    let identity = metrics::Identity {
        member_id: bootstrap.local_id,
        quota_bytes: config.limits.quota_bytes,
        detail: config.metrics,
    };
    Registry::new(identity, executors, &rpc::METHODS)
}

/// Reads the data directory, and makes sure that it is this member's.
fn recover(
    config: &Config,
    bootstrap: &Bootstrap,
    directory: &Path,
    placement: &Placement,
) -> Result<Vec<Inheritance>, Failure> {
    let executors = executors_of(placement);
    let marker = Marker { cluster: bootstrap.cluster_id, member: MemberId(bootstrap.local_id), shards: 0 };
    let host = move |group: GroupId| {
        group.shard().map_or(0, |shard| u16::try_from(shard.0 % u32::from(executors)).expect("below the number"))
    };
    let directory = directory.to_owned();
    let io_memory_bytes = io_memory_of(config);
    let reading = LocalExecutorBuilder::default().name("campanile-recovery").io_memory(io_memory_bytes).spawn(
        move || async move {
            let disk = UringDisk::new(&directory).await?;
            match Marker::read(&disk, &directory).await? {
                Some(found) => found.check(&directory, marker.cluster, marker.member)?,
                None => marker.write(&disk, &directory).await?,
            }
            recovery::read(&disk, &directory, executors, host).await
        },
    );
    let reading = reading.map_err(|error| format!("cannot start an executor: {error}"))?;
    Ok(reading.join().map_err(|error| format!("recovery ended badly: {error}"))??)
}

fn executors_of(placement: &Placement) -> u16 {
    u16::try_from(placement.executors()).expect("a machine has fewer than 65536 CPUs")
}

fn io_memory_of(config: &Config) -> usize {
    usize::try_from(config.executors.io_memory_bytes).expect("validated to fit the machine")
}

/// What all executors know.
fn share(member: &Member<'_>, ending: Ending) -> Result<Shared, Failure> {
    let Member { config, bootstrap, directory, placement, registry } = member;
    let local = MemberId(bootstrap.local_id);
    let others = bootstrap.members.iter().filter(|member| member.id != bootstrap.local_id);
    let remotes = others.map(|member| Remote { id: MemberId(member.id), urls: member.peer_urls.clone() });
    let ping = config.keepalive.ping;
    let mut rpc_limits = campanile_rpc::Limits {
        concurrent_streams_max: config.limits.concurrent_streams_max,
        keepalive_interval: ping.map(|ping| ping.interval),
        ping_interval_min: config.keepalive.client_ping_interval_min,
        ..campanile_rpc::Limits::default()
    };
    rpc_limits.message_max_bytes = usize::try_from(config.limits.request_bytes_max)? + (512 << 10);
    if let Some(ping) = ping {
        rpc_limits.keepalive_timeout = ping.timeout;
    }
    let announced: Vec<String> = config.listen_client_urls.iter().map(ToString::to_string).collect();
    Ok(Shared {
        data_directory: (*directory).to_owned(),
        log_options: Options { segment_bytes: config.wal_segment_bytes, nonce: nonce()? },
        log_reserve_bytes: config.wal_segment_bytes * u64::from(executors_of(placement)),
        io_memory_bytes: io_memory_of(config),
        spin: spin::choose(config.executors.spin, placement),
        heartbeat_interval: config.timing.heartbeat_interval,
        identity: Identity { cluster_id: bootstrap.cluster_id, member: local },
        remotes: remotes.collect(),
        rpc_limits,
        services: rpc::Settings::new(config, bootstrap),
        election_timeout: config.timing.election_timeout,
        complaints: Complaints::default(),
        registry: Arc::clone(registry),
        quota_bytes: config.limits.quota_bytes.unwrap_or(0),
        seed: nonce()?,
        serving: AtomicUsize::new(placement.executors()),
        ending,
        listening: Box::new(move || {
            tracing::info!(urls = announced.join(","), "ready to serve client requests");
            if let Err(error) = Notifier::from_environment().and_then(|notifier| notifier.ready()) {
                tracing::warn!(%error, "cannot tell the service manager");
            }
        }),
    })
}

/// A number that no other start has.
fn nonce() -> Result<u64, Failure> {
    let mut bytes = [0; 8];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn plans(
    config: &Config,
    bootstrap: &Bootstrap,
    placement: &Placement,
    inheritances: Vec<Inheritance>,
    shared: &Arc<Shared>,
) -> Result<Vec<Plan>, Failure> {
    let executors = executors_of(placement);
    let clock = Clock::start();
    let (dealer, hands) = listener::channels(executors - 1);
    let deal = Connections::Deal { dealer, addresses: addresses(config)? };
    let connections = std::iter::once(deal).chain(hands.into_iter().map(Connections::Take));
    let parts = inheritances.into_iter().zip(mesh::connect(executors)).zip(connections);
    let seed = nonce()?;
    let plan = |(executor, ((mut inheritance, ends), connections)): (u16, ((Inheritance, _), _))| Plan {
        core: core_config(config, bootstrap, executor, executors, seed),
        start: std::mem::take(&mut inheritance.start),
        inheritance,
        ends,
        connections,
        shared: Arc::clone(shared),
        clock,
        cpu: placement.cpu(usize::from(executor)),
    };
    Ok((0..executors).zip(parts).map(plan).collect())
}

fn core_config(config: &Config, bootstrap: &Bootstrap, executor: u16, executors: u16, seed: u64) -> core::Config {
    let election_ticks = config.timing.election_ticks();
    let heartbeat = config.timing.heartbeat_interval;
    let request = config.timing.election_timeout * 2 + std::time::Duration::from_secs(REQUEST_SECONDS.into());
    let member = |member: &campanile_config::BootstrapMember| response::Member {
        id: MemberId(member.id),
        name: member.name.clone(),
        peer_urls: urls(&member.peer_urls),
        client_urls: if member.id == bootstrap.local_id { urls(&config.advertise_client_urls) } else { Vec::new() },
        is_learner: false,
    };
    core::Config {
        executor,
        executors,
        member: MemberId(bootstrap.local_id),
        voters: bootstrap.members.iter().map(|member| MemberId(member.id)).collect(),
        members: bootstrap.members.iter().map(member).collect(),
        shards_for_new_cluster: config.shards.map_or(u32::from(executors), std::num::NonZeroU32::get),
        election_ticks: election_ticks as usize,
        request_ticks_max: u32::try_from(request.as_millis().div_ceil(heartbeat.as_millis())).unwrap_or(u32::MAX),
        // As etcd: one and a half election timeouts, in whole seconds.
        lease_ttl_min_seconds: lease_ttl_min_seconds(config),
        limits: Limits { txn_operations_max: usize::try_from(config.limits.txn_operations_max).unwrap_or(usize::MAX) },
        bounds: Bounds {
            catch_up: CatchUpBounds {
                group_log_bytes: usize::try_from(config.log_memory.group_bytes).unwrap_or(usize::MAX),
                held_log_bytes: usize::try_from(config.log_memory.hold_bytes).unwrap_or(usize::MAX),
                ..CatchUpBounds::default()
            },
            ..Bounds::default()
        },
        checkpoint: CheckpointPolicy {
            transactions: config.checkpoint.transactions,
            log_bytes: config.checkpoint.wal_bytes,
        },
        seed,
        reign: |epoch, base, window| Arc::new(AtomicReign::new(epoch, base, window)),
    }
}

fn lease_ttl_min_seconds(config: &Config) -> i64 {
    let ticks = config.timing.election_ticks() * 3 / 2;
    let milliseconds = u128::from(ticks) * config.timing.heartbeat_interval.as_millis();
    i64::try_from(milliseconds.div_ceil(1000)).unwrap_or(i64::MAX).max(1)
}

fn urls(urls: &[Url]) -> Vec<String> {
    urls.iter().map(ToString::to_string).collect()
}

/// Every address to listen on, and for whom.
fn addresses(config: &Config) -> Result<Vec<(SocketAddr, Purpose)>, Failure> {
    let clients = config.listen_client_urls.iter().map(|url| (url, Purpose::Client));
    let metrics = config.listen_metrics_urls.iter().map(|url| (url, Purpose::Client));
    let peers = config.listen_peer_urls.iter().map(|url| (url, Purpose::Peer));
    let mut addresses = Vec::new();
    for (url, purpose) in clients.chain(metrics).chain(peers) {
        let address = url.bind_address()?;
        if !addresses.contains(&(address, purpose)) {
            addresses.push((address, purpose));
        }
    }
    Ok(addresses)
}
