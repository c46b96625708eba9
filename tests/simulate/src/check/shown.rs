//! What a member shows never goes back while it runs, and is final: each revision up to there has all its fragments durable
//! on a majority of the members. The same holds for what a client is told.

use super::durability::Durability;
use super::{Violation, promise};
use crate::record::Ledger;
use campanile_storage::ids::Revision;
use std::collections::{BTreeMap, BTreeSet};

const PROMISE: &str = "nothing is shown before it and all below are durable on a majority";
const BACK: &str = "the visible revision never goes back";

#[derive(Debug)]
pub struct Shown {
    members: usize,
    /// Every revision up to here was found to be final.
    settled: Revision,
    /// By member and executor, in this life.
    visible: BTreeMap<(usize, u16), Revision>,
}

impl Shown {
    #[must_use]
    pub fn new(members: usize) -> Shown {
        Shown { members, settled: Revision::EMPTY, visible: BTreeMap::new() }
    }

    /// A member starts again; it may begin below what it showed before.
    pub fn restart(&mut self, member: usize) {
        self.visible.retain(|(at, _), _| *at != member);
    }

    /// An executor shows everything up to here.
    ///
    /// # Errors
    /// If it showed more before.
    pub fn look(&mut self, member: usize, executor: u16, visible: Revision) -> Result<(), Violation> {
        let before = self.visible.entry((member, executor)).or_insert(visible);
        promise!(BACK, visible >= *before, "executor {executor} of member {member}: from {before} to {visible}");
        *before = visible;
        Ok(())
    }

    /// Somebody is shown everything up to here.
    ///
    /// # Errors
    /// If a revision is not final.
    pub fn show(&mut self, revision: Revision, ledger: &Ledger, durability: &Durability) -> Result<(), Violation> {
        while self.settled < revision {
            let next = self.settled.next();
            promise!(PROMISE, self.is_final(next, ledger, durability), "revision {next} is shown");
            self.settled = next;
        }
        Ok(())
    }

    fn is_final(&self, revision: Revision, ledger: &Ledger, durability: &Durability) -> bool {
        let Some(epochs) = ledger.pieces(revision) else { return false };
        epochs.values().any(|pieces| {
            let durable = pieces.places.iter().filter(|&&(group, index, term)| {
                let having = (0..self.members).filter(|&member| durability.has(member, group, index, term)).count();
                having * 2 > self.members
            });
            let groups: BTreeSet<_> = durable.map(|(group, ..)| *group).collect();
            groups.len() == pieces.groups as usize
        })
    }
}
