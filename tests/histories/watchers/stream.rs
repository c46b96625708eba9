//! One watch stream: it is opened with all watches of its watcher, read, slowly at times, asked how far it is, and left when the
//! dice say so or nothing comes any more.

use std::time::{Duration, Instant};

use campanile_api::etcdserverpb as pb;
use campanile_simulate::client::watcher::Watcher;
use campanile_storage::ids::Revision;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;

use super::{Follower, Home};
use crate::wire::events::{self, Parts};

/// A stream is given up if its opening takes longer, or if nothing comes for so long though it was asked how far it is.
const SILENCE_LIMIT: Duration = Duration::from_millis(1_500);
/// How often a watcher does something but read.
const ACT_INTERVAL_MS: std::ops::Range<u64> = 100..800;
/// How often it asks how far the stream is, once it has to come to an end.
const ASK_INTERVAL: Duration = Duration::from_millis(100);
const SLOW_READER: Duration = Duration::from_millis(400);

type Requests = mpsc::UnboundedSender<pb::WatchRequest>;

/// What woke the reader.
enum Woken {
    Message(pb::WatchResponse),
    Ended,
    Time,
}

impl Follower {
    /// Follows one stream to its end. Whether everything up to the goal has come.
    pub(super) async fn follow_stream(&mut self, member: usize) -> bool {
        let (requests, receiver) = mpsc::unbounded_channel();
        for wish in &self.watcher.wishes {
            let _ = requests.send(events::create(wish));
        }
        let mut client = self.connections[member].watch();
        let opening = client.watch(UnboundedReceiverStream::new(receiver));
        let Ok(Ok(answer)) = timeout(SILENCE_LIMIT, opening).await else { return false };
        let mut messages = answer.into_inner();
        let mut parts = Parts::default();
        let mut heard_at = Instant::now();
        let mut act_at = heard_at + self.act_interval();
        loop {
            if self.has_everything() {
                return true;
            }
            match next(&mut messages, act_at).await {
                Woken::Message(message) => {
                    heard_at = Instant::now();
                    if !self.read(&mut parts, message) {
                        return false;
                    }
                }
                Woken::Ended => return false,
                Woken::Time => {
                    if heard_at.elapsed() > SILENCE_LIMIT || !self.act(&requests).await {
                        return false;
                    }
                    act_at = Instant::now() + self.act_interval();
                }
            }
        }
    }

    fn act_interval(&mut self) -> Duration {
        match *self.goal.borrow() {
            Some(_) => ASK_INTERVAL,
            None => Duration::from_millis(self.watcher.dice.within(ACT_INTERVAL_MS)),
        }
    }

    /// Writes a response down. Whether the stream goes on.
    fn read(&mut self, parts: &mut Parts, message: pb::WatchResponse) -> bool {
        let response = match parts.take(message) {
            Ok(Some(response)) => response,
            Ok(None) => return true,
            Err(nonsense) => {
                self.recorder.complain(nonsense.0);
                return false;
            }
        };
        let now = self.recorder.show(response.revision);
        let watching = &mut self.watching;
        self.watcher.read(&response, now, &mut watching.watches, &mut watching.counts);
        if let Home::Member(collector) = self.home {
            self.recorder.collect(collector, stand(&self.watcher, &watching.watches).before());
        }
        self.watcher.has_open()
    }

    /// Now and then: asks how far the stream is, cancels a watch, reads nothing for a while, or leaves. Whether it stays.
    async fn act(&mut self, requests: &Requests) -> bool {
        let must_end = self.goal.borrow().is_some();
        // What was cancelled comes back on the next stream.
        if must_end && self.watcher.open().count() < self.watcher.wishes.len() {
            return false;
        }
        // A collector only asks: that keeps a quiet stream from being given up.
        if must_end || matches!(self.home, Home::Member(_)) {
            return requests.send(events::progress()).is_ok();
        }
        match self.watcher.dice.below(6) {
            0..3 => return requests.send(events::progress()).is_ok(),
            3 => {
                if let Some((watch_id, _)) = self.watcher.open().next() {
                    return requests.send(events::cancel(watch_id)).is_ok();
                }
            }
            4 => sleep(SLOW_READER).await,
            _ => return false,
        }
        true
    }

    /// Whether there is a goal, and every watch of the watcher is open and has brought everything up to it.
    fn has_everything(&self) -> bool {
        let Some(goal) = *self.goal.borrow() else { return false };
        let all_open = self.watcher.open().count() == self.watcher.wishes.len();
        all_open && stand(&self.watcher, &self.watching.watches) > goal.revision
    }
}

/// Where the watch that is furthest behind goes on.
fn stand(watcher: &Watcher, watches: &[campanile_simulate::record::watching::Watched]) -> Revision {
    watcher.open().map(|(_, place)| watches[place].next()).min().unwrap_or(Revision::EMPTY)
}

async fn next(messages: &mut Streaming<pb::WatchResponse>, act_at: Instant) -> Woken {
    match timeout(act_at.saturating_duration_since(Instant::now()), messages.message()).await {
        Ok(Ok(Some(message))) => Woken::Message(message),
        Ok(Ok(None) | Err(_)) => Woken::Ended,
        Err(_) => Woken::Time,
    }
}
