//! How long nobody's writes are acknowledged after a leader is gone.

use std::time::{Duration, Instant};

use campanile_test_support::Client;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{attempt::Attempt, writers};

/// A new write is tried this often, without waiting for the one before.
const PROBE_INTERVAL: Duration = Duration::from_millis(10);
const PROBE_LIMIT: Duration = Duration::from_secs(2);
const OUTAGE_LIMIT: Duration = Duration::from_secs(60);

/// Writes to `addresses` in turn from now on. The time until the first acknowledgement, and all that was tried.
pub async fn measure(addresses: &[String], name: &str) -> (Duration, Vec<Attempt>) {
    let begin = Instant::now();
    let clients: Vec<Client> = addresses.iter().map(|address| Client::new(address)).collect();
    let mut probes = JoinSet::new();
    let mut attempts = Vec::new();
    let mut ticks = interval(PROBE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0;
    loop {
        tokio::select! {
            Some(attempt) = probes.join_next() => {
                let attempt: Attempt = attempt.expect("a probe does not panic");
                let is_acknowledged = attempt.revision.is_some();
                attempts.push(attempt);
                if is_acknowledged {
                    let outage = begin.elapsed();
                    attempts.extend(probes.join_all().await);
                    return (outage, attempts);
                }
            }
            _ = ticks.tick() => {
                assert!(begin.elapsed() < OUTAGE_LIMIT, "no write is acknowledged after {OUTAGE_LIMIT:?}");
                let client = clients[number % clients.len()].clone();
                let (value, key) = (format!("{name}:{number}"), format!("probe/{}", number % 10));
                probes.spawn(async move { writers::attempt(&client, value, vec![key], PROBE_LIMIT).await });
                number += 1;
            }
        }
    }
}
