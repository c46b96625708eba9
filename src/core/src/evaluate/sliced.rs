//! An operation over what several shards found, evaluated in slices: as many keys at once as a poll has time for.
//!
//! The answer and the changes are those of [`super::evaluate`], whatever the slices.

use super::changes::{Changes, Dealt};
use super::gathered::Gathered;
use super::prepare::{Choices, prepare};
use super::run::Running;
use super::view::Leases;
use crate::error::UserError;
use crate::request::Operation;
use crate::response::OperationResponse;
use campanile_storage::ids::Revision;

/// An evaluation under way.
#[derive(Debug)]
pub struct Evaluation {
    gathered: Gathered,
    newest: Revision,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Comparing(Choices, Dealt),
    Running(Choices, Running<Dealt>),
}

impl Evaluation {
    /// Everything is gathered, and `newest` is the revision of it. Nothing of it changes until the evaluation ends. The
    /// changes go where there are none yet.
    #[must_use]
    pub fn new(mut gathered: Gathered, newest: Revision, changes: Dealt) -> Evaluation {
        gathered.settle(newest);
        Evaluation { gathered, newest, stage: Stage::Comparing(Choices::default(), changes) }
    }

    #[must_use]
    pub fn newest(&self) -> Revision {
        self.newest
    }

    /// Goes on, over as many keys as are left of a slice. Answers at the end, in the words of the revision behind the
    /// newest.
    ///
    /// # Errors
    /// As [`super::prepare`].
    pub fn go_on(
        &mut self,
        operation: &Operation,
        leases: &impl Leases,
        left: &mut usize,
    ) -> Result<Option<OperationResponse>, UserError> {
        let (gathered, newest) = (&self.gathered, self.newest);
        if let Stage::Comparing(choices, changes) = &mut self.stage {
            let Some(prepared) = choices.prepare(operation, gathered, leases, newest, left)? else { return Ok(None) };
            let running = Running::new(&prepared.step, changes.take());
            self.stage = Stage::Running(std::mem::take(choices), running);
        }
        let Stage::Running(choices, running) = &mut self.stage else { unreachable!("just prepared") };
        Ok(running.go_on(&choices.path(operation), gathered, newest, left))
    }

    /// The answer once more, in the words of a later revision: shards that take no part went on. Those that are named
    /// key by key alone leave any out, so it is little.
    ///
    /// # Panics
    /// If the operation was refused.
    #[must_use]
    pub fn answer_at(&self, operation: &Operation, leases: &impl Leases, newest: Revision) -> OperationResponse {
        let prepared = prepare(operation, &self.gathered, leases, self.newest).expect("it was evaluated");
        prepared.run(&self.gathered, newest).response
    }

    /// What it changes so far, if it does.
    #[must_use]
    pub fn changes(&self) -> Option<&Dealt> {
        let Stage::Running(_, running) = &self.stage else { return None };
        Some(&running.changes).filter(|changes| changes.count() > 0)
    }

    /// The same, and what it was gathered from.
    #[must_use]
    pub fn into_parts(self) -> (Option<Dealt>, Gathered) {
        let dealt = match self.stage {
            Stage::Comparing(..) => None,
            Stage::Running(_, running) => Some(running.changes).filter(|changes| changes.count() > 0),
        };
        (dealt, self.gathered)
    }
}
