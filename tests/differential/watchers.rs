//! What the run knows of each generated watcher, and the steps that concern watchers: creating, ending, catching up.

use campanile_api::{
    etcdserverpb::{
        DeleteRangeRequest, PutRequest, WatchCancelRequest, WatchCreateRequest, WatchProgressRequest,
        watch_create_request::FilterType, watch_request::RequestUnion,
    },
    mvccpb::{Event, event::EventType},
};
use campanile_test_support::Kind;

use crate::{
    answer::Answer,
    difference::Difference,
    excused,
    history::{History, Interest, revision},
    operation::Operation,
    run::Run,
    side::Side,
};

/// A watcher that both sides have created.
#[derive(Debug)]
pub struct Watcher {
    pub stream: usize,
    pub id: i64,
    interest: Interest,
    /// Everything up to here was received and compared.
    compared: i64,
    /// It is known to be past its history: it began with none, or has received something.
    caught_up: bool,
    /// It began below the compacted revision, so all that it receives is that it is cancelled.
    doomed: bool,
}

impl Watcher {
    fn is_poked_by_delete(&self) -> bool {
        self.interest.request.filters.contains(&(FilterType::Noput as i32))
    }

    fn operation(&self) -> Operation {
        Operation::Watch { stream: self.stream, request: self.interest.request.clone() }
    }

    /// Whether a server of this kind is sure to send the event, or sure not to.
    fn is_certain(&self, kind: Kind, history: &History, event: &Event) -> bool {
        if revision(event) != self.interest.compacted {
            return true;
        }
        let is_lost = excused::loses_deletions_at_compacted_revision(kind) && event.r#type == EventType::Delete as i32;
        let is_swept = excused::shows_superseded_until_swept(kind) && history.is_superseded(event);
        !is_lost && !is_swept
    }

    /// The part of `events` on which a server of this kind is to be taken at its word.
    fn certain(&self, kind: Kind, history: &History, mut events: Vec<Event>) -> Vec<Event> {
        events.retain(|event| self.is_certain(kind, history, event));
        events
    }
}

impl Run {
    pub(crate) async fn create_watcher(
        &mut self,
        stream: usize,
        request: WatchCreateRequest,
    ) -> Result<(), Difference> {
        let operation = Operation::Watch { stream, request: request.clone() };
        let union = RequestUnion::CreateRequest(request.clone());
        let (judge, subject) = self.control(stream, union, &operation).await;
        let created = match &judge {
            Answer::Watch(answer) if !answer.canceled => Some(answer.watch_id),
            _ => None,
        };
        self.compare(&operation, judge, subject)?;
        if let Some(id) = created {
            let horizon = &self.horizon;
            let from_now = request.start_revision == 0;
            let start = if from_now { horizon.revision + 1 } else { request.start_revision };
            self.watchers.push(Watcher {
                stream,
                id,
                compared: start - 1,
                caught_up: start > horizon.revision,
                doomed: start < horizon.compacted,
                interest: Interest { request, start, compacted: horizon.compacted },
            });
            self.horizon.watchers.push((stream, id));
        }
        Ok(())
    }

    pub(crate) async fn cancel_watcher(&mut self, stream: usize, watch_id: i64) -> Result<(), Difference> {
        self.settle().await?;
        let operation = Operation::CancelWatch { stream, watch_id };
        let union = RequestUnion::CancelRequest(WatchCancelRequest { watch_id });
        let is_target = |watcher: &Watcher| (watcher.stream, watcher.id) == (stream, watch_id);
        if !self.watchers.iter().any(is_target) {
            // Nothing answers this. An answer would be taken for that of the next request on the stream, and differ.
            for side in [&self.judge, &self.subject] {
                side.streams[stream].send(union.clone()).await;
            }
            return Ok(());
        }
        self.watchers.retain(|watcher| !is_target(watcher));
        self.horizon.watchers.retain(|&watcher| watcher != (stream, watch_id));
        let (judge, subject) = self.control(stream, union, &operation).await;
        self.compare(&operation, judge, subject)
    }

    /// Sends a request that both sides answer with a control message, and waits for it.
    async fn control(&self, stream: usize, union: RequestUnion, operation: &Operation) -> (Answer, Answer) {
        let ask = async |side: &Side| {
            if let Some(answer) = excused::instead_of_harm(side.kind, operation, self.horizon.revision) {
                return answer;
            }
            let stream = &side.streams[stream];
            stream.send(union.clone()).await;
            let answer = stream.wait(|received| received.controls.pop_front()).await;
            answer.map_or(Answer::Silent, Answer::Watch).canonical(operation)
        };
        tokio::join!(ask(&self.judge), ask(&self.subject))
    }

    /// A notice of the newest revision, if all watchers of the stream are at it; else nothing.
    pub(crate) async fn request_progress(&mut self, stream: usize) -> Result<(), Difference> {
        self.settle().await?;
        let operation = Operation::Progress { stream };
        let union = RequestUnion::ProgressRequest(WatchProgressRequest {});
        let watchers = || self.watchers.iter().filter(|watcher| watcher.stream == stream);
        if excused::COMPACTED_WATCHER_HOLDS_UP_PROGRESS && watchers().any(|watcher| watcher.doomed) {
            return Ok(());
        }
        let is_due = watchers().count() > 0
            && watchers().all(|watcher| watcher.interest.request.start_revision <= self.horizon.revision);
        let ask = async |side: &Side| {
            let stream = &side.streams[stream];
            stream.send(union.clone()).await;
            if !is_due && !excused::answers_progress_always(side.kind) {
                return Answer::Silent;
            }
            let notice = stream.wait(|received| received.progress.pop_front()).await;
            notice.filter(|_| is_due).map_or(Answer::Silent, Answer::Progress)
        };
        let (judge, subject) = tokio::join!(ask(&self.judge), ask(&self.subject));
        self.corners.progress(is_due);
        self.compare(&operation, judge, subject)
    }

    /// Brings every watcher of both sides to the newest revision, and compares what each received since the last time.
    pub(crate) async fn settle(&mut self) -> Result<(), Difference> {
        self.hear_witness().await?;
        self.poke().await?;
        self.hear_witness().await?;
        let mut watchers = std::mem::take(&mut self.watchers);
        for watcher in &mut watchers {
            self.compare_received(watcher).await?;
        }
        self.watchers = watchers;
        for stream in &self.subject.streams {
            let unasked = stream.received().progress.pop_front();
            let broken = stream.take_broken().into_iter().next();
            let broken = broken.or(unasked.map(|at| format!("a progress notice at {at} that was not due")));
            if let Some(broken) = broken {
                return Err(self.difference(&Operation::Settle, Answer::Silent, Answer::Broken(broken)));
            }
        }
        Ok(())
    }

    /// Writes to each watcher that cannot be known to have caught up: until it receives something, a compaction or a
    /// request for progress could find it at any point of its history.
    async fn poke(&mut self) -> Result<(), Difference> {
        let quiet = |watcher: &&Watcher| {
            let expected = self.history.expected(&watcher.interest, watcher.compared + 1);
            !watcher.caught_up
                && !watcher.doomed
                && !expected.iter().any(|event| watcher.is_certain(self.judge.kind, &self.history, event))
        };
        let pokes: Vec<_> = self
            .watchers
            .iter()
            .filter(quiet)
            .map(|watcher| {
                let key = watcher.interest.request.key.clone();
                (if key.is_empty() { "\0".into() } else { key }, watcher.is_poked_by_delete())
            })
            .collect();
        for (key, with_delete) in pokes {
            self.unary(&Operation::Put(PutRequest { key: key.clone(), value: "poke".into(), ..Default::default() }))
                .await?;
            if with_delete {
                self.unary(&Operation::Delete(DeleteRangeRequest { key, ..Default::default() })).await?;
            }
        }
        Ok(())
    }

    async fn compare_received(&mut self, watcher: &mut Watcher) -> Result<(), Difference> {
        let operation = watcher.operation();
        if watcher.doomed {
            if !watcher.caught_up {
                let (judge, subject) = tokio::join!(ending(&self.judge, watcher), ending(&self.subject, watcher));
                self.compare(&operation, judge.canonical(&operation), subject.canonical(&operation))?;
                watcher.caught_up = true;
            }
            return Ok(());
        }
        let expected = self.history.expected(&watcher.interest, watcher.compared + 1);
        let history = &self.history;
        let (judge, subject) = tokio::join!(
            received(&self.judge, watcher, history, &expected),
            received(&self.subject, watcher, history, &expected)
        );
        for (kind, received) in [(self.judge.kind, judge), (self.subject.kind, subject)] {
            let count = expected.len();
            let expected = watcher.certain(kind, &self.history, expected.clone());
            if expected.len() < count {
                self.excuse("a deletion at exactly the compacted revision is sent or not (3.5.16, pull request 18474)");
            }
            self.compare(&operation, Answer::Events(expected), Answer::Events(received))?;
        }
        watcher.caught_up |= !watcher.certain(self.judge.kind, &self.history, expected.clone()).is_empty();
        watcher.compared = self.horizon.revision;
        self.corners.events(&expected);
        Ok(())
    }
}

async fn ending(side: &Side, watcher: &Watcher) -> Answer {
    let answer = side.streams[watcher.stream].wait(|received| received.compacted.remove(&watcher.id)).await;
    answer.map_or(Answer::Silent, Answer::Watch)
}

/// Waits for as many events as are expected, and takes them all.
async fn received(side: &Side, watcher: &Watcher, history: &History, expected: &[Event]) -> Vec<Event> {
    let stream = &side.streams[watcher.stream];
    let is_certain = |event: &&Event| watcher.is_certain(side.kind, history, event);
    let certain = |events: &[Event]| events.iter().filter(is_certain).count();
    let due = certain(expected);
    let is_there = |events: &Vec<Event>| certain(events) >= due;
    let _ = stream
        .wait(|received| (due == 0 || received.events.get(&watcher.id).is_some_and(is_there)).then_some(()))
        .await;
    let events = stream.received().events.remove(&watcher.id).unwrap_or_default();
    watcher.certain(side.kind, history, events)
}
