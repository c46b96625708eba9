//! The typed configuration of one member. `rules.rs` fills it in; nothing here can be wrong.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::{ClusterState, InitialMember};
use crate::cpus::CpuChoice;
use crate::url::Url;

/// Everything that a user may decide about one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `--name`: not empty, without comma and equals sign.
    pub name: String,
    /// `--data-dir`, by default `${name}.etcd`.
    pub data_dir: PathBuf,
    /// `--wal-dir`: where the log lies, if not in the data directory.
    pub wal_dir: Option<PathBuf>,
    /// `--listen-peer-urls`: at least one, each with an address to bind to.
    pub listen_peer_urls: Vec<Url>,
    /// `--listen-client-urls`: at least one, each with an address to bind to.
    pub listen_client_urls: Vec<Url>,
    /// `--listen-metrics-urls`: each with an address to bind to.
    pub listen_metrics_urls: Vec<Url>,
    /// `--initial-advertise-peer-urls`: at least one, in etcd's order.
    pub initial_advertise_peer_urls: Vec<Url>,
    /// `--advertise-client-urls`: at least one, in etcd's order.
    pub advertise_client_urls: Vec<Url>,
    /// `--initial-cluster`: at least one member, ordered by name. Only [`Config::bootstrap`] checks that this member is
    /// one of them.
    pub initial_cluster: Vec<InitialMember>,
    /// `--initial-cluster-state`.
    pub initial_cluster_state: ClusterState,
    /// `--initial-cluster-token`.
    pub initial_cluster_token: String,
    /// `--strict-reconfig-check`.
    pub strict_reconfig_check: bool,
    pub timing: Timing,
    pub limits: Limits,
    pub keepalive: Keepalive,
    pub socket: SocketOptions,
    pub checkpoint: CheckpointPolicy,
    pub log_memory: LogMemory,
    /// `--wal-segment-bytes`: the size of one segment of the log, a multiple of 1 MiB, at least 16 MiB.
    pub wal_segment_bytes: u64,
    pub executors: Executors,
    /// `--shards`: into how many shards a new cluster divides its keys, if not one for each executor.
    pub shards: Option<NonZeroU32>,
    pub logging: Logging,
    /// `--metrics`.
    pub metrics: MetricsDetail,
    /// `--watch-progress-notify-interval`: at least 100 ms.
    pub watch_progress_notify_interval: Duration,
}

/// Raft's two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// `--heartbeat-interval`: above zero, in whole milliseconds.
    pub heartbeat_interval: Duration,
    /// `--election-timeout`: at least five heartbeat intervals and at most 50 s, in whole milliseconds.
    pub election_timeout: Duration,
}

impl Timing {
    /// How many heartbeat intervals make an election timeout, rounded down as in etcd; at least 5.
    #[must_use]
    pub fn election_ticks(&self) -> u32 {
        let ticks = self.election_timeout.as_millis() / self.heartbeat_interval.as_millis();
        u32::try_from(ticks).expect("an election timeout is at most 50,000 milliseconds")
    }
}

/// How much a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--max-request-bytes`: above zero, at most 3 MiB.
    pub request_bytes_max: u64,
    /// `--max-txn-ops`, nested ones counted: above zero.
    pub txn_operations_max: u64,
    /// `--max-concurrent-streams` on one connection: above zero. `u32::MAX` is no limit.
    pub concurrent_streams_max: u32,
    /// `--quota-backend-bytes`; none is no quota.
    pub quota_bytes: Option<u64>,
}

/// What keeps silent connections alive, or ends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// `--grpc-keepalive-min-time`: a client that pings more often is disconnected.
    pub client_ping_interval_min: Duration,
    /// The server's own pings, if it sends any.
    pub ping: Option<PingPolicy>,
}

/// When the server pings a client, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingPolicy {
    /// `--grpc-keepalive-interval`: the silence after which a ping is sent. Above zero.
    pub interval: Duration,
    /// `--grpc-keepalive-timeout`: how long the answer may take. Above zero.
    pub timeout: Duration,
}

/// Options of listening sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// `--socket-reuse-port`: whether *another process* may listen on the same port.
    pub reuse_port: bool,
    /// `--socket-reuse-address`.
    pub reuse_address: bool,
}

/// When a checkpoint is due: when both have been reached since the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointPolicy {
    /// `--snapshot-count`: committed transactions. Above zero.
    pub transactions: u64,
    /// `--checkpoint-wal-bytes`: growth of the log, at least two segments.
    pub wal_bytes: u64,
}

/// How much of the log stays in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMemory {
    /// `--log-memory-bytes`: of each group, for members that lag. At least 64 KiB.
    pub group_bytes: u64,
    /// `--log-hold-bytes`: beyond that, of all groups, while a member is sent a checkpoint. At least 64 KiB.
    pub hold_bytes: u64,
}

/// The member's executors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executors {
    /// `--cpus`.
    pub cpus: CpuChoice,
    /// `--executor-io-memory-bytes`: registered by each of an executor's three rings. A multiple of 4 KiB.
    pub io_memory_bytes: u64,
    /// `--executor-spin`: how long an idle executor polls before it sleeps; at most a second. [`None`] leaves it to where they
    /// are placed.
    pub spin: Option<Duration>,
}

/// What is logged, how, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// `--log-level`.
    pub level: LogLevel,
    /// `--log-format`.
    pub format: LogFormat,
    /// `--log-outputs`: at least one, none twice.
    pub outputs: Vec<LogOutput>,
}

/// The least severe level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
    /// Only what ends the process by a panic.
    Panic,
    /// Only what ends the process.
    Fatal,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For humans if the output is a terminal, else JSON.
    Automatic,
    /// One JSON object a line, with zap's keys.
    Json,
    /// For humans.
    Console,
}

/// Where the log goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogOutput {
    Stderr,
    Stdout,
    /// Appended to.
    File(PathBuf),
}

/// How much `/metrics` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsDetail {
    Basic,
    /// With a histogram of each RPC's duration.
    Extensive,
}
