//! One load, as data: what to ask of which servers, how fast, for how long, from which threads. Checked once, here;
//! whatever comes after relies on it.

use crate::{
    endpoint::Endpoint,
    error::Error,
    workload::{
        keys::{KEYS_MAX, Order},
        operation::Mix,
    },
};
use std::time::Duration;

/// Requests in flight, of all threads. Each costs the client some memory, and the server much more.
pub const CLIENTS_MAX: usize = 1_000_000;
/// Largest value: what etcd's own limit for a request, 1.5 MiB, cannot hold is only of use to see it refused.
pub const VALUE_BYTES_MAX: usize = 8 << 20;
/// Requests per second of an open loop.
pub const RATE_MAX: u64 = 100_000_000;
/// Threads; more than any machine has use for.
pub const THREADS_MAX: usize = 1024;

/// How long the measured part lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Time(Duration),
    Requests(u64),
}

/// A load to be run.
#[derive(Debug, Clone)]
pub struct Load {
    /// Connections are spread over them in turn.
    pub endpoints: Vec<Endpoint>,
    pub mix: Mix,
    /// Requests in flight over all connections: all of the time in a closed loop, at most in an open one.
    pub clients: usize,
    pub connections: usize,
    pub threads: usize,
    /// CPUs to pin threads to, in turn; empty leaves them free.
    pub cpus: Vec<usize>,
    pub length: Length,
    pub warm_up: Duration,
    /// Requests per second of an open loop; none for a closed one.
    pub rate: Option<u64>,
    pub keys: u64,
    pub order: Order,
    pub zipf_exponent: f64,
    pub prefix: String,
    pub value_bytes: usize,
    pub seed: u64,
    pub serializable: bool,
    /// Keys that one range returns at most.
    pub range_limit: i64,
    /// Put every key once before the load.
    pub prefill: bool,
    /// Others write to the store too: how its revision rises proves nothing.
    pub shared: bool,
    /// For connecting, and for the last answers.
    pub timeout: Duration,
    /// Print a line each second.
    pub verbose: bool,
}

impl Load {
    /// Refuses a load that makes no sense, naming the option, its value and the remedy.
    ///
    /// # Errors
    /// [`Error::Options`].
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |text: String| Err(Error::Options(text));
        if self.endpoints.is_empty() {
            return refuse("--endpoints names no server".into());
        }
        if self.threads == 0 || self.threads > THREADS_MAX {
            return refuse(format!("--threads {}: give 1 to {THREADS_MAX}", self.threads));
        }
        if self.connections < self.threads {
            return refuse(format!(
                "--connections {} is less than --threads {}: each thread needs a connection",
                self.connections, self.threads
            ));
        }
        if self.clients < self.connections || self.clients > CLIENTS_MAX {
            return refuse(format!(
                "--clients {}: give at least one for each of the {} connections, and at most {CLIENTS_MAX}",
                self.clients, self.connections
            ));
        }
        if self.keys < self.threads as u64 || self.keys > KEYS_MAX {
            return refuse(format!("--keys {}: give {} (one for each thread) to {KEYS_MAX}", self.keys, self.threads));
        }
        if self.value_bytes > VALUE_BYTES_MAX {
            return refuse(format!("--value-size {}: give at most {VALUE_BYTES_MAX} bytes", self.value_bytes));
        }
        if let Some(rate) = self.rate.filter(|rate| !(1..=RATE_MAX).contains(rate)) {
            return refuse(format!("--rate {rate}: give 1 to {RATE_MAX} requests per second"));
        }
        if !(self.zipf_exponent.is_finite() && self.zipf_exponent > 0.0) {
            return refuse(format!("--zipf-exponent {}: give a positive number", self.zipf_exponent));
        }
        if self.range_limit < 0 {
            return refuse(format!("--limit {}: give a number of keys, or 0 for no limit", self.range_limit));
        }
        match self.length {
            Length::Time(time) if time.is_zero() => refuse("--duration 0: give a time above zero, as in 10s".into()),
            Length::Requests(0) => refuse("--count 0: give at least one request".into()),
            _ => Ok(()),
        }
    }

    /// How many calls connection `number` may have in flight.
    pub fn clients_of(&self, number: usize) -> usize {
        self.clients / self.connections + usize::from(number < self.clients % self.connections)
    }

    /// A small load for unit tests.
    #[cfg(test)]
    pub fn for_tests() -> Self {
        use crate::workload::operation::Operation;
        Self {
            endpoints: vec!["127.0.0.1:1".parse().expect("a valid endpoint")],
            mix: Mix::only(Operation::Put),
            clients: 4,
            connections: 2,
            threads: 1,
            cpus: Vec::new(),
            length: Length::Requests(100),
            warm_up: Duration::ZERO,
            rate: None,
            keys: 10,
            order: Order::Uniform,
            zipf_exponent: 0.99,
            prefix: "/loadgen/".into(),
            value_bytes: 256,
            seed: 1,
            serializable: false,
            range_limit: 100,
            prefill: false,
            shared: false,
            timeout: Duration::from_secs(5),
            verbose: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_shared_out_completely() {
        let load = Load { clients: 11, connections: 4, ..Load::for_tests() };
        assert_eq!((0..4).map(|number| load.clients_of(number)).collect::<Vec<_>>(), [3, 3, 3, 2]);
    }

    #[test]
    fn senseless_loads_name_their_option() {
        let good = Load::for_tests();
        assert!(good.check().is_ok());
        let refused = |load: Load, option: &str| {
            let reason = load.check().expect_err(option).to_string();
            assert!(reason.starts_with(option), "{reason}");
        };
        refused(Load { endpoints: Vec::new(), ..good.clone() }, "--endpoints");
        refused(Load { threads: 0, ..good.clone() }, "--threads 0");
        refused(Load { threads: 3, ..good.clone() }, "--connections 2");
        refused(Load { clients: 1, ..good.clone() }, "--clients 1");
        refused(Load { keys: 0, ..good.clone() }, "--keys 0");
        refused(Load { value_bytes: 9 << 20, ..good.clone() }, "--value-size");
        refused(Load { rate: Some(0), ..good.clone() }, "--rate 0");
        refused(Load { zipf_exponent: f64::NAN, ..good.clone() }, "--zipf-exponent");
        refused(Load { range_limit: -1, ..good.clone() }, "--limit -1");
        refused(Load { length: Length::Requests(0), ..good.clone() }, "--count 0");
        refused(Load { length: Length::Time(Duration::ZERO), ..good }, "--duration 0");
    }
}
