//! The keyspace as plainly as it can be written: one ordered map for each revision, searched through.

use super::LIVE_LEASES;
use crate::clock::Change;
use crate::error::UserError;
use crate::evaluate::Evaluated;
use crate::request::*;
use crate::response::*;
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Position, Revision};
use campanile_storage::store::KeyValue;
use std::collections::BTreeMap;

type State = BTreeMap<Bytes, KeyValue>;

pub struct Model {
    /// By revision; those before 1 do not exist.
    states: Vec<State>,
    pub compacted: Revision,
}

impl Model {
    pub fn new() -> Model {
        Model { states: vec![State::new(), State::new()], compacted: Revision(-1) }
    }

    pub fn newest(&self) -> Revision {
        Revision(self.states.len() as i64 - 1)
    }

    pub fn apply(&mut self, changes: &[Change]) {
        let revision = self.newest().next();
        let mut state = self.states.last().expect("there is always one").clone();
        for change in changes {
            match change {
                Change::Put { sub, key, value, lease } => {
                    put(&mut state, Position { revision, sub: *sub }, key, value, *lease);
                }
                Change::Delete { key, .. } => _ = state.remove(key).expect("it is there"),
            }
        }
        self.states.push(state);
    }

    pub fn evaluate(&self, operation: &Operation, next: Revision) -> Result<Evaluated, UserError> {
        let before = self.states.last().expect("there is always one");
        let chosen = choose(operation, before);
        self.check(&chosen, before, matches!(operation, Operation::Txn(_)))?;
        let mut state = before.clone();
        let mut changes = Vec::new();
        let mut response = self.perform(&chosen, next, &mut state, &mut changes);
        if let OperationResponse::Txn(txn) = &mut response {
            txn.revision = if changes.is_empty() { self.newest() } else { next };
        }
        Ok(Evaluated { changes, response })
    }

    fn check(&self, operation: &Operation, before: &State, in_txn: bool) -> Result<(), UserError> {
        match operation {
            Operation::Range(range) => {
                let at = range.at.map_or(0, |at| at.0);
                if at > self.newest().0 {
                    return Err(UserError::FutureRevision);
                }
                if at < self.compacted.0 && at != 0 && (at > 0 || in_txn) {
                    return Err(UserError::Compacted);
                }
            }
            Operation::Put(put) => {
                if put.lease.0 != 0 && !LIVE_LEASES.contains(&put.lease.0) {
                    return Err(UserError::LeaseNotFound);
                }
                if (put.ignore_lease || put.ignore_value) && !before.contains_key(&put.key) {
                    return Err(UserError::KeyNotFound);
                }
            }
            Operation::DeleteRange(_) => {}
            Operation::Txn(txn) => {
                for operation in &txn.success {
                    self.check(operation, before, true)?;
                }
            }
        }
        Ok(())
    }

    fn perform(
        &self,
        operation: &Operation,
        next: Revision,
        state: &mut State,
        changes: &mut Vec<Change>,
    ) -> OperationResponse {
        let header = |changes: &[Change]| if changes.is_empty() { Revision(next.0 - 1) } else { next };
        match operation {
            Operation::Range(range) => {
                let at = range.at.map_or(0, |at| at.0);
                let state = if at > 0 { &self.states[at as usize] } else { &*state };
                OperationResponse::Range(range_of(range, state, header(changes)))
            }
            Operation::Put(wish) => {
                let previous = state.get(&wish.key).cloned();
                let mut value = wish.value.clone();
                let mut lease = wish.lease;
                if let Some(previous) = &previous {
                    if wish.ignore_value {
                        value = Bytes::copy_from_slice(previous.value());
                    }
                    if wish.ignore_lease {
                        lease = previous.lease();
                    }
                }
                let sub = changes.len() as u32;
                put(state, Position { revision: next, sub }, &wish.key, &value, lease);
                changes.push(Change::Put { sub, key: wish.key.clone(), value, lease });
                OperationResponse::Put(PutResponse { revision: next, previous: previous.filter(|_| wish.previous) })
            }
            Operation::DeleteRange(delete) => {
                let deleted: Vec<_> = within(state, &delete.keys).into_iter().cloned().collect();
                for key_value in &deleted {
                    let key = Bytes::copy_from_slice(key_value.key());
                    state.remove(&key);
                    changes.push(Change::Delete { sub: changes.len() as u32, key });
                }
                OperationResponse::DeleteRange(DeleteRangeResponse {
                    revision: header(changes),
                    deleted: deleted.len() as u64,
                    previous: if delete.previous { deleted } else { vec![] },
                })
            }
            Operation::Txn(txn) => {
                let responses =
                    txn.success.iter().map(|operation| self.perform(operation, next, state, changes)).collect();
                let succeeded = txn.compares.is_empty();
                OperationResponse::Txn(TxnResponse { revision: Revision(0), succeeded, responses })
            }
        }
    }
}

/// Replaces each transaction by the branch that it takes, as its success; a comparison is left if it failed.
fn choose(operation: &Operation, before: &State) -> Operation {
    let Operation::Txn(txn) = operation else { return operation.clone() };
    let failed: Vec<_> = txn.compares.iter().filter(|compare| !holds(compare, before)).cloned().collect();
    let branch = if failed.is_empty() { &txn.success } else { &txn.failure };
    let success = branch.iter().map(|operation| choose(operation, before)).collect();
    Operation::Txn(Txn { compares: failed, success, failure: vec![] })
}

fn holds(compare: &Compare, before: &State) -> bool {
    let one = |found: Option<&KeyValue>| {
        let number = |wanted: i64, read: &dyn Fn(&KeyValue) -> i64| found.map_or(0, read).cmp(&wanted);
        let ordering = match &compare.target {
            CompareTarget::Version(wanted) => number(*wanted, &|found| found.version()),
            CompareTarget::CreateRevision(wanted) => number(*wanted, &|found| found.create_revision().0),
            CompareTarget::ModRevision(wanted) => number(*wanted, &|found| found.mod_revision().0),
            CompareTarget::Lease(wanted) => number(*wanted, &|found| found.lease().0),
            CompareTarget::Value(_) if found.is_none() => return false,
            CompareTarget::Value(wanted) => found.expect("seen").value().cmp(wanted),
        };
        match compare.result {
            CompareResult::Equal => ordering.is_eq(),
            CompareResult::NotEqual => ordering.is_ne(),
            CompareResult::Greater => ordering.is_gt(),
            CompareResult::Less => ordering.is_lt(),
        }
    };
    let found = within(before, &compare.keys);
    if found.is_empty() { one(None) } else { found.into_iter().all(|found| one(Some(found))) }
}

fn within<'s>(state: &'s State, keys: &KeyRange) -> Vec<&'s KeyValue> {
    state.iter().filter(|(key, _)| keys.contains(key)).map(|(_, key_value)| key_value).collect()
}

fn put(state: &mut State, at: Position, key: &Bytes, value: &[u8], lease: LeaseId) {
    let (created, version) = match state.get(key) {
        Some(former) => (former.create_revision(), former.version() + 1),
        None => (at.revision, 1),
    };
    state.insert(key.clone(), KeyValue::new(key, value, created, at, version, lease));
}

fn range_of(range: &Range, state: &State, revision: Revision) -> RangeResponse {
    let all = within(state, &range.keys);
    let count = all.len() as u64;
    if range.count_only {
        return RangeResponse { revision, key_values: vec![], more: false, count };
    }
    let (target, order) = range.sort.unwrap_or((SortTarget::Key, SortOrder::None));
    let bounds = [range.mod_revision_min, range.mod_revision_max, range.create_revision_min, range.create_revision_max];
    let reads_all = order == SortOrder::Descend
        || order == SortOrder::Ascend && target != SortTarget::Key
        || bounds != [0; 4]
        || range.limit == 0;
    let mut found: Vec<KeyValue> = all.into_iter().cloned().collect();
    if !reads_all {
        found.truncate(range.limit as usize + 1);
    }
    let below = |number: Revision, max: i64| max == 0 || number.0 <= max;
    found.retain(|found| below(found.mod_revision(), range.mod_revision_max));
    found.retain(|found| found.mod_revision().0 >= range.mod_revision_min);
    found.retain(|found| below(found.create_revision(), range.create_revision_max));
    found.retain(|found| found.create_revision().0 >= range.create_revision_min);
    match target {
        SortTarget::Key => {}
        SortTarget::Version => found.sort_by_key(KeyValue::version),
        SortTarget::Create => found.sort_by_key(KeyValue::create_revision),
        SortTarget::Mod => found.sort_by_key(KeyValue::mod_revision),
        SortTarget::Value => found.sort_by(|a, b| a.value().cmp(b.value())),
    }
    if order == SortOrder::Descend {
        // Stable in the other direction: equal ones stay in key order.
        found.reverse();
        match target {
            SortTarget::Key => {}
            SortTarget::Version => found.sort_by(|a, b| b.version().cmp(&a.version()).then(a.key().cmp(b.key()))),
            SortTarget::Create => {
                found.sort_by(|a, b| b.create_revision().cmp(&a.create_revision()).then(a.key().cmp(b.key())));
            }
            SortTarget::Mod => {
                found.sort_by(|a, b| b.mod_revision().cmp(&a.mod_revision()).then(a.key().cmp(b.key())));
            }
            SortTarget::Value => found.sort_by(|a, b| b.value().cmp(a.value()).then(a.key().cmp(b.key()))),
        }
    }
    let more = range.limit > 0 && found.len() as u64 > range.limit;
    if more {
        found.truncate(range.limit as usize);
    }
    if range.keys_only {
        for found in &mut found {
            let lease = if target == SortTarget::Value { found.lease() } else { LeaseId(0) };
            *found = KeyValue::new(found.key(), b"", found.create_revision(), found.position(), found.version(), lease);
        }
    }
    RangeResponse { revision, key_values: found, more, count }
}
