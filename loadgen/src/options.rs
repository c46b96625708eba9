//! The command line. It only says what can be given; [`Load::check`] says what makes sense.

use crate::{
    compare::options::CompareOptions,
    endpoint::Endpoint,
    error::Error,
    load::{Length, Load},
    workload::{
        keys::Order,
        operation::{Mix, Operation},
    },
};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, time::Duration};

/// Connections that are made unless the user says otherwise: enough to keep a server's cores busy.
const CONNECTIONS_DEFAULT: usize = 8;

/// Load generator for etcd and whatever speaks its API.
///
/// Ends with exit code 1 if a request failed, or if the store's revision did not rise by exactly the acknowledged writes.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put values.
    Put(LoadOptions),
    /// Get single keys; linearizable unless --serializable.
    Get(ReadOptions),
    /// Get ranges of up to --limit keys, from a chosen key on.
    Range(RangeOptions),
    /// Update objects as Kubernetes does: one transaction that compares the mod revision, then puts or else reads.
    Update(LoadOptions),
    /// Create objects as Kubernetes does, each under a key never used before.
    Create(LoadOptions),
    /// Put every key of the key space once, in order.
    Fill(LoadOptions),
    /// A mix of the above by weights.
    Mix(MixOptions),
    /// Benchmark two servers in alternation, and print a table of medians and ratios.
    Compare(CompareOptions),
}

#[derive(Debug, Args)]
pub struct ReadOptions {
    #[command(flatten)]
    load: LoadOptions,
    /// Read what the asked member has, without asking the cluster.
    #[arg(long)]
    serializable: bool,
}

#[derive(Debug, Args)]
pub struct RangeOptions {
    #[command(flatten)]
    read: ReadOptions,
    /// Keys that one range returns at most; 0 is no limit.
    #[arg(long, default_value_t = 100)]
    limit: i64,
}

#[derive(Debug, Args)]
pub struct MixOptions {
    #[command(flatten)]
    range: RangeOptions,
    /// Weight of puts.
    #[arg(long, default_value_t = 0)]
    put: u32,
    /// Weight of gets.
    #[arg(long, default_value_t = 0)]
    get: u32,
    /// Weight of ranges.
    #[arg(long = "range", default_value_t = 0)]
    range_weight: u32,
    /// Weight of updates.
    #[arg(long, default_value_t = 0)]
    update: u32,
    /// Weight of creates.
    #[arg(long, default_value_t = 0)]
    create: u32,
}

#[derive(Debug, Args)]
pub struct LoadOptions {
    /// Servers, separated by commas; connections are spread over them.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:2379")]
    endpoints: Vec<Endpoint>,
    /// Requests in flight, over all connections.
    #[arg(long, default_value_t = 256)]
    clients: usize,
    /// Connections [default: 8, or fewer if there are fewer clients, or one for each thread].
    #[arg(long)]
    connections: Option<usize>,
    /// Threads of the generator.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// CPUs to pin the threads to, in turn, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "CPUS")]
    cpu: Vec<usize>,
    /// How long to measure, after the warm-up.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "10s", conflicts_with = "count")]
    duration: Duration,
    /// How many requests to measure instead.
    #[arg(long)]
    count: Option<u64>,
    /// How long to load before measuring.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "1s")]
    warm_up: Duration,
    /// Requests per second of an open loop: each has its time, and its latency counts from there [default: closed loop].
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<u64>,
    /// Keys in the key space.
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// In what order keys are chosen.
    #[arg(long, value_enum, default_value_t = Order::Uniform)]
    order: Order,
    /// Exponent of Zipf's law, for --order zipf.
    #[arg(long, default_value_t = 0.99)]
    zipf_exponent: f64,
    /// What every key begins with.
    #[arg(long, default_value = "/loadgen/")]
    prefix: String,
    /// Bytes of each value.
    #[arg(long, default_value_t = 256)]
    value_size: usize,
    /// Seed of keys and values.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Do not put every key once before a load that reads or updates.
    #[arg(long)]
    no_prefill: bool,
    /// Others write to this store too: do not expect its revision to rise by this load's writes alone.
    #[arg(long)]
    shared: bool,
    /// For connecting, and how long the servers may be silent before the run gives up.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "10s")]
    timeout: Duration,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Write the report as JSON to this file too.
    #[arg(long, value_name = "FILE")]
    json_file: Option<PathBuf>,
    /// Print a line each second.
    #[arg(long, short)]
    verbose: bool,
}

/// Where the report goes.
#[derive(Debug, Default, Clone)]
pub struct Output {
    pub json: bool,
    pub json_file: Option<PathBuf>,
}

impl LoadOptions {
    fn into_load(self, mix: Mix) -> (Load, Output) {
        let connections =
            self.connections.unwrap_or_else(|| CONNECTIONS_DEFAULT.max(self.threads).min(self.clients).max(1));
        let reads_or_updates = [Operation::Get, Operation::Range, Operation::Update].iter().any(|&kind| mix.has(kind));
        let load = Load {
            endpoints: self.endpoints,
            mix,
            clients: self.clients,
            connections,
            threads: self.threads,
            cpus: self.cpu,
            length: self.count.map_or(Length::Time(self.duration), Length::Requests),
            warm_up: self.warm_up,
            rate: self.rate,
            keys: self.keys,
            order: self.order,
            zipf_exponent: self.zipf_exponent,
            prefix: self.prefix,
            value_bytes: self.value_size,
            seed: self.seed,
            serializable: false,
            range_limit: 0,
            prefill: reads_or_updates && !self.no_prefill,
            shared: self.shared,
            timeout: self.timeout,
            verbose: self.verbose,
        };
        (load, Output { json: self.json, json_file: self.json_file })
    }
}

impl ReadOptions {
    fn into_load(self, mix: Mix) -> (Load, Output) {
        let serializable = self.serializable;
        let (load, output) = self.load.into_load(mix);
        (Load { serializable, ..load }, output)
    }
}

impl RangeOptions {
    fn into_load(self, mix: Mix) -> (Load, Output) {
        let range_limit = self.limit;
        let (load, output) = self.read.into_load(mix);
        (Load { range_limit, ..load }, output)
    }
}

impl Command {
    /// The load that a command asks for; none for a comparison, which makes its own.
    ///
    /// # Errors
    /// If the mix is empty.
    pub fn into_task(self) -> Result<Task, Error> {
        let (load, output) = match self {
            Self::Put(options) => options.into_load(Mix::only(Operation::Put)),
            Self::Get(options) => options.into_load(Mix::only(Operation::Get)),
            Self::Range(options) => options.into_load(Mix::only(Operation::Range)),
            Self::Update(options) => options.into_load(Mix::only(Operation::Update)),
            Self::Create(options) => options.into_load(Mix::only(Operation::Create)),
            Self::Fill(options) => {
                let (load, output) = options.into_load(Mix::only(Operation::Put));
                let (order, length) = (Order::Sequential, Length::Requests(load.keys));
                (Load { order, length, warm_up: Duration::ZERO, ..load }, output)
            }
            Self::Mix(options) => {
                let weights = [
                    (Operation::Put, options.put),
                    (Operation::Get, options.get),
                    (Operation::Range, options.range_weight),
                    (Operation::Update, options.update),
                    (Operation::Create, options.create),
                ];
                let mix = Mix::of(&weights)
                    .ok_or_else(|| Error::Options("mix: give weights, as in --put 20 --get 70 --update 10".into()))?;
                options.range.into_load(mix)
            }
            Self::Compare(options) => return Ok(Task::Compare(options)),
        };
        Ok(Task::Load(Box::new(load), output))
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Task {
    Load(Box<Load>, Output),
    Compare(CompareOptions),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn load(arguments: &str) -> Load {
        let arguments = std::iter::once("loadgen").chain(arguments.split(' '));
        match Options::try_parse_from(arguments).unwrap().command.into_task().unwrap() {
            Task::Load(load, _) => *load,
            Task::Compare(_) => panic!("no comparison was asked for"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn commands_become_loads() {
        let put = load("put --clients 3 --duration 1500ms --endpoints a:1,http://b:2");
        assert_eq!((put.connections, put.prefill, put.endpoints.len()), (3, false, 2));
        assert_eq!(put.length, Length::Time(Duration::from_millis(1500)));
        let fill = load("fill --keys 77");
        assert_eq!((fill.length, fill.order), (Length::Requests(77), Order::Sequential));
        let range = load("range --serializable --limit 5 --threads 9");
        assert!(range.serializable && range.prefill && range.range_limit == 5 && range.connections == 9);
        let mix = load("mix --put 1 --update 2 --no-prefill");
        assert!(mix.mix.has(Operation::Update) && !mix.prefill);
        assert!(Options::try_parse_from(["loadgen", "put", "--count", "1", "--duration", "1s"]).is_err());
        assert!(Options::try_parse_from(["loadgen", "put", "--endpoints", "nowhere"]).is_err());
    }
}
