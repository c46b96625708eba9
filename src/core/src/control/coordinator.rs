//! The queue of transactions over several shards, and the one that is under way.
//!
//! One coordinator, one pause at a time; several waiting transactions share it. While a shard is paused it evaluates
//! nothing, so what it handed over stays its newest state until it is told to write or to go on.

use crate::discarded::Discarded;
use crate::evaluate::{Dealt, Evaluation, Gathered, Need};
use crate::executor::effect::{ExecutorId, Origin};
use crate::executor::transact::Part;
use crate::planted::planted;
use crate::request::{DeleteRange, KeyRange, Operation};
use campanile_storage::ids::{LeaseId, Revision, ShardId};
use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

/// A transaction that several shards take part in.
#[derive(Debug)]
pub enum Work {
    Transaction {
        origin: Origin,
        operation: Operation,
    },
    /// A lease dies together with its keys. Without an origin it ran out.
    Revoke {
        origin: Option<Origin>,
        lease: LeaseId,
    },
}

impl Work {
    /// What is evaluated over what was gathered: a lease takes along everything that is attached to it, and nothing else
    /// is gathered.
    pub fn operation(&self) -> Cow<'_, Operation> {
        match self {
            Work::Transaction { operation, .. } => Cow::Borrowed(operation),
            Work::Revoke { .. } => {
                Cow::Owned(Operation::DeleteRange(DeleteRange { keys: KeyRange::everything(), previous: false }))
            }
        }
    }
}

/// How far the work under way is.
#[derive(Debug)]
pub enum Stage {
    /// Executors hand over what it needs. `can_write`: all that did so have room for a fragment.
    Gathering { missing: BTreeSet<ExecutorId>, gathered: Gathered, can_write: bool },
    /// It is evaluated, a slice a poll.
    Evaluating { evaluation: Box<Evaluation>, can_write: bool },
    /// A revoke found no keys: its record is proposed when everything it saw is visible.
    AwaitingVisible(Revision),
    /// Its record takes effect.
    AwaitingRecord,
}

#[derive(Debug)]
pub struct Coordinator {
    queue: VecDeque<Work>,
    /// One more is refused.
    queue_max: usize,
    current: Option<(Work, Stage)>,
    /// Executors that are paused.
    paused: BTreeSet<ExecutorId>,
    /// How many have shared this pause.
    shared: u32,
    shared_max: u32,
    round: u64,
    /// Of no use any more, and too much to be dropped in one poll.
    spent: Vec<Gathered>,
    discarded: Discarded,
}

impl Coordinator {
    pub fn new(queue_max: usize, shared_max: u32) -> Coordinator {
        Coordinator {
            queue: VecDeque::new(),
            queue_max,
            current: None,
            paused: BTreeSet::new(),
            shared: 0,
            shared_max,
            round: 0,
            spent: Vec::new(),
            discarded: Discarded::default(),
        }
    }

    /// Takes work; gives it back if too much waits.
    pub fn enqueue(&mut self, work: Work) -> Result<(), Box<Work>> {
        if self.queue.len() >= self.queue_max {
            return Err(Box::new(work));
        }
        self.queue.push_back(work);
        Ok(())
    }

    /// The next work, if none is under way and the pause may still be shared.
    pub fn next(&mut self) -> Option<Work> {
        if self.current.is_some() || self.shared >= self.shared_max {
            return None;
        }
        let work = self.queue.pop_front()?;
        self.shared += 1;
        Some(work)
    }

    /// Begins a round for this work. Returns the round's number.
    pub fn begin(&mut self, work: Work, executors: BTreeSet<ExecutorId>) -> u64 {
        self.round += 1;
        self.paused.extend(&executors);
        let gathering = Stage::Gathering { missing: executors, gathered: Gathered::default(), can_write: true };
        self.current = Some((work, gathering));
        self.round
    }

    /// An executor has handed over its part. Answers what it is to be asked for next.
    pub fn gathered(&mut self, from: ExecutorId, round: u64, part: Part) -> Vec<(ShardId, Need)> {
        if round != self.round {
            return Vec::new();
        }
        let Some((_, Stage::Gathering { missing, gathered, can_write })) = &mut self.current else { return Vec::new() };
        *can_write &= part.can_write;
        let add = |(shard, found)| Some((shard, gathered.add(shard, found)?));
        let rest: Vec<_> = part.found.into_iter().filter_map(add).collect();
        if rest.is_empty() {
            missing.remove(&from);
        }
        rest
    }

    /// If everything is gathered, the evaluation begins.
    pub fn begin_evaluation(&mut self, newest: Revision, changes: Dealt) {
        match self.current.take() {
            Some((work, Stage::Gathering { missing, gathered, can_write })) if missing.is_empty() => {
                let evaluation = Box::new(Evaluation::new(gathered, newest, changes));
                self.current = Some((work, Stage::Evaluating { evaluation, can_write }));
            }
            current => self.current = current,
        }
    }

    pub fn is_evaluating(&self) -> bool {
        matches!(self.current, Some((_, Stage::Evaluating { .. })))
    }

    /// The work that is being evaluated; it is to be held again, or done with.
    pub fn take_evaluating(&mut self) -> Option<(Work, Box<Evaluation>, bool)> {
        match self.current.take() {
            Some((work, Stage::Evaluating { evaluation, can_write })) => Some((work, evaluation, can_write)),
            current => {
                self.current = current;
                None
            }
        }
    }

    /// The work goes on later, and the pause lasts.
    pub fn hold(&mut self, work: Work, stage: Stage) {
        self.current = Some((work, stage));
    }

    /// What was gathered is of no use any more; it is dropped in slices.
    pub fn discard(&mut self, gathered: Gathered) {
        self.spent.push(gathered);
    }

    /// The same of changes that are not made.
    pub fn discard_changes(&mut self, dealt: Dealt) {
        self.discarded.add(dealt.into_pieces().into_values().flatten().map(Vec::into_iter));
    }

    pub fn has_discarded(&self) -> bool {
        !self.spent.is_empty() || !self.discarded.is_empty()
    }

    /// Drops a slice of what is of no use any more.
    pub fn shed(&mut self, mut left: usize) {
        while self.spent.last_mut().is_some_and(|spent| spent.shed(&mut left)) {
            self.spent.pop();
        }
        self.discarded.shed(&mut left);
    }

    /// The work whose record waits for this revision, if that is visible now.
    pub fn take_visible(&mut self, visible: Revision) -> Option<Work> {
        match &self.current {
            Some((_, Stage::AwaitingVisible(revision))) if *revision <= visible => {
                self.current.take().map(|(work, _)| work)
            }
            _ => None,
        }
    }

    /// The record of the work under way is in force: it is done.
    pub fn finish(&mut self) -> Option<Work> {
        match &self.current {
            Some((_, Stage::AwaitingRecord)) => self.current.take().map(|(work, _)| work),
            _ => None,
        }
    }

    /// Executors that may go on, if nothing more is to be done in this pause.
    pub fn end_pause(&mut self) -> BTreeSet<ExecutorId> {
        if self.current.is_some() || (!self.queue.is_empty() && self.shared < self.shared_max) {
            return BTreeSet::new();
        }
        self.shared = 0;
        std::mem::take(&mut self.paused)
    }

    pub fn waits_for_visible(&self) -> bool {
        matches!(self.current, Some((_, Stage::AwaitingVisible(_))))
    }

    pub fn is_revoking_expired(&self) -> bool {
        let expired = |work: &Work| matches!(work, Work::Revoke { origin: None, .. });
        self.queue.iter().any(expired) || self.current.as_ref().is_some_and(|(work, _)| expired(work))
    }

    /// The reign is over: everything that waits, to be refused.
    pub fn abandon(&mut self) -> Vec<Work> {
        self.paused.clear();
        self.shared = 0;
        self.round += 1;
        let mut abandoned = Vec::with_capacity(1 + self.queue.len());
        if let Some((work, stage)) = self.current.take() {
            abandoned.push(work);
            match stage {
                Stage::Gathering { gathered, .. } => self.discard(gathered),
                Stage::Evaluating { evaluation, .. } => {
                    let (dealt, gathered) = evaluation.into_parts();
                    self.discard(gathered);
                    dealt.into_iter().for_each(|dealt| self.discard_changes(dealt));
                }
                Stage::AwaitingVisible(_) | Stage::AwaitingRecord => {}
            }
        }
        abandoned.extend(self.queue.drain(..));
        if planted!(AbandonedUnanswered) { Vec::new() } else { abandoned }
    }
}
