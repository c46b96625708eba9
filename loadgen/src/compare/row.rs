//! What each row of a comparison measures, on which cores, and what is wanted of it.

use super::{
    options::{CompareOptions, Row},
    process::Usage,
    server::{Cluster, Plan},
};
use crate::{
    driver::run::run,
    error::Error,
    load::{Length, Load},
    report::Report,
    workload::{
        keys::Order,
        operation::{Mix, Operation},
    },
};
use std::time::Duration;

const MANY_CLIENTS: usize = 256;
/// Closed loops that leave neither of two cores waiting, and give each a batch for its log that is worth a write: with 256
/// they wait a fifth of the time, with 1,024 their batches are 2/5 of what a single one's are.
const CLIENTS_FOR_TWO_CORES: usize = 2048;
/// Puts on all of the million keys, and as many on few.
const MILLION_PUTS: u64 = 200_000;
/// What the first and the second side of the checkpoints' row are told: never, and whenever as much log has grown as two
/// segments hold, which is as often as can be.
const NO_CHECKPOINTS: &[&str] = &["--snapshot-count=1000000000000"];
const MANY_CHECKPOINTS: &[&str] = &["--snapshot-count=1", "--checkpoint-wal-bytes=134217728"];
/// So many times the keys of other rows are in each checkpoint.
const CHECKPOINT_KEYS_TIMES: u64 = 20;
const CONNECTIONS: usize = 8;
/// A load may meet a server that is busy with a checkpoint or an election.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What is wanted of the second side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    /// At least so many times the first side's value.
    RatioAtLeast(f64),
    /// At most so many times the first side's value.
    RatioAtMost(f64),
    /// At least this value, whatever the first side has.
    ValueAtLeast(f64),
    /// At most this value, whatever the first side has.
    ValueAtMost(f64),
    /// Only to be shown.
    Nothing,
}

/// One figure of a row.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub unit: &'static str,
    pub wanted: Wanted,
}

/// One side of a row.
#[derive(Debug, Clone)]
pub struct Side {
    pub name: &'static str,
    plan: Plan,
    /// Where the client runs; empty leaves it free.
    client_cpus: Vec<usize>,
}

/// One measurement of one side: a value for each of the row's metrics, and the reports that prove it.
#[derive(Debug)]
pub struct Sample {
    pub values: Vec<f64>,
    pub reports: Vec<Report>,
    /// What the servers used for the last load, or of the last row for all of them.
    pub usage: Usage,
}

const RATE: &str = "rate";
const PER_SECOND: &str = "/s";
const CPU: Metric = Metric { name: "server CPU a request", unit: " µs", wanted: Wanted::Nothing };

impl Row {
    pub fn title(self, options: &CompareOptions) -> String {
        let title = match self {
            Self::Put256 => "Put, 256 clients",
            Self::Put1 => "Put, 1 client",
            Self::Get => "linearizable Get, 256 clients",
            Self::Update => "Kubernetes update, 256 clients",
            Self::Shards => "Put, 2048 clients, all cores free",
            Self::Members3 => "Put, 256 clients, three members on both cores",
            Self::Checkpoints => {
                return format!("Put, 256 clients, {} keys", CHECKPOINT_KEYS_TIMES * options.keys);
            }
            Self::Million => return format!("{} keys", options.million_keys),
        };
        title.to_owned()
    }

    pub fn metrics(self) -> Vec<Metric> {
        let metric = |name, unit, wanted| Metric { name, unit, wanted };
        let rate = |times| metric(RATE, PER_SECOND, Wanted::RatioAtLeast(times));
        let p99 = |wanted| metric("p99", " µs", wanted);
        match self {
            Self::Put256 => vec![rate(5.0), p99(Wanted::RatioAtMost(0.25)), CPU],
            Self::Put1 => vec![metric("p50", " µs", Wanted::RatioAtMost(0.7)), p99(Wanted::Nothing), CPU],
            Self::Get | Self::Update => vec![rate(5.0), p99(Wanted::Nothing), CPU],
            Self::Shards => vec![rate(1.25), Metric { wanted: Wanted::RatioAtMost(1.25), ..CPU }],
            Self::Members3 => vec![rate(4.0), p99(Wanted::Nothing), CPU],
            Self::Checkpoints => vec![
                metric(RATE, PER_SECOND, Wanted::Nothing),
                p99(Wanted::Nothing),
                metric("p99.9", " µs", Wanted::Nothing),
                metric("checkpoints", "", Wanted::ValueAtLeast(1.0)),
            ],
            Self::Million => vec![
                metric("fill", "/s", Wanted::RatioAtLeast(2.0)),
                metric("resident memory", " MiB", Wanted::RatioAtMost(1.0)),
                metric("restart to first answer", " ms", Wanted::RatioAtMost(0.5)),
                metric("server CPU of a put, times that at few keys", "", Wanted::ValueAtMost(1.3)),
            ],
        }
    }

    /// The two sides, the one to compare with first.
    pub fn sides(self, options: &CompareOptions) -> [Side; 2] {
        let (one, both) = (vec![options.server_cpu], vec![options.server_cpu, options.client_cpu]);
        let plan = |binary: &std::path::Path, cpus: &[usize], shards, members| Plan {
            binary: binary.to_owned(),
            members,
            cpus: cpus.to_vec(),
            shards,
            one_core_each: members > cpus.len(),
            flags: Vec::new(),
            data_root: options.data_root(),
        };
        let shards = |count| (!options.no_shard_flags).then_some(count);
        let (etcd, campanile) = (options.etcd.as_path(), options.campanile.as_path());
        let side = |name, plan, client_cpus: &[usize]| Side { name, plan, client_cpus: client_cpus.to_vec() };
        match self {
            Self::Shards => [
                side("one shard, one core", plan(campanile, &one, shards(1), 1), &[]),
                side("two shards, two cores", plan(campanile, &both, shards(2), 1), &[]),
            ],
            Self::Members3 => [
                side("etcd", plan(etcd, &both, None, 3), &[]),
                side("campanile", plan(campanile, &both, shards(1), 3), &[]),
            ],
            Self::Checkpoints => {
                [("no checkpoints", NO_CHECKPOINTS), ("checkpoints", MANY_CHECKPOINTS)].map(|(name, flags)| {
                    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
                    side(name, Plan { flags, ..plan(campanile, &one, shards(1), 1) }, &[options.client_cpu])
                })
            }
            _ => [
                side("etcd", plan(etcd, &one, None, 1), &[options.client_cpu]),
                side("campanile", plan(campanile, &one, shards(1), 1), &[options.client_cpu]),
            ],
        }
    }

    /// Measures one side once, on a new cluster.
    ///
    /// # Errors
    /// If the servers do not start or cannot be reached.
    pub fn measure(self, options: &CompareOptions, side: &Side) -> Result<Sample, Error> {
        let mut cluster = Cluster::start(side.plan.clone())?;
        if self == Self::Million {
            return million(options, side, &mut cluster);
        }
        let (operation, clients) = match self {
            Self::Get => (Operation::Get, MANY_CLIENTS),
            Self::Update => (Operation::Update, MANY_CLIENTS),
            Self::Put1 => (Operation::Put, 1),
            Self::Shards => (Operation::Put, CLIENTS_FOR_TWO_CORES),
            _ => (Operation::Put, MANY_CLIENTS),
        };
        let connections = CONNECTIONS.min(clients);
        let mut load = Load { clients, connections, ..load(options, side, &cluster, operation) };
        if self == Self::Checkpoints {
            load = Load { keys: CHECKPOINT_KEYS_TIMES * options.keys, prefill: true, ..load };
        }
        let (report, usage) = measured(&load, &cluster)?;
        let latencies = report.first().latencies;
        let cpu_us = cpu_us_per_request(&report, usage);
        let values = match self {
            Self::Put1 => vec![latencies.p50_us, latencies.p99_us, cpu_us],
            Self::Shards => vec![report.per_second, cpu_us],
            Self::Checkpoints => {
                vec![report.per_second, latencies.p99_us, latencies.p99_9_us, cluster.checkpoints()? as f64]
            }
            _ => vec![report.per_second, latencies.p99_us, cpu_us],
        };
        Ok(Sample { values, reports: vec![report], usage })
    }
}

/// Fills a million keys, puts so many times on all of them, and starts the server again. What a put costs at few keys is
/// measured on a server of its own, by as many puts.
fn million(options: &CompareOptions, side: &Side, cluster: &mut Cluster) -> Result<Sample, Error> {
    let few_keys = Cluster::start(side.plan.clone())?;
    let length = Length::Requests(MILLION_PUTS);
    let (few, few_usage) = measured(&Load { length, ..load(options, side, &few_keys, Operation::Put) }, &few_keys)?;
    drop(few_keys);
    let puts = load(options, side, cluster, Operation::Put);
    let many_keys = Load { keys: options.million_keys, prefix: "/million/".into(), length, ..puts };
    let filling = Load {
        order: Order::Sequential,
        length: Length::Requests(options.million_keys),
        warm_up: Duration::ZERO,
        ..many_keys.clone()
    };
    let (fill, _) = measured(&filling, cluster)?;
    let resident_bytes = cluster.usage()?.resident_bytes;
    let (many, many_usage) = measured(&many_keys, cluster)?;
    let usage = cluster.usage()?;
    let restart = cluster.restart()?;
    const MIB: f64 = 1_048_576.0;
    let cost = cpu_us_per_request(&many, many_usage) / cpu_us_per_request(&few, few_usage);
    let values = vec![fill.per_second, resident_bytes as f64 / MIB, restart.as_secs_f64() * 1e3, cost];
    Ok(Sample { values, reports: vec![few, fill, many], usage })
}

/// Runs a load and tells what it cost the servers, the filling of its keys left out.
fn measured(load: &Load, cluster: &Cluster) -> Result<(Report, Usage), Error> {
    let mut before = Usage::default();
    let outcome = run(load, || {
        before = cluster.usage()?;
        Ok(())
    })?;
    Ok((Report::new(load, &outcome), cluster.usage()?.since(before)))
}

/// The servers' CPU time for each request, those of the warm-up included, in microseconds.
fn cpu_us_per_request(report: &Report, usage: Usage) -> f64 {
    usage.cpu.as_secs_f64() * 1e6 / report.answered.max(1) as f64
}

fn load(options: &CompareOptions, side: &Side, cluster: &Cluster, operation: Operation) -> Load {
    Load {
        endpoints: cluster.endpoints(),
        mix: Mix::only(operation),
        clients: MANY_CLIENTS,
        connections: CONNECTIONS,
        threads: 1,
        cpus: side.client_cpus.clone(),
        length: Length::Time(options.duration),
        warm_up: options.warm_up,
        rate: None,
        keys: options.keys,
        order: Order::Uniform,
        zipf_exponent: 1.0,
        prefix: "/compare/".into(),
        value_bytes: options.value_size,
        seed: 1,
        serializable: false,
        range_limit: 0,
        prefill: operation != Operation::Put,
        shared: false,
        timeout: TIMEOUT,
        verbose: options.verbose,
    }
}
