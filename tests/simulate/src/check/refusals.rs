//! Errors are true: what a client is told to be compacted, in the future, not there or not allowed was so at some moment
//! between question and answer. Errors that say that nobody knows are never wrong.

use super::reference::{AnyLease, Reference};
use super::{Violation, promise};
use crate::record::calls::{Answer, Call, is_inconclusive};
use crate::record::history::History;
use campanile_core::error::UserError;
use campanile_core::evaluate::{Limits, evaluate, validate};
use campanile_core::request::{Operation, Range, Request};
use campanile_storage::ids::Revision;

const PROMISE: &str = "errors are true";

/// # Errors
/// The first error that no moment explains.
pub fn check(history: &History, calls: &[Call]) -> Result<(), Violation> {
    let reference = Reference::of(history);
    for call in calls {
        let Some(answer) = &call.answer else { continue };
        let Err(error) = answer.result else { continue };
        let explained = match &call.request {
            _ if is_inconclusive(error) || error == UserError::TooManyRequests => true,
            Request::Operation(operation) => explains(operation, error, call, answer, history, &reference),
            Request::Compact { at, .. } => match error {
                UserError::Compacted => was_compacted(*at, true, answer, calls),
                error => error == UserError::FutureRevision && *at > call.shown_before,
            },
            Request::HashKv { at } => match error {
                UserError::Compacted => was_compacted(at.next(), true, answer, calls),
                error => error == UserError::FutureRevision,
            },
            // Leases have a checker of their own.
            Request::LeaseGrant { .. } => {
                matches!(error, UserError::LeaseExists | UserError::LeaseTtlTooLarge | UserError::LeaseNotFound)
            }
            Request::LeaseRevoke { .. } => error == UserError::LeaseNotFound,
            _ => false,
        };
        promise!(PROMISE, explained, "{:?} was refused with {error:?}", call.request);
    }
    for call in calls {
        if let (Request::Operation(Operation::Range(Range { at: Some(at), .. })), Some(answer)) =
            (&call.request, &call.answer)
            && answer.result.as_ref().err() == Some(&UserError::Compacted)
        {
            promise!(PROMISE, was_compacted(at.next(), true, answer, calls), "{at} was refused as compacted");
        }
    }
    Ok(())
}

/// Whether somebody had asked for a compaction at this revision or above it when the answer came.
fn was_compacted(at: Revision, or_above: bool, answer: &Answer, calls: &[Call]) -> bool {
    calls.iter().take_while(|call| call.asked_at <= answer.at).any(|call| match &call.request {
        Request::Compact { at: compacted, .. } => *compacted == at || or_above && *compacted > at,
        _ => false,
    })
}

/// Whether an evaluation at one of the moments gives this error.
fn explains(
    operation: &Operation,
    error: UserError,
    call: &Call,
    answer: &Answer,
    history: &History,
    reference: &Reference,
) -> bool {
    if let Err(invalid) = validate(operation, Limits::default()) {
        return invalid == error;
    }
    match error {
        // The reference is never compacted, and knows no leases: others check these.
        UserError::Compacted | UserError::LeaseNotFound => true,
        error => {
            let earliest = if operation.is_serializable() { Revision::EMPTY } else { call.shown_before };
            let latest = answer.written_by_then.min(history.newest());
            (earliest.0..=latest.0).map(Revision).any(|moment| {
                let view = At { reference, moment };
                evaluate(operation, &view, &AnyLease, moment.next()).err() == Some(error)
            })
        }
    }
}

/// The reference as it was at one revision.
struct At<'a> {
    reference: &'a Reference,
    moment: Revision,
}

impl campanile_core::evaluate::View for At<'_> {
    fn get(&self, key: &[u8], at: Revision) -> Option<campanile_storage::store::KeyValue> {
        campanile_core::evaluate::View::get(&self.reference.store, key, at.min(self.moment))
    }

    fn range<'a>(
        &'a self,
        keys: &'a campanile_core::request::KeyRange,
        at: Revision,
    ) -> impl Iterator<Item = campanile_storage::store::KeyValue> {
        campanile_core::evaluate::View::range(&self.reference.store, keys, at.min(self.moment))
    }

    fn count(&self, keys: &campanile_core::request::KeyRange, at: Revision) -> u64 {
        campanile_core::evaluate::View::count(&self.reference.store, keys, at.min(self.moment))
    }

    fn compacted(&self) -> Revision {
        campanile_core::evaluate::View::compacted(&self.reference.store)
    }
}
