//! Clients that write all the time, each over its own connection, and move on to another member when one fails them.

use std::{sync::Arc, time::Duration};

use campanile_api::etcdserverpb::{PutRequest, RequestOp, TxnRequest, request_op::Request};
use campanile_test_support::{Client, Seed};
use rand::{Rng, rngs::StdRng};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tonic::Status;

use crate::attempt::Attempt;

/// How many write at once.
const WRITERS: u64 = 8;
/// Keys of each writer: few, so that versions pile up.
const KEYS: u64 = 40;
/// Without an answer for so long a write is 'maybe', and its writer tries another member.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// Writers pause up to so long between writes; the crash is the test, not the load.
const PAUSE_MS_MAX: u64 = 4;

/// Running writers.
pub struct Writers {
    tasks: JoinSet<Vec<Attempt>>,
    stop: watch::Sender<bool>,
}

impl Writers {
    pub fn start(addresses: &[String], seed: Seed) -> Self {
        let (stop, stopped) = watch::channel(false);
        let addresses: Arc<[String]> = addresses.into();
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS {
            tasks.spawn(write(writer, addresses.clone(), seed.part(1_000 + writer), stopped.clone()));
        }
        Self { tasks, stop }
    }

    /// Lets each finish what it has begun. Everything that was ever tried.
    pub async fn stop(self) -> Vec<Attempt> {
        self.stop.send_replace(true);
        self.tasks.join_all().await.concat()
    }
}

async fn write(
    writer: u64,
    addresses: Arc<[String]>,
    mut random: StdRng,
    stopped: watch::Receiver<bool>,
) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let clients: Vec<Client> = addresses.iter().map(|address| Client::new(address)).collect();
    let mut member = writer as usize % clients.len();
    for number in 0u64.. {
        if *stopped.borrow() {
            break;
        }
        let at = random.random_range(0..KEYS);
        let keys = match random.random_range(0..4) {
            0 => vec![format!("w{writer}/left/{at}"), format!("w{writer}/right/{at}")],
            _ => vec![format!("w{writer}/{at}")],
        };
        let attempt = attempt(&clients[member], format!("{writer}:{number}"), keys, ANSWER_LIMIT).await;
        if attempt.revision.is_none() {
            member = (member + 1) % clients.len();
            sleep(Duration::from_millis(10)).await;
        }
        attempts.push(attempt);
        sleep(Duration::from_millis(random.random_range(0..=PAUSE_MS_MAX))).await;
    }
    attempts
}

/// Puts `value` to all `keys` at one revision.
pub async fn attempt(client: &Client, value: String, keys: Vec<String>, limit: Duration) -> Attempt {
    let answer = timeout(limit, ask(client, &value, &keys)).await;
    Attempt { value, keys, revision: answer.ok().and_then(Result::ok) }
}

async fn ask(client: &Client, value: &str, keys: &[String]) -> Result<i64, Status> {
    let put =
        |key: &String| PutRequest { key: key.clone().into(), value: value.to_owned().into(), ..Default::default() };
    let header = match keys {
        [key] => client.kv().put(put(key)).await?.into_inner().header,
        _ => {
            let success = keys.iter().map(|key| RequestOp { request: Some(Request::RequestPut(put(key))) }).collect();
            client.kv().txn(TxnRequest { success, ..Default::default() }).await?.into_inner().header
        }
    };
    Ok(header.expect("every answer has a header").revision)
}
