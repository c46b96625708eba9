//! One watch stream of one side: requests go out, answers are sorted by what they tell.
//!
//! A stream also watches over the promises that need no second opinion: a revision is delivered whole, in order, and
//! never after a progress notice that covers it.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use campanile_api::{
    etcdserverpb::{WatchRequest, WatchResponse, watch_request::RequestUnion},
    mvccpb::Event,
};
use campanile_test_support::Client;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::history;

/// How long an answer may take. A server that is silent longer has lost it.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Requests that wait to be sent; the test sends one at a time.
const REQUESTS_WAITING_MAX: usize = 16;

/// What has come and was not looked at yet.
#[derive(Debug, Default)]
pub struct Received {
    /// Created, refused, cancelled by request: in the order of the requests.
    pub controls: VecDeque<WatchResponse>,
    /// Revisions of progress notices for the whole stream.
    pub progress: VecDeque<i64>,
    /// Events by watcher.
    pub events: HashMap<i64, Vec<Event>>,
    /// Watchers that were cancelled because their revision was compacted.
    pub compacted: HashMap<i64, WatchResponse>,
    /// Responses that said that more of them follows.
    pub fragments: u64,
    /// Promises that were broken.
    pub broken: Vec<String>,
    /// Why the stream ended.
    pub ended: Option<Status>,
    /// What each watcher has been told.
    told: HashMap<i64, Told>,
}

/// How far a watcher is.
#[derive(Debug, Default)]
struct Told {
    /// The newest revision delivered.
    revision: i64,
    /// More of that revision may follow.
    is_open: bool,
    /// The newest progress notice since it was created.
    progress: i64,
}

/// The test's end of a stream.
#[derive(Debug)]
pub struct Stream {
    requests: mpsc::Sender<WatchRequest>,
    inbox: Arc<Inbox>,
}

#[derive(Debug, Default)]
struct Inbox {
    received: Mutex<Received>,
    changed: Notify,
}

impl Stream {
    pub fn open(client: &Client) -> Self {
        let (requests, outgoing) = mpsc::channel(REQUESTS_WAITING_MAX);
        let inbox = Arc::new(Inbox::default());
        tokio::spawn(receive(client.clone(), ReceiverStream::new(outgoing), inbox.clone()));
        Self { requests, inbox }
    }

    /// An ended stream shows in what is received.
    pub async fn send(&self, request: RequestUnion) {
        let _ = self.requests.send(WatchRequest { request_union: Some(request) }).await;
    }

    /// Waits until `look` finds what it wants among what was received. `None` after the deadline or the stream's end.
    pub async fn wait<T>(&self, look: impl FnMut(&mut Received) -> Option<T>) -> Option<T> {
        tokio::time::timeout(ANSWER_LIMIT, self.wait_long(look)).await.ok().flatten()
    }

    async fn wait_long<T>(&self, mut look: impl FnMut(&mut Received) -> Option<T>) -> Option<T> {
        loop {
            let changed = self.inbox.changed.notified();
            {
                let mut received = self.received();
                if let Some(found) = look(&mut received) {
                    return Some(found);
                }
                if received.ended.is_some() {
                    return None;
                }
            }
            changed.await;
        }
    }

    pub fn received(&self) -> MutexGuard<'_, Received> {
        self.inbox.received.lock().expect("no holder of the inbox panics")
    }

    pub fn take_broken(&self) -> Vec<String> {
        mem::take(&mut self.received().broken)
    }
}

async fn receive(client: Client, requests: ReceiverStream<WatchRequest>, inbox: Arc<Inbox>) {
    let ended = async {
        let mut answers = client.watch().watch(requests).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            inbox.received.lock().expect("no holder of the inbox panics").take(answer);
            inbox.changed.notify_waiters();
        }
        Ok(())
    }
    .await;
    let status = ended.err().unwrap_or_else(|| Status::ok("the server closed the stream"));
    inbox.received.lock().expect("no holder of the inbox panics").ended = Some(status);
    inbox.changed.notify_waiters();
}

impl Received {
    fn take(&mut self, answer: WatchResponse) {
        let is_stream_wide = answer.watch_id == -1;
        if answer.compact_revision != 0 && !answer.created {
            self.compacted.insert(answer.watch_id, answer);
        } else if answer.created || answer.canceled {
            self.told.insert(answer.watch_id, Told::default());
            self.controls.push_back(answer);
        } else if !answer.events.is_empty() {
            self.check(&answer);
            self.fragments += u64::from(answer.fragment);
            self.events.entry(answer.watch_id).or_default().extend(answer.events);
        } else if is_stream_wide {
            let at = answer.header.map_or(0, |header| header.revision);
            self.told.values_mut().for_each(|told| told.progress = at);
            self.progress.push_back(at);
        }
        // What is left are periodic notices of one watcher: they come by the clock, so nothing is compared.
    }

    fn check(&mut self, answer: &WatchResponse) {
        let (id, told) = (answer.watch_id, self.told.entry(answer.watch_id).or_default());
        for event in &answer.events {
            let revision = history::revision(event);
            if revision < told.revision || (revision == told.revision && !told.is_open) {
                self.broken
                    .push(format!("watcher {id}: revision {revision} came after {} was complete", told.revision));
            }
            if revision <= told.progress {
                self.broken.push(format!("watcher {id}: revision {revision} came after a notice at {}", told.progress));
            }
            (told.revision, told.is_open) = (revision, true);
        }
        let header = answer.header.as_ref().map_or(0, |header| header.revision);
        if header < told.revision {
            self.broken.push(format!("watcher {id}: an answer at revision {header} holds revision {}", told.revision));
        }
        told.is_open = answer.fragment;
    }
}
