//! The configuration of one member: etcd's flags, its YAML file and its `ETCD_*` variables, as one validated [`Config`].
//!
//! Owns what a user may set, the rules by which it is read (Go's `flag` package, etcd's file) and every message about a
//! wrong value. Guarantees that a [`Config`] holds only values that the server can honour: nothing is clamped, rounded
//! or ignored in silence. Never starts anything, binds no port and touches no data directory; the only file it reads is
//! the one named by `--config-file`.
//!
//! How a value comes to be, one file a step:
//! 1. `flag` and `table`: the rows. Each flag stands once, with its kind, default, status and help.
//! 2. `arguments`, `environment`, `file`: the three sources. `value` reads a single value as Go does.
//! 3. `settings`: which source wins, and what of etcd's is not served yet.
//! 4. `rules` make of them a `config`: the typed result.
//! 5. `cluster`, `identity`: the first members of a cluster, and the ids that etcd would give them.

mod arguments;
mod cluster;
mod command;
mod config;
mod cpus;
mod environment;
mod error;
mod file;
mod flag;
mod help;
mod identity;
mod nearest;
mod rules;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod url;
mod value;
mod version;
mod warning;

pub use cluster::{Bootstrap, BootstrapMember, ClusterState, InitialMember};
pub use command::Command;
pub use config::{
    CheckpointPolicy, Config, Executors, Keepalive, Limits, LogFormat, LogLevel, LogMemory, LogOutput, Logging,
    MetricsDetail, PingPolicy, SocketOptions, Timing,
};
pub use cpus::CpuChoice;
pub use error::ConfigError;
pub use help::help;
pub use identity::{cluster_id, member_id};
pub use rules::REQUEST_BYTES_MAX;
pub use settings::{Origin, Place};
pub use url::{Url, UrlError};
pub use version::{CAMPANILE_VERSION, ETCD_VERSION, GIT_SHA, version};
pub use warning::Warning;
