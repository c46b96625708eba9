//! A watcher of everything that resumes from its last revision whenever its stream breaks, and must miss and repeat nothing.

use std::time::Duration;

use campanile_api::{
    etcdserverpb::{WatchCreateRequest, WatchRequest, watch_request::RequestUnion},
    mvccpb::Event,
};
use campanile_test_support::Client;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tonic::Status;

use crate::{attempt::Change, audit::FIRST_REVISION};

/// A stream that is silent for so long is given up, should its member have gone without a word.
const SILENCE_LIMIT: Duration = Duration::from_secs(2);
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// A running watcher.
pub struct Follower {
    task: JoinHandle<Followed>,
    goal: watch::Sender<Option<i64>>,
}

/// What it saw.
#[derive(Debug, Default)]
pub struct Followed {
    pub changes: Vec<Change>,
    /// How often it resumed.
    pub resumptions: u64,
}

impl Follower {
    /// Watches from the beginning, at one member after the other.
    pub fn start(addresses: &[String]) -> Self {
        let (goal, goal_seen) = watch::channel(None);
        let clients = addresses.iter().map(|address| Client::new(address)).collect();
        Self { task: tokio::spawn(follow(clients, goal_seen)), goal }
    }

    /// Lets it go on until it has seen this revision. Panics if it missed, repeated or tore one.
    pub async fn stop_at(self, revision: i64) -> Followed {
        self.goal.send_replace(Some(revision));
        self.task.await.expect("the watcher missed and repeated nothing")
    }
}

async fn follow(clients: Vec<Client>, goal: watch::Receiver<Option<i64>>) -> Followed {
    let mut followed = Followed::default();
    loop {
        let client = &clients[followed.resumptions as usize % clients.len()];
        if let Ok(()) = follow_stream(client, &goal, &mut followed.changes).await {
            return followed;
        }
        followed.resumptions += 1;
        sleep(RETRY_INTERVAL).await;
    }
}

/// One stream, up to its end, which is an error, or to the goal.
async fn follow_stream(
    client: &Client,
    goal: &watch::Receiver<Option<i64>>,
    changes: &mut Vec<Change>,
) -> Result<(), Status> {
    let next = |changes: &Vec<Change>| changes.last().map_or(FIRST_REVISION, |change| change.revision + 1);
    let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(everything(next(changes)))) };
    let requests = tokio_stream::StreamExt::chain(tokio_stream::once(request), tokio_stream::pending());
    let mut goal = goal.clone();
    let mut answers = timeout(SILENCE_LIMIT, client.watch().watch(requests))
        .await
        .map_err(|_| Status::deadline_exceeded("no answer to the watch"))??
        .into_inner();
    loop {
        if goal.borrow_and_update().is_some_and(|goal| next(changes) > goal) {
            return Ok(());
        }
        let answer = tokio::select! {
            _ = goal.changed() => continue,
            answer = timeout(SILENCE_LIMIT, answers.message()) => answer,
        };
        let answer = answer
            .map_err(|_| Status::deadline_exceeded("silence"))??
            .ok_or_else(|| Status::unavailable("the stream ended"))?;
        assert!(!answer.canceled || answer.compact_revision == 0, "nobody compacts: {answer:?}");
        if answer.canceled {
            return Err(Status::cancelled(answer.cancel_reason));
        }
        take(changes, answer.events, next(changes));
    }
}

/// Appends the events of one answer: whole revisions, each one above the last.
fn take(changes: &mut Vec<Change>, events: Vec<Event>, mut due: i64) {
    for event in events {
        let kv = event.kv.expect("an event is about a key");
        let goes_on = kv.mod_revision == due - 1 && changes.last().is_some_and(|last| last.revision == due - 1);
        assert!(kv.mod_revision == due || goes_on, "revision {due} was due, {} came", kv.mod_revision);
        due = kv.mod_revision + 1;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        changes.push(Change { revision: kv.mod_revision, key: text(&kv.key), value: text(&kv.value) });
    }
}

fn everything(start_revision: i64) -> WatchCreateRequest {
    WatchCreateRequest { key: "\0".into(), range_end: "\0".into(), start_revision, ..Default::default() }
}
