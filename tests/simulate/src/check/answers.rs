//! Every answer is the one that a single store would have given at one moment between the question and the answer.
//!
//! Revisions order all writes, so there is nothing to search among those that were answered: a write is compared with an
//! evaluation just before its revision, a read with one at the revision that it names, and both with what had been shown
//! before they were asked. What remains to be searched is in [`unanswered`](super::unanswered).

use super::reference::{AnyLease, Reference};
use super::unanswered::Unclaimed;
use super::{Violation, promise};
use crate::record::calls::Call;
use crate::record::history::{History, Step};
use campanile_core::evaluate::evaluate;
use campanile_core::request::{Operation, Range, Request};
use campanile_core::response::{OperationResponse, Response};
use campanile_storage::ids::Revision;
use std::collections::BTreeMap;

const PROMISE: &str = "answers are linearizable";
const LOST: &str = "no acknowledged write is lost";
const STALE: &str = "no linearizable answer is older than what anybody was shown before it was asked";

/// Compares all answers with the history, and leaves the revisions that no answered request explains.
///
/// # Errors
/// The first answer that no moment explains.
pub fn check(history: &History, calls: &[Call]) -> Result<Vec<Unclaimed>, Violation> {
    let mut by_revision: BTreeMap<Revision, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        if let Some(response) = call.response() {
            by_revision.entry(response.revision()).or_default().push(call);
        }
    }
    if let Some((revision, calls)) = by_revision.range(history.newest().next()..).next() {
        promise!(LOST, false, "revision {revision} was told and is not there: {:?}", calls[0].request);
    }
    let nothing = Step::default();
    let mut reference = Reference::default();
    let mut unclaimed = Vec::new();
    for revision in (1..=history.newest().0).map(Revision) {
        let step = history.step(revision).unwrap_or(&nothing);
        let here = by_revision.get(&revision).map_or(&[][..], Vec::as_slice);
        let mut writers = 0;
        for call in here {
            check_age(call, revision)?;
            writers += u32::from(check_write(call, &reference, revision, step)?);
        }
        promise!(PROMISE, writers <= 1, "revision {revision} was given to {writers} requests");
        if writers == 0 && revision > Revision::EMPTY && step.revoked.is_empty() {
            unclaimed.push(Unclaimed::gather(revision, step, calls, &reference));
        }
        reference.apply(revision, step);
        for call in here {
            check_read(call, &reference, revision)?;
        }
    }
    Ok(unclaimed)
}

/// What was shown to anybody before a linearizable request was asked is not above its answer.
fn check_age(call: &Call, revision: Revision) -> Result<(), Violation> {
    let any_member_answers = match &call.request {
        Request::Operation(operation) => operation.is_serializable(),
        Request::Status
        | Request::Hash
        | Request::HashKv { .. }
        | Request::MemberList { .. }
        | Request::AlarmGet { .. } => true,
        _ => false,
    };
    let fresh = any_member_answers || revision >= call.shown_before;
    promise!(STALE, fresh, "{:?} answered at {revision}, {} was shown before", call.request, call.shown_before);
    Ok(())
}

/// Whether the call wrote this revision: its answer and its changes are those of an evaluation just before it. An answer
/// that says so must be right.
fn check_write(call: &Call, reference: &Reference, revision: Revision, step: &Step) -> Result<bool, Violation> {
    // Whether a revoke was right is for the checker of leases: after it the lease may be granted, and revoked once more.
    let (Request::Operation(operation), Some(Response::Operation(response))) = (&call.request, call.response()) else {
        return Ok(false);
    };
    if !says_written(response) {
        return Ok(false);
    }
    let expected = evaluate(operation, &reference.store, &AnyLease, revision);
    let same =
        expected.as_ref().is_ok_and(|expected| expected.changes == step.changes && expected.response == *response);
    promise!(
        LOST,
        same,
        "{operation:?} was answered {response:?} at {revision}, where stands {:?} and {expected:?} was expected",
        step.changes
    );
    promise!(STALE, revision > call.shown_before, "{operation:?} was written at {revision}, which was shown before");
    Ok(true)
}

/// If the answer says that nothing was written, it is that of an evaluation at the revision that it names.
fn check_read(call: &Call, reference: &Reference, revision: Revision) -> Result<(), Violation> {
    let (Request::Operation(operation), Some(Response::Operation(response))) = (&call.request, call.response()) else {
        return Ok(());
    };
    if says_written(response) {
        return Ok(());
    }
    if let Operation::Range(Range { at: Some(at), serializable: false, .. }) = operation {
        let readable = at.0 <= 0 || *at >= call.compacted_before;
        promise!(PROMISE, readable, "read {at}, though {} was compacted before", call.compacted_before);
    }
    let expected = evaluate(operation, &reference.store, &AnyLease, revision.next());
    let same = expected.as_ref().is_ok_and(|expected| expected.response == *response);
    promise!(PROMISE, same, "{operation:?} read {response:?} at {revision}, where {expected:?} was to be read");
    Ok(())
}

/// Whether an answer says that something was put or deleted.
#[must_use]
pub fn says_written(response: &OperationResponse) -> bool {
    match response {
        OperationResponse::Put(_) => true,
        OperationResponse::DeleteRange(response) => response.deleted > 0,
        OperationResponse::Txn(response) => response.responses.iter().any(says_written),
        OperationResponse::Range(_) => false,
    }
}
