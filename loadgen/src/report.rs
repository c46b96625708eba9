//! What a run amounts to, as data: rates, percentiles, the client's own cost, and the proof that the work was done.
//! It computes and judges; `report/text.rs` prints.

mod proof;
mod text;

pub use proof::Proof;

use crate::{
    driver::{run::Outcome, tally::Series},
    load::Load,
    workload::operation::Operation,
};
use serde::Serialize;

const NANOS_PER_SECOND: f64 = 1e9;
const NANOS_PER_MICROSECOND: f64 = 1e3;

/// Latency percentiles, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latencies {
    pub mean_us: f64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p99_9_us: f64,
    pub p99_99_us: f64,
    pub max_us: f64,
}

/// One kind of operation.
#[derive(Debug, Clone, Serialize)]
pub struct OperationReport {
    pub operation: Operation,
    /// Successful requests that ended in the measured window.
    pub count: u64,
    pub per_second: f64,
    /// Of the successful requests that began, or should have begun, in the window.
    pub latencies: Latencies,
}

/// What the generator itself cost, inside the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClientCost {
    /// CPU time for each request, in microseconds, over all threads.
    pub cpu_us_per_request: f64,
    /// CPU time of the busiest thread, of the window's time.
    pub busiest_thread: f64,
    /// Time in which a thread could have run but another program had its CPU, of the window's time; the worst thread's.
    pub kept_waiting: f64,
}

/// How a load was made, as far as its result depends on it.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    pub endpoints: Vec<String>,
    pub mix: String,
    pub clients: usize,
    pub connections: usize,
    pub threads: usize,
    /// Requests per second of an open loop.
    pub rate: Option<u64>,
    pub keys: u64,
    pub order: crate::workload::keys::Order,
    pub value_bytes: usize,
    pub seed: u64,
    pub serializable: bool,
}

/// A whole report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub setting: Setting,
    /// Requests that were answered well, the warm-up's too, but not those that filled the keys.
    pub answered: u64,
    /// Length of the measured window, in seconds.
    pub seconds: f64,
    pub per_second: f64,
    /// Keys filled before, and how fast, if they were.
    pub fill: Option<Fill>,
    pub operations: Vec<OperationReport>,
    pub client: ClientCost,
    pub proof: Proof,
}

/// The filling of the key space.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fill {
    pub keys: u64,
    pub seconds: f64,
}

impl Report {
    pub fn new(load: &Load, outcome: &Outcome) -> Self {
        let seconds = outcome.load.window as f64 / NANOS_PER_SECOND;
        let operations: Vec<_> = Operation::ALL
            .into_iter()
            .filter(|&operation| load.mix.has(operation))
            .map(|operation| OperationReport::new(operation, outcome.load.series(operation), seconds))
            .collect();
        let count: u64 = operations.iter().map(|operation| operation.count).sum();
        let client = ClientCost::new(outcome, count);
        Self {
            setting: Setting::of(load),
            answered: outcome.load.answered(),
            seconds,
            per_second: ratio(count as f64, seconds),
            fill: outcome.prefill.as_ref().map(|fill| Fill {
                keys: fill.series(Operation::Put).succeeded,
                seconds: fill.window as f64 / NANOS_PER_SECOND,
            }),
            operations,
            client,
            proof: Proof::new(load, outcome, &client),
        }
    }

    /// The report of the only kind of operation, or of the first of a mix.
    pub fn first(&self) -> &OperationReport {
        self.operations.first().expect("a load has at least one kind of operation")
    }
}

impl OperationReport {
    fn new(operation: Operation, series: &Series, seconds: f64) -> Self {
        let latencies = &series.latencies;
        let at = |quantile| latencies.value_at_quantile(quantile) as f64 / NANOS_PER_MICROSECOND;
        Self {
            operation,
            count: series.in_window,
            per_second: ratio(series.in_window as f64, seconds),
            latencies: Latencies {
                mean_us: latencies.mean() / NANOS_PER_MICROSECOND,
                p50_us: at(0.5),
                p90_us: at(0.9),
                p99_us: at(0.99),
                p99_9_us: at(0.999),
                p99_99_us: at(0.9999),
                max_us: latencies.max() as f64 / NANOS_PER_MICROSECOND,
            },
        }
    }
}

impl ClientCost {
    fn new(outcome: &Outcome, requests: u64) -> Self {
        let window = outcome.load.window as f64;
        let threads = &outcome.load.cpu;
        let most = |of: fn(&crate::clock::CpuUse) -> u64| threads.iter().map(of).max().unwrap_or(0) as f64;
        let used: u64 = threads.iter().map(|thread| thread.used).sum();
        Self {
            cpu_us_per_request: ratio(used as f64 / NANOS_PER_MICROSECOND, requests as f64),
            busiest_thread: ratio(most(|thread| thread.used), window),
            kept_waiting: ratio(most(|thread| thread.waited), window),
        }
    }
}

impl Setting {
    fn of(load: &Load) -> Self {
        Self {
            endpoints: load.endpoints.iter().map(ToString::to_string).collect(),
            mix: load.mix.to_string(),
            clients: load.clients,
            connections: load.connections,
            threads: load.threads,
            rate: load.rate,
            keys: load.keys,
            order: load.order,
            value_bytes: load.value_bytes,
            seed: load.seed,
            serializable: load.serializable,
        }
    }
}

/// A quotient that is 0 where nothing was measured.
fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator > 0.0 { numerator / denominator } else { 0.0 }
}
