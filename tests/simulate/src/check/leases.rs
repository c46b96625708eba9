//! A lease lives at least as long as it was promised, and a key is never on a lease that is dead.
//!
//! Who revoked a lease is told by its requests: one that nobody asked to be revoked ran out. It may do so its time to live
//! after the last keepalive that was granted, counted by clocks that may be fast, and that may have jumped.
//!
//! Where a history was watched and not read from logs, a record's moment is only known to lie between two; each check takes
//! the one of them that can accuse nobody wrongly.

use super::reference::Reference;
use super::{Violation, promise};
use crate::moment::Moment;
use crate::record::calls::Call;
use crate::record::history::{History, LeaseRecord, Step, When};
use campanile_core::clock::Change;
use campanile_core::error::UserError;
use campanile_core::request::{Operation, Put, Request};
use campanile_core::response::Response;
use campanile_storage::ids::{LeaseId, Revision};
use campanile_storage::store::End;
use std::collections::BTreeMap;
use std::time::Duration;

const EARLY: &str = "no lease ends early";
const DEAD: &str = "no key is on a dead lease";
const TRUE: &str = "leases are there when they are, and only then";

/// How far clocks may be off.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    /// How much faster than virtual time the fastest runs, in millionths.
    pub fastest_ppm: i64,
    /// When a clock jumped, and by how much.
    pub jumps: Vec<(Moment, Duration)>,
}

impl Clocks {
    /// The least time that passes while some clock counts so many seconds, in a period that may hold jumps.
    fn least(&self, seconds: i64, from: Moment, to: Moment) -> Duration {
        let counted = seconds as i128 * 1_000_000 * 1_000_000 / i128::from(1_000_000 + self.fastest_ppm.max(0));
        let jumped: Duration = self.jumps.iter().filter(|(at, _)| from <= *at && *at <= to).map(|(_, by)| *by).sum();
        Duration::from_micros(counted as u64).saturating_sub(jumped)
    }
}

/// # Errors
/// The first promise about leases that was broken.
pub fn check(history: &History, calls: &[Call], clocks: &Clocks) -> Result<(), Violation> {
    for (&lease, records) in &history.leases {
        for pair in records.windows(2) {
            let ((_, granted, LeaseRecord::Granted { ttl_seconds }), (_, ended, LeaseRecord::Revoked { .. })) =
                (pair[0], pair[1])
            else {
                continue;
            };
            if !was_revoked(lease, ended.latest, calls) {
                check_age(lease, ttl_seconds, granted.earliest, ended.latest, calls, clocks)?;
            }
        }
    }
    check_revokes(history, calls)?;
    for (revision, step) in history.steps() {
        check_attached(history, revision, step)?;
    }
    check_taken_off(history)?;
    check_end(history)?;
    calls.iter().try_for_each(|call| check_refusal(lease_of(call), history, call, calls))
}

/// Every acknowledged revoke ended a life of its lease, one that nobody else's revoke ended, between question and answer.
fn check_revokes(history: &History, calls: &[Call]) -> Result<(), Violation> {
    let mut revokes: BTreeMap<LeaseId, Vec<(Moment, Moment)>> = BTreeMap::new();
    for call in calls {
        if let (Request::LeaseRevoke { id }, Some(_), Some(answer)) = (&call.request, call.response(), &call.answer) {
            revokes.entry(*id).or_default().push((answer.at, call.asked_at));
        }
    }
    for (lease, mut revokes) in revokes {
        let records = history.leases.get(&lease).into_iter().flatten();
        let ends = records.filter(|(_, _, record)| matches!(record, LeaseRecord::Revoked { .. }));
        let mut ends: Vec<When> = ends.map(|(_, when, _)| *when).collect();
        ends.sort_unstable();
        // Whoever was answered first takes the first end that it can: that leaves most to the others.
        revokes.sort_unstable();
        for (answered_at, asked_at) in revokes {
            let own = ends.iter().position(|when| when.earliest <= answered_at && asked_at <= when.latest);
            promise!(TRUE, own.is_some(), "the revoke of lease {lease}, answered at {answered_at}, did not end it");
            ends.remove(own.expect("it was just found"));
        }
    }
    Ok(())
}

/// Whether a client had asked for the lease's end by then.
fn was_revoked(lease: LeaseId, by: Moment, calls: &[Call]) -> bool {
    calls.iter().take_while(|call| call.asked_at <= by).any(|call| call.request == Request::LeaseRevoke { id: lease })
}

fn check_age(
    lease: LeaseId,
    ttl_seconds: i64,
    granted_at: Moment,
    ended_at: Moment,
    calls: &[Call],
    clocks: &Clocks,
) -> Result<(), Violation> {
    let kept = |call: &&Call| {
        let lived = matches!(call.response(), Some(Response::LeaseKeepAlive { ttl_seconds, .. }) if *ttl_seconds > 0);
        lived && call.request == Request::LeaseKeepAlive { id: lease }
    };
    let keepalives = calls.iter().filter(kept).map(|call| call.asked_at).filter(|at| *at <= ended_at);
    let last = keepalives.max().unwrap_or(granted_at).max(granted_at);
    let least = clocks.least(ttl_seconds, last, ended_at);
    promise!(
        EARLY,
        ended_at - last >= least,
        "lease {lease} of {ttl_seconds} s ran out at {ended_at}, {:?} after it was granted or kept at {last}",
        ended_at - last
    );
    Ok(())
}

/// Every key that this revision attaches to a lease was attached while that lived.
fn check_attached(history: &History, revision: Revision, step: &Step) -> Result<(), Violation> {
    for change in &step.changes {
        let Change::Put { key, lease, .. } = change else { continue };
        if *lease == LeaseId::NONE {
            continue;
        }
        let records = history.leases.get(lease).map_or(&[][..], Vec::as_slice);
        let grant = records.iter().rposition(|(index, _, record)| {
            matches!(record, LeaseRecord::Granted { .. }) && *index <= step.control_index
        });
        promise!(DEAD, grant.is_some(), "revision {revision} attaches {key:?} to lease {lease}, which is not granted");
        let end = records.get(grant.map_or(0, |grant| grant + 1));
        let dead = matches!(end, Some((_, _, LeaseRecord::Revoked { revision: Some(at) })) if *at < revision);
        promise!(DEAD, !dead, "revision {revision} attaches {key:?} to lease {lease}, which is dead: {end:?}");
    }
    Ok(())
}

/// Every key that a lease had when it died was taken off it: with the revision that ended it, or before the record was
/// written that says that it had none.
fn check_taken_off(history: &History) -> Result<(), Violation> {
    let mut on_leases: BTreeMap<&[u8], (Revision, LeaseId)> = BTreeMap::new();
    for (revision, step) in history.steps() {
        for change in &step.changes {
            let (key, lease) = match change {
                Change::Put { key, lease, .. } => (key, *lease),
                Change::Delete { key, .. } => (key, LeaseId::NONE),
            };
            let before = match lease {
                LeaseId::NONE => on_leases.remove(&key[..]),
                lease => on_leases.insert(key, (revision, lease)),
            };
            if let Some((attached, lease)) = before {
                let end = end_of(history, lease, attached);
                let in_time = match end {
                    Some((_, LeaseRecord::Revoked { revision: Some(at) })) => revision <= at,
                    Some((written_at, _)) => step.written_at <= written_at,
                    None => true,
                };
                promise!(DEAD, in_time, "{key:?} is on lease {lease} from {attached} to {revision}; {end:?}");
            }
        }
    }
    Ok(())
}

/// How the life of a lease ended, to which this revision attaches a key, and when that was written.
fn end_of(history: &History, lease: LeaseId, attached: Revision) -> Option<(Moment, LeaseRecord)> {
    let control_index = history.step(attached)?.control_index;
    let records = history.leases.get(&lease)?.iter();
    let mut later = records.skip_while(|(index, ..)| *index <= control_index);
    later
        .find(|(_, _, record)| matches!(record, LeaseRecord::Revoked { .. }))
        .map(|&(_, when, record)| (when.latest, record))
}

/// In the end no key is on a lease that is gone.
fn check_end(history: &History) -> Result<(), Violation> {
    let store = Reference::of(history).store;
    for key_value in store.range(b"", End::Unbounded, history.newest()) {
        let lease = key_value.lease();
        let last = history.leases.get(&lease).and_then(|records| records.last());
        let lives = lease == LeaseId::NONE || matches!(last, Some((_, _, LeaseRecord::Granted { .. })));
        promise!(DEAD, lives, "in the end {:?} is on lease {lease}: {last:?}", key_value.key());
    }
    Ok(())
}

/// The lease without which the request cannot be carried out.
fn lease_of(call: &Call) -> Option<LeaseId> {
    match &call.request {
        Request::LeaseRevoke { id } => Some(*id),
        Request::Operation(Operation::Put(Put { lease, .. })) => Some(*lease).filter(|lease| *lease != LeaseId::NONE),
        _ => None,
    }
}

/// A lease that surely lived all the time between question and answer was not said to be missing.
fn check_refusal(lease: Option<LeaseId>, history: &History, call: &Call, calls: &[Call]) -> Result<(), Violation> {
    let (Some(lease), Some(answer)) = (lease, &call.answer) else { return Ok(()) };
    if answer.result.as_ref().err() != Some(&UserError::LeaseNotFound) {
        return Ok(());
    }
    let granted = calls.iter().any(|grant| {
        let told = matches!(grant.response(), Some(Response::LeaseGrant { id, .. }) if *id == lease);
        told && grant.answer.as_ref().is_some_and(|granted| granted.at <= call.asked_at)
    });
    let records = history.leases.get(&lease).map_or(&[][..], Vec::as_slice);
    let is_end = |record: &LeaseRecord| matches!(record, LeaseRecord::Revoked { .. });
    let ended = records.iter().any(|(_, when, record)| is_end(record) && when.earliest <= answer.at);
    promise!(TRUE, !granted || ended, "{:?} found no lease {lease}: {records:?}", call.request);
    Ok(())
}
