//! Before any effect: all comparisons, the branches that they choose, and the checks against the state.
//!
//! Guarantees that what was prepared can be run: whoever takes a revision for it will have changes to log, if
//! [`Prepared::writes`] said so, and none otherwise.

use super::view::{Leases, View};
use crate::error::UserError;
use crate::request::{Compare, CompareResult, CompareTarget, DeleteRange, Operation, Put, Range, Txn};
use campanile_storage::ids::{LeaseId, Revision};
use campanile_storage::store::KeyValue;
use std::cmp::Ordering;

/// An operation whose branches are chosen and whose checks are passed.
#[derive(Debug)]
pub struct Prepared<'a> {
    pub(super) step: Step<'a>,
    writes: bool,
}

/// One operation, each transaction in it with the branch that it takes.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Range(&'a Range),
    /// With what was there before, where the put asks for it.
    Put(&'a Put),
    DeleteRange(&'a DeleteRange),
    Txn {
        succeeded: bool,
        steps: Vec<Step<'a>>,
    },
}

/// Chooses the branches of an operation and checks it against the state at `newest`, the newest revision taken (or, for a
/// read, the one to be shown).
///
/// # Errors
/// [`UserError::LeaseNotFound`], [`UserError::KeyNotFound`], [`UserError::FutureRevision`], [`UserError::Compacted`], of
/// the first operation on the chosen path that cannot be done.
pub fn prepare<'a>(
    operation: &'a Operation,
    view: &impl View,
    leases: &impl Leases,
    newest: Revision,
) -> Result<Prepared<'a>, UserError> {
    let step = choose(operation, view, newest);
    check(&step, view, leases, newest, matches!(operation, Operation::Txn(_)))?;
    let writes = puts(&step) || deletes(&step, view, newest);
    Ok(Prepared { step, writes })
}

impl Prepared<'_> {
    /// Whether there will be changes to log: it puts a key, or deletes one that is there.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.writes
    }
}

/// The revision that a range reads at: a revision that is not positive means the newest.
pub(super) fn read_at(range: &Range, newest: Revision) -> Revision {
    range.at.filter(|at| at.0 > 0).unwrap_or(newest)
}

fn choose<'a>(operation: &'a Operation, view: &impl View, newest: Revision) -> Step<'a> {
    match operation {
        Operation::Range(range) => Step::Range(range),
        Operation::Put(put) => Step::Put(put),
        Operation::DeleteRange(delete) => Step::DeleteRange(delete),
        Operation::Txn(Txn { compares, success, failure }) => {
            let succeeded = compares.iter().all(|compare| holds(compare, view, newest));
            let branch = if succeeded { success } else { failure };
            let steps = branch.iter().map(|operation| choose(operation, view, newest)).collect();
            Step::Txn { succeeded, steps }
        }
    }
}

/// A comparison holds if it holds for every key of its range. Without any key it is made with zeros, but for a value:
/// the value of a key that is not there equals nothing, not even the empty one.
fn holds(compare: &Compare, view: &impl View, newest: Revision) -> bool {
    if compare.keys.is_single() {
        return holds_for(compare, view.get(&compare.keys.start, newest).as_ref());
    }
    let mut found = view.range(&compare.keys, newest).peekable();
    if found.peek().is_none() {
        return holds_for(compare, None);
    }
    found.all(|key_value| holds_for(compare, Some(&key_value)))
}

fn holds_for(compare: &Compare, key_value: Option<&KeyValue>) -> bool {
    let number = |read: fn(&KeyValue) -> i64| key_value.map_or(0, read);
    let ordering = match &compare.target {
        CompareTarget::Version(wanted) => number(KeyValue::version).cmp(wanted),
        CompareTarget::CreateRevision(wanted) => number(|found| found.create_revision().0).cmp(wanted),
        CompareTarget::ModRevision(wanted) => number(|found| found.mod_revision().0).cmp(wanted),
        CompareTarget::Lease(wanted) => number(|found| found.lease().0).cmp(wanted),
        CompareTarget::Value(wanted) => match key_value {
            Some(found) => found.value().cmp(wanted),
            None => return false,
        },
    };
    match compare.result {
        CompareResult::Equal => ordering == Ordering::Equal,
        CompareResult::NotEqual => ordering != Ordering::Equal,
        CompareResult::Greater => ordering == Ordering::Greater,
        CompareResult::Less => ordering == Ordering::Less,
    }
}

fn check(
    step: &Step<'_>,
    view: &impl View,
    leases: &impl Leases,
    newest: Revision,
    in_txn: bool,
) -> Result<(), UserError> {
    match step {
        Step::Range(range) => check_range(range, view.compacted(), newest, in_txn),
        Step::Put(put) => check_put(put, view, leases, newest),
        Step::DeleteRange(_) => Ok(()),
        Step::Txn { steps, .. } => steps.iter().try_for_each(|step| check(step, view, leases, newest, true)),
    }
}

/// Outside of a transaction a negative revision reads the newest; inside, etcd compares it with the compacted one.
fn check_range(range: &Range, compacted: Revision, newest: Revision, in_txn: bool) -> Result<(), UserError> {
    match range.at {
        None | Some(Revision(0)) => Ok(()),
        Some(at) if at > newest => Err(UserError::FutureRevision),
        Some(at) if at < compacted && (in_txn || at.0 > 0) => Err(UserError::Compacted),
        Some(_) => Ok(()),
    }
}

fn check_put(put: &Put, view: &impl View, leases: &impl Leases, newest: Revision) -> Result<(), UserError> {
    if put.lease != LeaseId::NONE && !leases.is_live(put.lease) {
        return Err(UserError::LeaseNotFound);
    }
    if (put.ignore_value || put.ignore_lease) && view.get(&put.key, newest).is_none() {
        return Err(UserError::KeyNotFound);
    }
    Ok(())
}

fn puts(step: &Step<'_>) -> bool {
    match step {
        Step::Put(_) => true,
        Step::Range(_) | Step::DeleteRange(_) => false,
        Step::Txn { steps, .. } => steps.iter().any(puts),
    }
}

fn deletes(step: &Step<'_>, view: &impl View, newest: Revision) -> bool {
    match step {
        Step::DeleteRange(delete) if delete.keys.is_single() => view.get(&delete.keys.start, newest).is_some(),
        Step::DeleteRange(delete) => view.range(&delete.keys, newest).next().is_some(),
        Step::Range(_) | Step::Put(_) => false,
        Step::Txn { steps, .. } => steps.iter().any(|step| deletes(step, view, newest)),
    }
}
