//! The command line of a comparison.

use crate::error::Error;
use clap::{Args, ValueEnum};
use std::{path::PathBuf, time::Duration};

/// What is compared: a row of the table, or a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Row {
    /// Puts by 256 clients.
    Put256,
    /// Puts by one client.
    Put1,
    /// Linearizable gets by 256 clients.
    Get,
    /// Kubernetes' update transactions by 256 clients.
    Update,
    /// Campanile with two shards on two cores, against itself with one on one; nothing else is pinned.
    Shards,
    /// Three members of each on both cores, puts by 256 clients over all members. Campanile's have one shard, and one of
    /// the cores each.
    Members3,
    /// Campanile that writes one checkpoint after the other, against itself that writes none: puts by 256 clients.
    Checkpoints,
    /// A million keys: filling, memory, restart, and the cost of a put.
    Million,
}

#[derive(Debug, Args)]
pub struct CompareOptions {
    /// The server to compare with: etcd's binary.
    #[arg(long, value_name = "PATH")]
    pub etcd: PathBuf,
    /// The server to be judged: campanile's binary.
    #[arg(long, value_name = "PATH")]
    pub campanile: PathBuf,
    /// Rows to measure, separated by commas [default: all].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROWS")]
    pub only: Vec<Row>,
    /// How often each row is measured on each side, in turn.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How long each measurement lasts.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "5s")]
    pub duration: Duration,
    /// How long each is loaded before.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "1s")]
    pub warm_up: Duration,
    /// Keys of every row but the last.
    #[arg(long, default_value_t = 10_000)]
    pub keys: u64,
    /// Keys of the last row.
    #[arg(long, default_value_t = 1_000_000)]
    pub million_keys: u64,
    /// Bytes of each value.
    #[arg(long, default_value_t = 256)]
    pub value_size: usize,
    /// The core for the server, where it has one.
    #[arg(long, default_value_t = 0)]
    pub server_cpu: usize,
    /// The core for the client, where it has one, and the server's second where it has two.
    #[arg(long, default_value_t = 1)]
    pub client_cpu: usize,
    /// Where the data directories are made, each new, and removed again; on a real disk [default: the directory for
    /// temporary files].
    #[arg(long, value_name = "DIR")]
    pub data_root: Option<PathBuf>,
    /// Do not give --shards and --cpus to the second server: it is an etcd as well.
    #[arg(long)]
    pub no_shard_flags: bool,
    /// Print a line each second.
    #[arg(long, short)]
    pub verbose: bool,
}

impl CompareOptions {
    /// # Errors
    /// [`Error::Options`] for what cannot be measured.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |text: String| Err(Error::Options(text));
        for (option, path) in [("--etcd", &self.etcd), ("--campanile", &self.campanile)] {
            if !path.is_file() {
                return refuse(format!("{option} {}: there is no such file", path.display()));
            }
        }
        if self.rounds == 0 {
            return refuse("--rounds 0: give at least one".into());
        }
        if self.server_cpu == self.client_cpu {
            return refuse(format!("--client-cpu {}: the client needs another core than the server", self.client_cpu));
        }
        Ok(())
    }

    /// The rows to measure, in the table's order.
    pub fn rows(&self) -> Vec<Row> {
        let wanted = |row: &Row| self.only.is_empty() || self.only.contains(row);
        Row::value_variants().iter().copied().filter(wanted).collect()
    }

    pub fn data_root(&self) -> PathBuf {
        self.data_root.clone().unwrap_or_else(std::env::temp_dir)
    }
}
