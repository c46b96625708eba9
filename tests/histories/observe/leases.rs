//! The lives of leases. A grant that was answered begins one; the revision in which its mark vanishes ends it.
//!
//! A lease without its mark (nobody but a late put knew of it) has ended where exactly the keys on it vanish, and no answered
//! request says that it deleted them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use campanile_core::{clock::Change, request::Request, response::Response};
use campanile_simulate::{
    check::Violation,
    moment::Moment,
    record::{
        Call,
        history::{LeaseRecord, When},
    },
};
use campanile_storage::ids::{Index, LeaseId, Revision};

use super::{
    keyspace::Keyspace,
    timing::{Timing, written_revision},
};
use crate::clients::leases::marked;

const WHOLE: &str = "a lease's end deletes the keys on it, all of them and nothing else";
const KNOWN: &str = "a lease ends once in each of its lives";

/// What is known of leases.
#[derive(Debug)]
pub struct Lives {
    /// By lease; each record's index is its number in the order of when it was made at the earliest.
    records: BTreeMap<LeaseId, Vec<(Index, When, LeaseRecord)>>,
    ends: BTreeMap<Revision, LeaseId>,
}

impl Lives {
    /// # Errors
    /// If an end is not one.
    pub fn of(keyspace: &Keyspace, calls: &[Call], timing: &Timing) -> Result<Lives, Violation> {
        let ends = ends(keyspace, calls)?;
        let mut records: Vec<(LeaseId, When, LeaseRecord)> = grants(calls).collect();
        for (&revision, &lease) in &ends {
            let record = LeaseRecord::Revoked { revision: Some(revision) };
            records.push((lease, timing.when(revision), record));
        }
        records.extend(unseen_ends(&records, keyspace, calls, timing));
        records.sort_by_key(|(_, when, _)| *when);
        let mut lives = Lives { records: BTreeMap::new(), ends };
        for (number, (lease, when, record)) in (1..).zip(records) {
            lives.records.entry(lease).or_default().push((Index(number), when, record));
        }
        for (lease, records) in &lives.records {
            let is_end = |record: &LeaseRecord| matches!(record, LeaseRecord::Revoked { .. });
            let alternate = records.iter().enumerate().all(|(place, (.., record))| is_end(record) == (place % 2 == 1));
            if !alternate {
                return Err(Violation::new(KNOWN, format!("lease {lease}: {records:?}")));
            }
        }
        Ok(lives)
    }

    pub fn records(&self) -> BTreeMap<LeaseId, Vec<(Index, When, LeaseRecord)>> {
        self.records.clone()
    }

    /// The leases that die with a revision.
    pub fn ended_at(&self, revision: Revision) -> Vec<LeaseId> {
        self.ends.get(&revision).copied().into_iter().collect()
    }

    /// The newest grant on which these changes rely, of those that may have been made by then.
    pub fn newest_grant(&self, changes: &[Change], by: Moment) -> Index {
        let relied_on = changes.iter().filter_map(|change| match change {
            Change::Put { lease, .. } => self.records.get(lease),
            Change::Delete { .. } => None,
        });
        let grants = relied_on
            .flatten()
            .filter(|(_, when, record)| matches!(record, LeaseRecord::Granted { .. }) && when.earliest <= by);
        grants.map(|(index, ..)| *index).max().unwrap_or(Index(0))
    }
}

/// Grants that were answered.
fn grants(calls: &[Call]) -> impl Iterator<Item = (LeaseId, When, LeaseRecord)> {
    calls.iter().filter_map(|call| match (call.response(), &call.answer) {
        (Some(Response::LeaseGrant { id, ttl_seconds, .. }), Some(answer)) => {
            let when = When { earliest: call.asked_at, latest: answer.at };
            Some((*id, when, LeaseRecord::Granted { ttl_seconds: *ttl_seconds }))
        }
        _ => None,
    })
}

/// Walks through the history, and finds the revisions that ended a lease.
fn ends(keyspace: &Keyspace, calls: &[Call]) -> Result<BTreeMap<Revision, LeaseId>, Violation> {
    let claimed: BTreeSet<Revision> = calls.iter().filter_map(written_revision).collect();
    let mut attached = Attached::default();
    let mut ends = BTreeMap::new();
    for (revision, changes) in keyspace.steps() {
        let mark = changes.iter().find_map(|change| match change {
            Change::Delete { key, .. } => marked(key),
            Change::Put { .. } => None,
        });
        let ended = attached.ended_by(changes);
        match mark {
            Some(lease) if ended == Some(lease) => drop(ends.insert(revision, lease)),
            Some(lease) => {
                let what = format!("revision {revision} ends lease {lease}: {changes:?}, on it are {attached:?}");
                return Err(Violation::new(WHOLE, what));
            }
            None => {
                let unmarked = ended.filter(|lease| !attached.is_marked(*lease) && !claimed.contains(&revision));
                ends.extend(unmarked.map(|lease| (revision, lease)));
            }
        }
        attached.apply(changes);
    }
    Ok(ends)
}

/// Which keys are on which lease.
#[derive(Debug, Default)]
struct Attached {
    leases: BTreeMap<Bytes, LeaseId>,
    keys: BTreeMap<LeaseId, BTreeSet<Bytes>>,
}

impl Attached {
    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            if let Some(before) = self.leases.remove(change.key()) {
                let keys = self.keys.get_mut(&before).expect("both tables say the same");
                keys.remove(change.key());
            }
            if let Change::Put { key, lease, .. } = change
                && *lease != LeaseId::NONE
            {
                self.leases.insert(key.clone(), *lease);
                self.keys.entry(*lease).or_default().insert(key.clone());
            }
        }
    }

    /// The lease on which are exactly the keys that are deleted, in their order.
    fn ended_by(&self, changes: &[Change]) -> Option<LeaseId> {
        let lease = *self.leases.get(changes.first()?.key())?;
        let deletes_alone = changes.iter().all(|change| matches!(change, Change::Delete { .. }));
        let same = changes.iter().map(Change::key).eq(&self.keys[&lease]);
        (deletes_alone && same).then_some(lease)
    }

    fn is_marked(&self, lease: LeaseId) -> bool {
        self.keys.get(&lease).is_some_and(|keys| keys.iter().any(|key| marked(key) == Some(lease)))
    }
}

/// Last lives without a key and without an end: they have ended at a time that nobody can know, if they have.
fn unseen_ends(
    records: &[(LeaseId, When, LeaseRecord)],
    keyspace: &Keyspace,
    calls: &[Call],
    timing: &Timing,
) -> Vec<(LeaseId, When, LeaseRecord)> {
    let mut attached: BTreeMap<LeaseId, Moment> = BTreeMap::new();
    for (revision, changes) in keyspace.steps() {
        for change in changes {
            if let Change::Put { lease, .. } = change {
                attached.insert(*lease, timing.when(revision).latest);
            }
        }
    }
    let mut lives: BTreeMap<LeaseId, Vec<(When, LeaseRecord)>> = BTreeMap::new();
    for (lease, when, record) in records {
        lives.entry(*lease).or_default().push((*when, *record));
    }
    let unseen = |(lease, mut records): (LeaseId, Vec<(When, LeaseRecord)>)| {
        records.sort_by_key(|(when, _)| *when);
        let (when, LeaseRecord::Granted { ttl_seconds }) = *records.last()? else { return None };
        let has_keys = attached.get(&lease).is_some_and(|at| *at >= when.earliest);
        let revoke = |call: &&Call| call.request == Request::LeaseRevoke { id: lease };
        let revoked = calls.iter().filter(revoke).map(|call| call.asked_at).min();
        let run_out = Moment(when.earliest.0 + ttl_seconds.cast_unsigned() * 1_000_000);
        let earliest = revoked.map_or(run_out, |revoked| revoked.min(run_out)).max(when.earliest);
        let end = When { earliest, latest: Moment(u64::MAX) };
        (!has_keys).then_some((lease, end, LeaseRecord::Revoked { revision: None }))
    };
    lives.into_iter().filter_map(unseen).collect()
}
