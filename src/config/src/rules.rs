//! From settings to a [`Config`]: the rules that one setting, or two together, must keep.
//!
//! Every limit on a setting stands here, as a constant with a name. A value outside is refused, never moved inside.

use std::net::{IpAddr, UdpSocket};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::{ClusterState, InitialMember, parse_initial_cluster};
use crate::config::{
    CheckpointPolicy, Config, Executors, Keepalive, Limits, LogFormat, LogLevel, LogMemory, LogOutput, Logging,
    MetricsDetail, PingPolicy, SocketOptions, Timing,
};
use crate::cpus::CpuChoice;
use crate::error::ConfigError;
use crate::settings::{Origin, Settings};
use crate::url::{Url, join_urls};
use crate::warning::Warning;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// etcd's: longer ones make a failover take minutes.
const ELECTION_TIMEOUT_MS_MAX: u64 = 50_000;
/// etcd's: how many heartbeats an election timeout must have room for.
const HEARTBEATS_PER_ELECTION_MIN: u64 = 5;
/// etcd's default, and what it takes 0 for.
const SNAPSHOT_COUNT_DEFAULT: u64 = 10_000;
/// etcd's default, and what it takes 0 for.
const QUOTA_BYTES_DEFAULT: u64 = 2 * GIB;
/// etcd's: above it, it warns.
const QUOTA_BYTES_RECOMMENDED: u64 = 8 * GIB;
/// One change is never cut, and an entry of the log holds 4 MiB (`storage/src/bounds.rs`): the server asserts that it fits.
pub const REQUEST_BYTES_MAX: u64 = 3 * MIB;
/// etcd's default, and what it takes 0 for.
const WATCH_PROGRESS_INTERVAL_DEFAULT: Duration = Duration::from_secs(600);
/// etcd's: below it, it raises the value.
const WATCH_PROGRESS_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// gRPC's own, used where 0 is given.
const CLIENT_PING_INTERVAL_DEFAULT: Duration = Duration::from_secs(300);
/// How many groups a member is ready to drive besides the control group.
const SHARDS_MAX: u32 = 1024;
/// Holds every record of the log, and several requests of the largest size.
const WAL_SEGMENT_BYTES_MIN: u64 = 16 * MIB;
const WAL_SEGMENT_BYTES_MAX: u64 = GIB;
/// Of one group's log in memory: less than one request's worth would send checkpoints to members that hardly lag.
const LOG_MEMORY_BYTES_MIN: u64 = 64 << 10;
const LOG_MEMORY_BYTES_MAX: u64 = 1 << 40;
/// The log is cut by whole segments: a checkpoint for less than two would free nothing.
const SEGMENTS_PER_CHECKPOINT_MIN: u64 = 2;
const IO_MEMORY_BYTES_MIN: u64 = 64 << 10;
const IO_MEMORY_BYTES_MAX: u64 = GIB;
const PAGE_BYTES: u64 = 4096;
const SPIN_MAX: Duration = Duration::from_secs(1);

const _: () = assert!(WAL_SEGMENT_BYTES_MIN >= 4 * REQUEST_BYTES_MAX);

impl Config {
    /// Applies all rules; what is accepted with a word of warning goes to the settings' warnings.
    pub(crate) fn from_settings(settings: &mut Settings) -> Result<Config, ConfigError> {
        let name = name(settings)?;
        let limits = limits(settings)?;
        let wal_segment_bytes = wal_segment_bytes(settings)?;
        let urls = MemberUrls::from_settings(settings)?;
        let initial_cluster = initial_cluster(settings, &name, &urls)?;
        let text = settings.text("data-dir");
        let data_dir = PathBuf::from(if text.is_empty() { format!("{name}.etcd") } else { text });
        if settings.text("name") == "default" && initial_cluster.len() > 1 {
            settings.warnings.push(Warning::DefaultName);
        }
        Ok(Config {
            name,
            data_dir,
            wal_dir: Some(settings.text("wal-dir")).filter(|text| !text.is_empty()).map(PathBuf::from),
            listen_peer_urls: urls.listen_peer,
            listen_client_urls: urls.listen_client,
            listen_metrics_urls: urls.listen_metrics,
            initial_advertise_peer_urls: urls.advertise_peer,
            advertise_client_urls: urls.advertise_client,
            initial_cluster,
            initial_cluster_state: cluster_state(settings)?,
            initial_cluster_token: settings.text("initial-cluster-token"),
            strict_reconfig_check: settings.boolean("strict-reconfig-check"),
            timing: timing(settings)?,
            limits,
            keepalive: keepalive(settings)?,
            socket: SocketOptions {
                reuse_port: settings.boolean("socket-reuse-port"),
                reuse_address: settings.boolean("socket-reuse-address"),
            },
            checkpoint: checkpoint(settings, wal_segment_bytes)?,
            log_memory: LogMemory {
                group_bytes: within(settings, "log-memory-bytes", LOG_MEMORY_BYTES_MIN, LOG_MEMORY_BYTES_MAX)?,
                hold_bytes: within(settings, "log-hold-bytes", LOG_MEMORY_BYTES_MIN, LOG_MEMORY_BYTES_MAX)?,
            },
            wal_segment_bytes,
            executors: executors(settings)?,
            shards: shards(settings)?,
            logging: logging(settings)?,
            metrics: metrics(settings)?,
            watch_progress_notify_interval: watch_progress_notify_interval(settings)?,
        })
    }
}

fn refuse<T>(settings: &Settings, flag: &str, problem: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::invalid(&settings.place(flag), problem))
}

/// A number between bounds, both included.
fn within(settings: &Settings, flag: &str, least: u64, most: u64) -> Result<u64, ConfigError> {
    match settings.unsigned(flag) {
        value if value < least => refuse(settings, flag, format!("is too small; the least is {least}")),
        value if value > most => refuse(settings, flag, format!("is too large; the most is {most}")),
        value => Ok(value),
    }
}

fn duration(settings: &Settings, flag: &str) -> Result<Duration, ConfigError> {
    match u64::try_from(settings.nanoseconds(flag)) {
        Ok(nanoseconds) => Ok(Duration::from_nanos(nanoseconds)),
        Err(_) => refuse(settings, flag, "is negative; give 0 or more"),
    }
}

fn name(settings: &Settings) -> Result<String, ConfigError> {
    let name = settings.text("name");
    if name.is_empty() {
        return refuse(settings, "name", "is empty; give the member a name");
    }
    if name.contains([',', '=']) {
        return refuse(settings, "name", "holds a comma or an equals sign, which --initial-cluster divides names by");
    }
    Ok(name)
}

fn timing(settings: &Settings) -> Result<Timing, ConfigError> {
    let heartbeat_ms = settings.unsigned("heartbeat-interval");
    let election_ms = settings.unsigned("election-timeout");
    if heartbeat_ms == 0 {
        return refuse(settings, "heartbeat-interval", "must be >0 milliseconds");
    }
    if election_ms > ELECTION_TIMEOUT_MS_MAX {
        let problem = format!("is too long; the most is {ELECTION_TIMEOUT_MS_MAX} milliseconds");
        return refuse(settings, "election-timeout", problem);
    }
    if heartbeat_ms.saturating_mul(HEARTBEATS_PER_ELECTION_MIN) > election_ms {
        let problem = format!(
            "should be at least {HEARTBEATS_PER_ELECTION_MIN} times as long as --heartbeat-interval, which is \
             {heartbeat_ms} milliseconds"
        );
        return refuse(settings, "election-timeout", problem);
    }
    Ok(Timing {
        heartbeat_interval: Duration::from_millis(heartbeat_ms),
        election_timeout: Duration::from_millis(election_ms),
    })
}

fn limits(settings: &mut Settings) -> Result<Limits, ConfigError> {
    let request_bytes_max = within(settings, "max-request-bytes", 1, REQUEST_BYTES_MAX)?;
    let txn_operations_max = within(settings, "max-txn-ops", 1, u64::MAX)?;
    // gRPC takes 0 for no limit.
    let streams = u32::try_from(settings.unsigned("max-concurrent-streams")).expect("the value is of 32 bits");
    let quota_bytes = match settings.integer("quota-backend-bytes") {
        0 => Some(QUOTA_BYTES_DEFAULT),
        bytes => u64::try_from(bytes).ok(),
    };
    if let Some(value) = quota_bytes.filter(|bytes| *bytes > QUOTA_BYTES_RECOMMENDED) {
        let flag = "quota-backend-bytes";
        settings.warnings.push(Warning::AboveRecommended { flag, value, recommended: QUOTA_BYTES_RECOMMENDED });
    }
    let concurrent_streams_max = if streams == 0 { u32::MAX } else { streams };
    Ok(Limits { request_bytes_max, txn_operations_max, concurrent_streams_max, quota_bytes })
}

fn keepalive(settings: &Settings) -> Result<Keepalive, ConfigError> {
    let least = duration(settings, "grpc-keepalive-min-time")?;
    let interval = duration(settings, "grpc-keepalive-interval")?;
    let timeout = duration(settings, "grpc-keepalive-timeout")?;
    Ok(Keepalive {
        client_ping_interval_min: if least.is_zero() { CLIENT_PING_INTERVAL_DEFAULT } else { least },
        ping: (!interval.is_zero() && !timeout.is_zero()).then_some(PingPolicy { interval, timeout }),
    })
}

fn wal_segment_bytes(settings: &Settings) -> Result<u64, ConfigError> {
    let bytes = within(settings, "wal-segment-bytes", WAL_SEGMENT_BYTES_MIN, WAL_SEGMENT_BYTES_MAX)?;
    if !bytes.is_multiple_of(MIB) {
        return refuse(settings, "wal-segment-bytes", "is no multiple of 1048576");
    }
    Ok(bytes)
}

fn checkpoint(settings: &Settings, wal_segment_bytes: u64) -> Result<CheckpointPolicy, ConfigError> {
    let wal_bytes = settings.unsigned("checkpoint-wal-bytes");
    if wal_bytes < wal_segment_bytes * SEGMENTS_PER_CHECKPOINT_MIN {
        let problem = format!(
            "is smaller than {SEGMENTS_PER_CHECKPOINT_MIN} segments of the log; give at least {}",
            wal_segment_bytes * SEGMENTS_PER_CHECKPOINT_MIN,
        );
        return refuse(settings, "checkpoint-wal-bytes", problem);
    }
    let transactions = match settings.unsigned("snapshot-count") {
        0 => SNAPSHOT_COUNT_DEFAULT,
        count => count,
    };
    Ok(CheckpointPolicy { transactions, wal_bytes })
}

fn executors(settings: &Settings) -> Result<Executors, ConfigError> {
    let cpus = CpuChoice::parse(&settings.text("cpus"))
        .map_err(|problem| ConfigError::invalid(&settings.place("cpus"), problem))?;
    let flag = "executor-io-memory-bytes";
    let io_memory_bytes = within(settings, flag, IO_MEMORY_BYTES_MIN, IO_MEMORY_BYTES_MAX)?;
    if !io_memory_bytes.is_multiple_of(PAGE_BYTES) {
        return refuse(settings, flag, format!("is no multiple of {PAGE_BYTES}"));
    }
    let spin = if settings.is_given("executor-spin") { Some(duration(settings, "executor-spin")?) } else { None };
    if spin.is_some_and(|spin| spin > SPIN_MAX) {
        return refuse(settings, "executor-spin", "is too long; the most is 1s");
    }
    Ok(Executors { cpus, io_memory_bytes, spin })
}

fn shards(settings: &Settings) -> Result<Option<NonZeroU32>, ConfigError> {
    let text = settings.text("shards");
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<NonZeroU32>() {
        Ok(shards) if shards.get() <= SHARDS_MAX => Ok(Some(shards)),
        _ => refuse(settings, "shards", format!("is no number from 1 to {SHARDS_MAX}")),
    }
}

fn cluster_state(settings: &Settings) -> Result<ClusterState, ConfigError> {
    match settings.text("initial-cluster-state").as_str() {
        "new" => Ok(ClusterState::New),
        "existing" => Ok(ClusterState::Existing),
        // An empty key of the file is the default, as in etcd.
        "" if settings.place("initial-cluster-state").origin == Origin::File => Ok(ClusterState::New),
        _ => refuse(settings, "initial-cluster-state", "is neither new nor existing"),
    }
}

fn metrics(settings: &Settings) -> Result<MetricsDetail, ConfigError> {
    match settings.text("metrics").as_str() {
        "basic" => Ok(MetricsDetail::Basic),
        "extensive" => Ok(MetricsDetail::Extensive),
        _ => refuse(settings, "metrics", "is neither basic nor extensive"),
    }
}

fn watch_progress_notify_interval(settings: &Settings) -> Result<Duration, ConfigError> {
    match duration(settings, "watch-progress-notify-interval")? {
        Duration::ZERO => Ok(WATCH_PROGRESS_INTERVAL_DEFAULT),
        interval if interval < WATCH_PROGRESS_INTERVAL_MIN => {
            refuse(settings, "watch-progress-notify-interval", "is too short; the least is 100ms")
        }
        interval => Ok(interval),
    }
}

fn logging(settings: &Settings) -> Result<Logging, ConfigError> {
    let level = match settings.text("log-level").as_str() {
        "debug" => LogLevel::Debug,
        "info" => LogLevel::Info,
        "warn" => LogLevel::Warn,
        "error" => LogLevel::Error,
        "dpanic" | "panic" => LogLevel::Panic,
        "fatal" => LogLevel::Fatal,
        _ => return refuse(settings, "log-level", "is none of debug, info, warn, error, panic and fatal"),
    };
    let format = match settings.text("log-format").as_str() {
        "" => LogFormat::Automatic,
        "json" => LogFormat::Json,
        "console" => LogFormat::Console,
        _ => return refuse(settings, "log-format", "is neither json nor console"),
    };
    let texts = settings.list("log-outputs");
    if texts.len() > 1 && texts.iter().any(|text| text == "default") {
        return refuse(settings, "log-outputs", "names default besides other outputs; write stderr instead");
    }
    let mut outputs = Vec::new();
    for text in texts {
        outputs.push(match text.as_str() {
            "default" | "stderr" => LogOutput::Stderr,
            "stdout" => LogOutput::Stdout,
            "systemd/journal" => {
                let problem = "is not in this version yet; use stderr, which systemd hands to the journal";
                return refuse(settings, "log-outputs", problem);
            }
            path => LogOutput::File(PathBuf::from(path)),
        });
    }
    if outputs.is_empty() {
        outputs.push(LogOutput::Stderr);
    }
    Ok(Logging { level, format, outputs })
}

struct MemberUrls {
    listen_peer: Vec<Url>,
    listen_client: Vec<Url>,
    listen_metrics: Vec<Url>,
    advertise_peer: Vec<Url>,
    advertise_client: Vec<Url>,
}

impl MemberUrls {
    fn from_settings(settings: &mut Settings) -> Result<MemberUrls, ConfigError> {
        let listen_peer = listen_urls(settings, "listen-peer-urls")?;
        let listen_client = listen_urls(settings, "listen-client-urls")?;
        let listen_metrics = listen_urls(settings, "listen-metrics-urls")?;
        for (flag, urls) in [("listen-client-urls", &listen_client), ("listen-metrics-urls", &listen_metrics)] {
            if let Some(url) = urls.iter().find(|url| listen_peer.contains(url)) {
                return refuse(settings, flag, format!("holds {url}, which is one of --listen-peer-urls"));
            }
        }
        if let Some(url) = listen_metrics.iter().find(|url| listen_client.contains(url)) {
            let problem = format!("holds {url}, which is one of --listen-client-urls and serves /metrics already");
            return refuse(settings, "listen-metrics-urls", problem);
        }
        let mut advertise_peer = settings.urls("initial-advertise-peer-urls");
        let mut advertise_client = settings.urls("advertise-client-urls");
        // etcd's rule: who listens everywhere, and says nothing of where it is reached, is reached where the host is.
        if !settings.is_given("initial-advertise-peer-urls") {
            advertise_host(&listen_peer, &mut advertise_peer);
        }
        if !settings.is_given("advertise-client-urls") {
            let listen_origin = settings.place("listen-client-urls").origin;
            if matches!(listen_origin, Origin::CommandLine | Origin::Environment) {
                let problem = "is given, so --advertise-client-urls is required: where clients reach this member";
                return refuse(settings, "listen-client-urls", problem);
            }
            advertise_host(&listen_client, &mut advertise_client);
            if listen_origin == Origin::File && !advertise_client.iter().any(|url| listen_client.contains(url)) {
                settings.warnings.push(Warning::AdvertisesLocalhost {
                    advertised: join_urls(&advertise_client),
                    listened: join_urls(&listen_client),
                });
            }
        }
        Ok(MemberUrls { listen_peer, listen_client, listen_metrics, advertise_peer, advertise_client })
    }
}

/// URLs that can be bound to.
fn listen_urls(settings: &Settings, flag: &str) -> Result<Vec<Url>, ConfigError> {
    let urls = settings.urls(flag);
    for url in &urls {
        if let Err(error) = url.bind_address() {
            return refuse(settings, flag, format!("{error}; give an address of this host, or localhost"));
        }
    }
    Ok(urls)
}

/// Puts the host's own address into the advertised URL, if the member listens on all of them.
fn advertise_host(listen: &[Url], advertise: &mut [Url]) {
    let everywhere = listen.first().filter(|url| url.host() == "0.0.0.0");
    if let (Some(listen), [advertised], Some(host)) = (everywhere, advertise, default_host()) {
        *advertised = Url::new(&host.to_string(), listen.port());
    }
}

/// The address that packets to elsewhere would be sent from. Connecting a datagram socket sends none.
fn default_host() -> Option<IpAddr> {
    let elsewhere = ("192.0.2.1", 9);
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(elsewhere).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_unspecified())
}

fn initial_cluster(settings: &Settings, name: &str, urls: &MemberUrls) -> Result<Vec<InitialMember>, ConfigError> {
    let text = settings.text("initial-cluster");
    if text.is_empty() {
        return Ok(vec![InitialMember { name: name.to_owned(), peer_urls: urls.advertise_peer.clone() }]);
    }
    parse_initial_cluster(&text).map_err(|problem| ConfigError::invalid(&settings.place("initial-cluster"), problem))
}
