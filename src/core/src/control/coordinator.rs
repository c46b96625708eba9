//! The queue of transactions over several shards, and the one that is under way.
//!
//! One coordinator, one pause at a time; several waiting transactions share it. While a shard is paused it evaluates
//! nothing, so what it handed over stays its newest state until it is told to write or to go on.

use crate::executor::effect::{ExecutorId, Origin};
use crate::executor::transact::Part;
use crate::request::Operation;
use campanile_storage::ids::{LeaseId, Revision};
use std::collections::{BTreeSet, VecDeque};

/// Transactions that wait; one more is refused.
pub const QUEUE_MAX: usize = 16_384;
/// Transactions that share one pause.
const SHARED_MAX: u32 = 64;

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

/// How far the work under way is.
#[derive(Debug)]
pub enum Stage {
    /// Executors hand over what it needs.
    Gathering { missing: BTreeSet<ExecutorId>, part: Part },
    /// A revoke found no keys: its record is proposed when everything it saw is visible.
    AwaitingVisible(Revision),
    /// Its record takes effect.
    AwaitingRecord,
}

#[derive(Debug, Default)]
pub struct Coordinator {
    queue: VecDeque<Work>,
    current: Option<(Work, Stage)>,
    /// Executors that are paused.
    paused: BTreeSet<ExecutorId>,
    shared: u32,
    round: u64,
}

impl Coordinator {
    /// Takes work; gives it back if too much waits.
    pub fn enqueue(&mut self, work: Work) -> Result<(), Box<Work>> {
        if self.queue.len() >= QUEUE_MAX {
            return Err(Box::new(work));
        }
        self.queue.push_back(work);
        Ok(())
    }

    /// The next work, if none is under way and the pause may still be shared.
    pub fn next(&mut self) -> Option<Work> {
        if self.current.is_some() || self.shared >= SHARED_MAX {
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
        let part = Part { can_write: true, ..Part::default() };
        self.current = Some((work, Stage::Gathering { missing: executors, part }));
        self.round
    }

    /// An executor has handed over its part. Returns the work and all that was found, if it was the last.
    ///
    /// `again`: it has more, which it was asked for.
    pub fn gathered(&mut self, from: ExecutorId, round: u64, more: Part, again: bool) -> Option<(Work, Part)> {
        if round != self.round {
            return None;
        }
        let Some((_, Stage::Gathering { missing, part })) = &mut self.current else { return None };
        part.found.extend(more.found);
        part.keys.extend(more.keys);
        part.can_write &= more.can_write;
        if again {
            return None;
        }
        missing.remove(&from);
        if !missing.is_empty() {
            return None;
        }
        match self.current.take() {
            Some((work, Stage::Gathering { part, .. })) => Some((work, part)),
            _ => unreachable!("the stage was just seen"),
        }
    }

    /// The work goes on later, and the pause lasts.
    pub fn hold(&mut self, work: Work, stage: Stage) {
        self.current = Some((work, stage));
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
        if self.current.is_some() || (!self.queue.is_empty() && self.shared < SHARED_MAX) {
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
        let current = self.current.take().map(|(work, _)| work);
        current.into_iter().chain(self.queue.drain(..)).collect()
    }
}
