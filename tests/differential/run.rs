//! One run: two servers from empty, the same operations to both, every answer compared.

use std::collections::BTreeMap;

use campanile_api::etcdserverpb::{RangeRequest, WatchCreateRequest, watch_request::RequestUnion};
use campanile_test_support::{Program, Seed};

use crate::{
    answer::Answer, corners::Corners, difference::Difference, excused, generate, history::History, horizon::Horizon,
    operation::Operation, side::Side, stream::Stream, watchers::Watcher,
};

/// Whom to compare.
#[derive(Clone, Debug)]
pub struct Pair {
    pub judge: Program,
    pub subject: Program,
    pub shards: usize,
}

/// Both servers and what is known of their common state.
pub struct Run {
    pub(crate) judge: Side,
    pub(crate) subject: Side,
    /// Tells all that happens at the judge.
    witness: Stream,
    pub(crate) history: History,
    pub(crate) horizon: Horizon,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) corners: Corners,
    /// How often each excuse was needed.
    pub excuses: BTreeMap<String, u64>,
    number: u64,
}

impl Run {
    /// Performs the operations with these numbers on fresh servers, up to the first difference.
    pub async fn perform(pair: &Pair, seed: Seed, numbers: &[u64]) -> Result<Self, Box<Difference>> {
        let mut run = Self::start(pair).await;
        for &number in numbers {
            run.number = number;
            let operation = generate::operation(seed, number, &run.horizon);
            run.step(operation).await.map_err(Box::new)?;
        }
        run.settle().await.map_err(Box::new)?;
        for side in [&run.judge, &run.subject] {
            let fragments = side.streams.iter().map(|stream| stream.received().fragments).sum();
            run.corners.fragments(fragments);
        }
        Ok(run)
    }

    async fn start(pair: &Pair) -> Self {
        let (judge, subject) =
            tokio::join!(Side::start(&pair.judge, pair.shards), Side::start(&pair.subject, pair.shards));
        let witness = judge.open_stream();
        let everything = WatchCreateRequest {
            key: "\0".into(),
            range_end: "\0".into(),
            start_revision: 1,
            prev_kv: true,
            ..Default::default()
        };
        witness.send(RequestUnion::CreateRequest(everything)).await;
        witness.wait(|received| received.controls.pop_front()).await.expect("the judge lets itself be watched");
        Self {
            judge,
            subject,
            witness,
            history: History::default(),
            horizon: Horizon::default(),
            watchers: Vec::new(),
            corners: Corners::default(),
            excuses: BTreeMap::new(),
            number: 0,
        }
    }

    /// The corners that were reached.
    pub fn corners(&self) -> &Corners {
        &self.corners
    }

    async fn step(&mut self, operation: Operation) -> Result<(), Difference> {
        match operation {
            Operation::Watch { stream, request } => self.create_watcher(stream, request).await,
            Operation::CancelWatch { stream, watch_id } => self.cancel_watcher(stream, watch_id).await,
            Operation::Progress { stream } => self.request_progress(stream).await,
            Operation::Settle => self.settle().await,
            Operation::Compact(request) => {
                // A watcher that were still reading history could be caught by the compaction, or just not.
                self.settle().await?;
                let is_lossy = |side: &Side| excused::loses_keys_written_anew(side.kind);
                if (is_lossy(&self.judge) || is_lossy(&self.subject)) && self.history.writes_anew(request.revision) {
                    return Ok(());
                }
                self.unary(&operation).await
            }
            Operation::HashKv(request) => {
                let everything = RangeRequest {
                    key: "\0".into(),
                    range_end: "\0".into(),
                    revision: request.revision,
                    count_only: true,
                    ..Default::default()
                };
                let count = self.judge.perform(&Operation::Range(everything)).await;
                self.hear_witness().await?;
                let revision = if request.revision == 0 { self.horizon.revision } else { request.revision };
                self.horizon.keeps_nothing =
                    matches!(count, Answer::Range(answer) if answer.count == 0) || self.history.writes_anew(revision);
                self.unary(&operation).await
            }
            _ => self.unary(&operation).await,
        }
    }

    /// Sends an operation to both sides at once.
    pub(crate) async fn unary(&mut self, operation: &Operation) -> Result<(), Difference> {
        let ask = async |side: &Side| match excused::instead_of_harm(side.kind, operation, self.horizon.revision) {
            Some(answer) => answer,
            None => side.perform(operation).await,
        };
        let (judge, subject) = tokio::join!(ask(&self.judge), ask(&self.subject));
        self.compare(operation, judge.canonical(operation), subject.canonical(operation))
    }

    /// Compares two canonical answers, and learns from them what changed.
    pub(crate) fn compare(&mut self, operation: &Operation, judge: Answer, subject: Answer) -> Result<(), Difference> {
        let is_broken = |answer: &Answer| matches!(answer, Answer::Broken(_));
        if judge != subject || is_broken(&judge) || is_broken(&subject) {
            let Some(excuse) = excused::find(operation, &judge, &subject, &self.horizon) else {
                return Err(self.difference(operation, judge, subject));
            };
            self.excuse(&format!("{} ({})", excuse.name, excuse.change));
        }
        self.corners.observe(operation, &judge, &self.horizon);
        if let (Operation::Compact(request), Answer::Compact(_)) = (operation, &judge) {
            self.horizon.compacted = request.revision;
            self.horizon.compactions.insert(request.revision);
        }
        let revision = judge.revision().unwrap_or(0);
        self.horizon.revision = self.horizon.revision.max(revision);
        Ok(())
    }

    /// Counts an excuse.
    pub(crate) fn excuse(&mut self, name: &str) {
        *self.excuses.entry(name.to_owned()).or_default() += 1;
    }

    /// Two answers that nothing excuses, as they are reported.
    pub(crate) fn difference(&self, operation: &Operation, judge: Answer, subject: Answer) -> Difference {
        let operation =
            format!("{operation:?} at revision {}, compacted {}", self.horizon.revision, self.horizon.compacted);
        Difference { number: self.number, operation, judge: judge.to_string(), subject: subject.to_string() }
    }

    /// Reads the history up to the newest revision from the witness.
    pub(crate) async fn hear_witness(&mut self) -> Result<(), Difference> {
        let due = self.horizon.revision;
        let history = &mut self.history;
        let heard = self.witness.wait(|received| {
            history.extend(received.events.values_mut().flat_map(std::mem::take));
            (history.revision() >= due).then_some(())
        });
        if heard.await.is_none() {
            let broken = Answer::Broken(format!("the witness heard up to {} only", self.history.revision()));
            return Err(self.difference(&Operation::Settle, broken, Answer::Silent));
        }
        Ok(())
    }
}
