//! The effects of a prepared operation, in order; later operations of a transaction see those of the earlier ones.
//!
//! Cannot fail: whatever could stand in the way was found in [`super::prepare`]. It may be done in slices of so many keys:
//! between two of them nothing is held but what is done, and where the operation under way goes on.

use super::Evaluated;
use super::changes::Changes;
use super::overlay::{Effects, Overlay, Seen};
use super::prepare::{Prepared, Step, read_at};
use super::select::{is_plain, select, useful};
use super::view::View;
use crate::clock::Change;
use crate::request::{DeleteRange, Put, Range};
use crate::response::{DeleteRangeResponse, OperationResponse, PutResponse, RangeResponse, TxnResponse};
use bytes::Bytes;
use campanile_storage::ids::{Position, Revision, ShardId};
use campanile_storage::store::KeyValue;

impl Prepared<'_> {
    /// Performs the operation. `newest` is the newest revision in the view; the changes are for the one after it. That
    /// may be more than `newest` was in [`super::prepare`], if others took revisions since, but the view is the same.
    #[must_use]
    pub fn run(&self, view: &impl View, newest: Revision) -> Evaluated {
        match &self.step {
            Step::Range(range) => {
                let response = read(range, view, newest, newest);
                Evaluated { changes: Vec::new(), response: OperationResponse::Range(response) }
            }
            Step::Put(put) => run_put(put, view, newest),
            step => {
                let mut running = Running::new(step, Vec::new());
                let mut left = usize::MAX;
                let response = running.go_on(step, view, newest, &mut left).expect("the slice has no end");
                Evaluated { changes: running.changes, response }
            }
        }
    }
}

/// The same as [`Run::put`], for a put on its own: nothing reads what it wrote.
fn run_put(put: &Put, view: &impl View, newest: Revision) -> Evaluated {
    let asks = put.previous || put.ignore_value || put.ignore_lease;
    let previous = if asks { view.get(&put.key, newest) } else { None };
    let change = change_of(put, 0, previous.as_ref());
    let response = PutResponse { revision: newest.next(), previous: previous.filter(|_| put.previous) };
    Evaluated { changes: vec![change], response: OperationResponse::Put(response) }
}

/// A range of a view at the revision that it names, or at the newest one. `revision` goes into the header.
fn read(range: &Range, view: &impl View, newest: Revision, revision: Revision) -> RangeResponse {
    let at = read_at(range, newest);
    if is_plain(range) {
        let key_values: Vec<_> = view.get(&range.keys.start, at).into_iter().collect();
        return RangeResponse { revision, count: key_values.len() as u64, key_values, more: false };
    }
    select(range, revision, view.range(&range.keys, at), || view.count(&range.keys, at))
}

fn change_of(put: &Put, sub: u32, previous: Option<&KeyValue>) -> Change {
    // etcd checks `ignore_value` against the state before the transaction, and crashes if an operation before this one
    // deleted the key (a delete up to the end of the keyspace passes its check for duplicates). Here nothing is kept then.
    let value = match previous.filter(|_| put.ignore_value) {
        Some(previous) => Bytes::copy_from_slice(previous.value()),
        None => put.value.clone(),
    };
    let lease = match previous.filter(|_| put.ignore_lease) {
        Some(previous) => previous.lease(),
        None => put.lease,
    };
    Change::Put { sub, key: put.key.clone(), value, lease }
}

/// The operations on the chosen path, in the order in which they are done.
fn operations<'s, 'a>(step: &'s Step<'a>) -> Vec<&'s Step<'a>> {
    match step {
        Step::Txn { steps, .. } => steps.iter().flat_map(operations).collect(),
        operation => vec![operation],
    }
}

/// The key of a version, shared with it: whoever deletes a million keys copies none.
struct KeyOf(KeyValue);

impl AsRef<[u8]> for KeyOf {
    fn as_ref(&self) -> &[u8] {
        self.0.key()
    }
}

/// What an operation under way has found so far.
#[derive(Debug, Default)]
struct Found {
    /// Where it goes on.
    resume: Option<Bytes>,
    key_values: Vec<KeyValue>,
    deleted: u64,
}

/// How far a transaction is.
#[derive(Debug)]
pub(super) struct Running<C> {
    /// Whether anything can read what an operation wrote. If not, effects are not kept for reading.
    is_read_back: bool,
    effects: Effects,
    pub(super) changes: C,
    /// Of the operations that are done.
    responses: Vec<OperationResponse>,
    found: Found,
}

impl<C: Changes> Running<C> {
    pub(super) fn new(step: &Step<'_>, changes: C) -> Running<C> {
        let is_read_back = operations(step).len() > 1;
        Running { is_read_back, effects: Effects::new(), changes, responses: Vec::new(), found: Found::default() }
    }

    /// Goes on with the operations, over as many keys as are left of a slice. Answers when all are done.
    pub(super) fn go_on(
        &mut self,
        step: &Step<'_>,
        view: &impl View,
        newest: Revision,
        left: &mut usize,
    ) -> Option<OperationResponse> {
        let mut run = Run { view, newest, running: self };
        for operation in operations(step).into_iter().skip(run.running.responses.len()) {
            let response = run.operation(operation, left)?;
            run.running.responses.push(response);
        }
        let revision = run.revision();
        let mut response = answer(step, &mut std::mem::take(&mut self.responses).into_iter());
        if let OperationResponse::Txn(txn) = &mut response {
            txn.revision = revision;
        }
        Some(response)
    }
}

/// The answers of operations, in the form of the transaction. etcd fills the header of the outermost one alone.
fn answer(step: &Step<'_>, responses: &mut impl Iterator<Item = OperationResponse>) -> OperationResponse {
    match step {
        Step::Txn { succeeded, steps } => OperationResponse::Txn(TxnResponse {
            revision: Revision(0),
            succeeded: *succeeded,
            responses: steps.iter().map(|step| answer(step, responses)).collect(),
        }),
        _ => responses.next().expect("every operation is done"),
    }
}

/// One slice of a transaction.
struct Run<'v, V, C> {
    view: &'v V,
    newest: Revision,
    running: &'v mut Running<C>,
}

impl<V: View, C: Changes> Run<'_, V, C> {
    fn overlay(&mut self) -> Overlay<'_, V> {
        Overlay { view: self.view, newest: self.newest, effects: &mut self.running.effects }
    }

    /// What a header says now: the transaction's own revision from its first change on.
    fn revision(&self) -> Revision {
        if self.running.changes.count() == 0 { self.newest } else { self.newest.next() }
    }

    fn sub(&self) -> u32 {
        u32::try_from(self.running.changes.count()).expect("a transaction changes fewer than 2^32 keys")
    }

    fn position(&self) -> Position {
        Position { revision: self.newest.next(), sub: self.sub() }
    }

    fn operation(&mut self, step: &Step<'_>, left: &mut usize) -> Option<OperationResponse> {
        if *left == 0 {
            return None;
        }
        Some(match step {
            Step::Range(range) => OperationResponse::Range(self.range(range, left)?),
            Step::Put(put) => {
                *left -= 1;
                OperationResponse::Put(self.put(put))
            }
            Step::DeleteRange(delete) => OperationResponse::DeleteRange(self.delete(delete, left)?),
            Step::Txn { .. } => unreachable!("only operations are done, not the transactions around them"),
        })
    }

    fn range(&mut self, range: &Range, left: &mut usize) -> Option<RangeResponse> {
        let names_revision = range.at.is_some_and(|at| at.0 > 0);
        let revision = self.revision();
        let at = read_at(range, self.newest);
        if self.running.changes.count() == 0 || names_revision {
            if range.keys.is_single() {
                *left -= 1;
                return Some(read(range, self.view, self.newest, revision));
            }
            let view = self.view;
            let keys = range.keys.from(self.running.found.resume.as_ref());
            let seen = view.range(&keys, at).map(|key_value| Seen::There(key_value, None));
            let found = self.running.found.take(seen, useful(range), left)?;
            return Some(select(range, revision, found.into_iter(), || view.count(&range.keys, at)));
        }
        let mut found = std::mem::take(&mut self.running.found);
        let keys = range.keys.from(found.resume.as_ref());
        let overlay = self.overlay();
        match found.take(overlay.seen(&keys), useful(range), left) {
            Some(found) => Some(select(range, revision, found.into_iter(), || overlay.count(&range.keys))),
            None => {
                self.running.found = found;
                None
            }
        }
    }

    fn put(&mut self, put: &Put) -> PutResponse {
        let asks = put.previous || put.ignore_value || put.ignore_lease;
        let previous = if asks || self.running.is_read_back { self.overlay().get(&put.key) } else { None };
        let change = change_of(put, self.sub(), previous.as_ref());
        if self.running.is_read_back
            && let Change::Put { key, value, lease, .. } = &change
        {
            let position = self.position();
            let (created, version) = match &previous {
                Some(previous) => (previous.create_revision(), previous.version() + 1),
                None => (position.revision, 1),
            };
            let written = KeyValue::new(key, value, created, position, version, *lease);
            self.overlay().set(key.clone(), Some(written));
        }
        self.running.changes.push(change, None);
        PutResponse { revision: self.revision(), previous: previous.filter(|_| put.previous) }
    }

    fn delete(&mut self, delete: &DeleteRange, left: &mut usize) -> Option<DeleteRangeResponse> {
        let mut slice = Slice::default();
        if delete.keys.is_single() {
            *left -= 1;
            slice.found.extend(self.overlay().get(&delete.keys.start).map(|key_value| (key_value, None)));
        } else {
            let keys = delete.keys.from(self.running.found.resume.as_ref());
            slice = Slice::of(self.overlay().seen(&keys), left);
        }
        self.running.changes.reserve(slice.found.len());
        self.running.found.deleted += slice.found.len() as u64;
        for (key_value, owner) in slice.found {
            let key = Bytes::from_owner(KeyOf(key_value.clone()));
            if self.running.is_read_back {
                self.overlay().set(key.clone(), None);
            }
            let sub = self.sub();
            self.running.changes.push(Change::Delete { sub, key }, owner);
            if delete.previous {
                self.running.found.key_values.push(key_value);
            }
        }
        self.running.found.resume = slice.resume;
        if self.running.found.resume.is_some() {
            return None;
        }
        let Found { deleted, key_values: previous, .. } = std::mem::take(&mut self.running.found);
        Some(DeleteRangeResponse { revision: self.revision(), deleted, previous })
    }
}

/// Keys that are there, as many as a slice had room for.
#[derive(Default)]
struct Slice {
    found: Vec<(KeyValue, Option<ShardId>)>,
    /// The first one that it had no room for.
    resume: Option<Bytes>,
}

impl Slice {
    fn of<'a>(keys: impl Iterator<Item = Seen<'a>>, left: &mut usize) -> Slice {
        let mut slice = Slice::default();
        for seen in keys {
            if *left == 0 {
                slice.resume = Some(Bytes::copy_from_slice(seen.key()));
                break;
            }
            *left -= 1;
            if let Seen::There(key_value, owner) = seen {
                slice.found.push((key_value, owner));
            }
        }
        slice
    }
}

impl Found {
    /// Takes what a range comes to, until so many are found. Answers when those are all.
    fn take<'a>(
        &mut self,
        keys: impl Iterator<Item = Seen<'a>>,
        useful: Option<usize>,
        left: &mut usize,
    ) -> Option<Vec<KeyValue>> {
        let useful = useful.unwrap_or(usize::MAX);
        for seen in keys {
            if self.key_values.len() >= useful {
                break;
            }
            if *left == 0 {
                self.resume = Some(Bytes::copy_from_slice(seen.key()));
                return None;
            }
            *left -= 1;
            if let Seen::There(key_value, _) = seen {
                self.key_values.push(key_value);
            }
        }
        Some(std::mem::take(self).key_values)
    }
}
