//! The effects of a prepared operation, in order; later operations of a transaction see those of the earlier ones.
//!
//! Cannot fail: whatever could stand in the way was found in [`super::prepare`].

use super::Evaluated;
use super::overlay::Overlay;
use super::prepare::{Prepared, Step, read_at};
use super::select::{is_plain, select};
use super::view::View;
use crate::clock::Change;
use crate::request::{DeleteRange, Put, Range};
use crate::response::{DeleteRangeResponse, OperationResponse, PutResponse, RangeResponse, TxnResponse};
use bytes::Bytes;
use campanile_storage::ids::{Position, Revision};
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
                let mut run = Run::new(view, newest, operations(step) > 1);
                let mut response = run.step(step);
                if let OperationResponse::Txn(txn) = &mut response {
                    txn.revision = run.revision();
                }
                Evaluated { changes: run.changes, response }
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

fn operations(step: &Step<'_>) -> usize {
    match step {
        Step::Txn { steps, .. } => steps.iter().map(operations).sum(),
        _ => 1,
    }
}

/// The key of a version, shared with it: whoever deletes a million keys copies none.
struct KeyOf(KeyValue);

impl AsRef<[u8]> for KeyOf {
    fn as_ref(&self) -> &[u8] {
        self.0.key()
    }
}

/// A transaction under way.
struct Run<'v, V> {
    view: &'v V,
    newest: Revision,
    overlay: Overlay<'v, V>,
    /// Whether anything can read what an operation wrote. If not, effects are not kept for reading.
    is_read_back: bool,
    changes: Vec<Change>,
}

impl<'v, V: View> Run<'v, V> {
    fn new(view: &'v V, newest: Revision, is_read_back: bool) -> Run<'v, V> {
        Run { view, newest, overlay: Overlay::new(view, newest), is_read_back, changes: Vec::new() }
    }

    /// What a header says now: the transaction's own revision from its first change on.
    fn revision(&self) -> Revision {
        if self.changes.is_empty() { self.newest } else { self.newest.next() }
    }

    fn sub(&self) -> u32 {
        u32::try_from(self.changes.len()).expect("a transaction changes fewer than 2^32 keys")
    }

    fn position(&self) -> Position {
        Position { revision: self.newest.next(), sub: self.sub() }
    }

    fn step(&mut self, step: &Step<'_>) -> OperationResponse {
        match step {
            Step::Range(range) => OperationResponse::Range(self.range(range)),
            Step::Put(put) => OperationResponse::Put(self.put(put)),
            Step::DeleteRange(delete) => OperationResponse::DeleteRange(self.delete(delete)),
            Step::Txn { succeeded, steps } => {
                let responses = steps.iter().map(|step| self.step(step)).collect();
                // etcd fills the header of the outermost transaction alone.
                OperationResponse::Txn(TxnResponse { revision: Revision(0), succeeded: *succeeded, responses })
            }
        }
    }

    fn range(&self, range: &Range) -> RangeResponse {
        let names_revision = range.at.is_some_and(|at| at.0 > 0);
        if self.changes.is_empty() || names_revision {
            return read(range, self.view, self.newest, self.revision());
        }
        select(range, self.revision(), self.overlay.range(&range.keys), || self.overlay.count(&range.keys))
    }

    fn put(&mut self, put: &Put) -> PutResponse {
        let asks = put.previous || put.ignore_value || put.ignore_lease;
        let previous = if asks || self.is_read_back { self.overlay.get(&put.key) } else { None };
        let change = change_of(put, self.sub(), previous.as_ref());
        if self.is_read_back
            && let Change::Put { key, value, lease, .. } = &change
        {
            let position = self.position();
            let (created, version) = match &previous {
                Some(previous) => (previous.create_revision(), previous.version() + 1),
                None => (position.revision, 1),
            };
            let written = KeyValue::new(key, value, created, position, version, *lease);
            self.overlay.set(key.clone(), Some(written));
        }
        self.changes.push(change);
        PutResponse { revision: self.revision(), previous: previous.filter(|_| put.previous) }
    }

    fn delete(&mut self, delete: &DeleteRange) -> DeleteRangeResponse {
        let deleted: Vec<KeyValue> = if delete.keys.is_single() {
            self.overlay.get(&delete.keys.start).into_iter().collect()
        } else {
            self.overlay.range(&delete.keys).collect()
        };
        self.changes.reserve_exact(deleted.len());
        for key_value in &deleted {
            let key = Bytes::from_owner(KeyOf(key_value.clone()));
            if self.is_read_back {
                self.overlay.set(key.clone(), None);
            }
            let sub = self.sub();
            self.changes.push(Change::Delete { sub, key });
        }
        DeleteRangeResponse {
            revision: self.revision(),
            deleted: deleted.len() as u64,
            previous: if delete.previous { deleted } else { Vec::new() },
        }
    }
}
