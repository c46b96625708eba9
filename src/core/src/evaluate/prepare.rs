//! Before any effect: all comparisons, the branches that they choose, and the checks against the state.
//!
//! Guarantees that what was prepared can be run: whoever takes a revision for it will have changes to log, if
//! [`Prepared::writes`] said so, and none otherwise.

use super::view::{Leases, View};
use crate::error::UserError;
use crate::request::{Compare, CompareResult, CompareTarget, DeleteRange, Operation, Put, Range, Txn};
use bytes::Bytes;
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
    let step = choose(operation, &mut |txn| Some(txn.compares.iter().all(|compare| holds(compare, view, newest))));
    prepare_chosen(step.expect("every comparison was made"), view, leases, newest)
}

fn prepare_chosen<'a>(
    step: Step<'a>,
    view: &impl View,
    leases: &impl Leases,
    newest: Revision,
) -> Result<Prepared<'a>, UserError> {
    check(&step, view, leases, newest, matches!(step, Step::Txn { .. }))?;
    let writes = puts(&step) || deletes(&step, view, newest);
    Ok(Prepared { step, writes })
}

/// The comparisons of an operation, made a slice at a time: what was found of them so far.
#[derive(Debug, Default)]
pub(super) struct Choices {
    /// Of each transaction on the chosen path, in the order in which they are come to.
    succeeded: Vec<bool>,
    /// Comparisons of the next one that hold.
    holding: usize,
    /// Where the one after them goes on.
    resume: Option<Bytes>,
}

impl Choices {
    /// Goes on with the comparisons, over as many keys as are left of a slice. Prepares the operation when all are made.
    ///
    /// # Errors
    /// As [`prepare`].
    pub(super) fn prepare<'a>(
        &mut self,
        operation: &'a Operation,
        view: &impl View,
        leases: &impl Leases,
        newest: Revision,
        left: &mut usize,
    ) -> Result<Option<Prepared<'a>>, UserError> {
        let mut known = 0;
        let step = choose(operation, &mut |txn| {
            if known == self.succeeded.len() {
                let succeeded = self.compare(txn, view, newest, left)?;
                self.succeeded.push(succeeded);
            }
            known += 1;
            Some(self.succeeded[known - 1])
        });
        step.map(|step| prepare_chosen(step, view, leases, newest)).transpose()
    }

    /// The path that was found, once more.
    pub(super) fn path<'a>(&self, operation: &'a Operation) -> Step<'a> {
        let mut known = self.succeeded.iter().copied();
        choose(operation, &mut |_| known.next()).expect("every comparison was made")
    }

    fn compare(&mut self, txn: &Txn, view: &impl View, newest: Revision, left: &mut usize) -> Option<bool> {
        while let Some(compare) = txn.compares.get(self.holding) {
            if *left == 0 {
                return None;
            }
            let holds = holds_in_slice(compare, view, newest, &mut self.resume, left)?;
            self.resume = None;
            if !holds {
                self.holding = 0;
                return Some(false);
            }
            self.holding += 1;
        }
        self.holding = 0;
        Some(true)
    }
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

/// The path through an operation, if each transaction on it says whether its comparisons hold.
fn choose<'a>(operation: &'a Operation, succeeds: &mut impl FnMut(&Txn) -> Option<bool>) -> Option<Step<'a>> {
    Some(match operation {
        Operation::Range(range) => Step::Range(range),
        Operation::Put(put) => Step::Put(put),
        Operation::DeleteRange(delete) => Step::DeleteRange(delete),
        Operation::Txn(txn) => {
            let succeeded = succeeds(txn)?;
            let branch = if succeeded { &txn.success } else { &txn.failure };
            let steps = branch.iter().map(|operation| choose(operation, succeeds)).collect::<Option<_>>()?;
            Step::Txn { succeeded, steps }
        }
    })
}

/// A comparison holds if it holds for every key of its range. Without any key it is made with zeros, but for a value:
/// the value of a key that is not there equals nothing, not even the empty one.
fn holds(compare: &Compare, view: &impl View, newest: Revision) -> bool {
    let (mut resume, mut left) = (None, usize::MAX);
    holds_in_slice(compare, view, newest, &mut resume, &mut left).expect("the slice has no end")
}

/// The same, over as many keys as are left; `None` if there are more, from `resume` on.
fn holds_in_slice(
    compare: &Compare,
    view: &impl View,
    newest: Revision,
    resume: &mut Option<Bytes>,
    left: &mut usize,
) -> Option<bool> {
    if compare.keys.is_single() {
        *left = left.saturating_sub(1);
        return Some(holds_for(compare, view.get(&compare.keys.start, newest).as_ref()));
    }
    let keys = compare.keys.from(resume.as_ref());
    let mut found = view.range(&keys, newest).peekable();
    if found.peek().is_none() {
        *left = left.saturating_sub(1);
        return Some(holds_for(compare, None));
    }
    for key_value in found {
        if *left == 0 {
            *resume = Some(Bytes::copy_from_slice(key_value.key()));
            return None;
        }
        *left -= 1;
        if !holds_for(compare, Some(&key_value)) {
            return Some(false);
        }
    }
    Some(true)
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
