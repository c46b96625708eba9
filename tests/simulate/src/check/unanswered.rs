//! A request that was not answered may have been carried out, once: each revision that no answered request explains must
//! be explained by one of these, and none explains two.
//!
//! This is the search of Wing, Gong and Lowe, and the revisions make it small: they fix the order of all effects, so what
//! is left is which request had which effect. That is a matching between revisions and requests, found by augmenting
//! paths in polynomial time; so there is no budget that could run out, and no history stays undecided.

use super::Violation;
use super::reference::{AnyLease, Reference};
use crate::member::LIMITS;
use crate::record::calls::Call;
use crate::record::history::Step;
use campanile_core::evaluate::{evaluate, validate};
use campanile_core::request::Request;
use campanile_storage::ids::Revision;
use std::collections::{BTreeMap, BTreeSet};

const PROMISE: &str = "a request that was not answered was carried out once at most";

/// A revision that no answered request explains.
#[derive(Debug)]
pub struct Unclaimed {
    revision: Revision,
    /// The requests that would explain it, by their place in the list.
    candidates: Vec<usize>,
    changes: String,
}

impl Unclaimed {
    /// Looks for what would explain it: asked before it was written, and the same changes from the state before.
    #[must_use]
    pub fn gather(revision: Revision, step: &Step, calls: &[Call], before: &Reference) -> Unclaimed {
        let explains = |call: &Call| {
            let Request::Operation(operation) = &call.request else { return false };
            call.is_open()
                && !operation.is_read_only()
                // What is wrong whatever the state was never evaluated.
                && validate(operation, LIMITS).is_ok()
                && call.asked_at <= step.written_at
                && call.shown_before < revision
                && evaluate(operation, &before.store, &AnyLease, revision)
                    .is_ok_and(|evaluated| evaluated.changes == step.changes)
        };
        let candidates = (0..calls.len()).filter(|&place| explains(&calls[place])).collect();
        Unclaimed { revision, candidates, changes: format!("{:?}", step.changes) }
    }
}

/// Finds a request for each revision.
///
/// # Errors
/// If there is none for one of them.
pub fn check(unclaimed: &[Unclaimed]) -> Result<(), Violation> {
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    for (place, revision) in unclaimed.iter().enumerate() {
        if !augment(place, unclaimed, &mut taken, &mut BTreeSet::new()) {
            let what = format!("revision {} is nobody's: {}", revision.revision, revision.changes);
            return Err(Violation::new(PROMISE, what));
        }
    }
    Ok(())
}

/// Finds a request for a revision, making those that have one move on to another if need be.
fn augment(
    place: usize,
    unclaimed: &[Unclaimed],
    taken: &mut BTreeMap<usize, usize>,
    tried: &mut BTreeSet<usize>,
) -> bool {
    for &candidate in &unclaimed[place].candidates {
        if !tried.insert(candidate) {
            continue;
        }
        let free = match taken.get(&candidate) {
            None => true,
            Some(&holder) => augment(holder, unclaimed, taken, tried),
        };
        if free {
            taken.insert(candidate, place);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unclaimed(candidates: &[usize]) -> Unclaimed {
        Unclaimed { revision: Revision(2), candidates: candidates.to_vec(), changes: String::new() }
    }

    #[test]
    fn each_request_explains_one_revision() {
        assert!(check(&[unclaimed(&[1, 2]), unclaimed(&[1])]).is_ok(), "the first one moves on");
        assert!(check(&[unclaimed(&[1]), unclaimed(&[1])]).is_err());
        assert!(check(&[unclaimed(&[])]).is_err());
    }
}
