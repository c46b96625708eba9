//! Which leases clients use. From outside, a lease's end is keys that vanish, which could be an unanswered delete as well;
//! so each lease has a *mark*: a key of its own, put on it before anybody else hears of it, which no request ever deletes.
//! Where the mark vanishes, the lease has ended, by a revoke or because it ran out.
//!
//! An id is granted again only by whoever alone revoked it and was told so: each end belongs to one life. A lease whose grant
//! or mark got no answer is not used.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use bytes::Bytes;
use campanile_core::request::{Operation, Txn};
use campanile_storage::ids::LeaseId;

/// As many leases are in use at once. Requests are drawn with these numbers in the place of ids.
pub const SLOTS: usize = 5;
/// Before all keys of other requests, and outside of all ranges that they delete.
const MARKS: &str = "a-mark/";
/// Above the numbers of slots.
const FIRST_ID: i64 = 1_000;

/// The leases in use.
#[derive(Debug)]
pub struct Board {
    table: Mutex<Table>,
    next: AtomicI64,
}

#[derive(Debug, Default)]
struct Table {
    slots: [Option<LeaseId>; SLOTS],
    /// How many have begun to revoke a lease that is, or was, in use.
    revokes: BTreeMap<LeaseId, u32>,
}

impl Board {
    pub fn new() -> Board {
        Board { table: Mutex::default(), next: AtomicI64::new(FIRST_ID) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An id that nobody has used.
    pub fn draw(&self) -> LeaseId {
        LeaseId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub fn published(&self, slot: usize) -> Option<LeaseId> {
        self.table().slots[slot]
    }

    /// From now on everybody uses it.
    pub fn publish(&self, slot: usize, id: LeaseId) {
        let mut table = self.table();
        table.slots[slot] = Some(id);
        table.revokes.insert(id, 0);
    }

    /// Whether this lease is still in use; then somebody is about to revoke it.
    pub fn begin_revoke(&self, id: LeaseId) -> bool {
        let mut table = self.table();
        let is_used = table.slots.contains(&Some(id));
        if is_used {
            *table.revokes.entry(id).or_default() += 1;
        }
        is_used
    }

    /// From now on nobody begins to use it. Whether nobody but the caller has begun to revoke it.
    pub fn retire(&self, id: LeaseId) -> bool {
        let mut table = self.table();
        table.slots.iter_mut().filter(|slot| **slot == Some(id)).for_each(|slot| *slot = None);
        table.revokes.get(&id) == Some(&1)
    }

    /// Puts the ids of leases in the place of the numbers of slots. An empty slot's number is the id of no lease.
    pub fn name_leases(&self, operation: &mut Operation) {
        match operation {
            Operation::Put(put) if put.lease != LeaseId::NONE => {
                let slot = usize::try_from(put.lease.0 - 1).expect("slots are counted from 1");
                put.lease = self.published(slot).unwrap_or(put.lease);
            }
            Operation::Txn(Txn { success, failure, .. }) => {
                success.iter_mut().chain(failure).for_each(|operation| self.name_leases(operation));
            }
            _ => {}
        }
    }
}

/// The mark of a lease.
pub fn mark(id: LeaseId) -> Bytes {
    format!("{MARKS}{}", id.0).into()
}

/// Whose mark a key is.
pub fn marked(key: &[u8]) -> Option<LeaseId> {
    let id = key.strip_prefix(MARKS.as_bytes())?;
    std::str::from_utf8(id).ok()?.parse().ok().map(LeaseId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_its_lease() {
        assert_eq!(marked(&mark(LeaseId(-7))), Some(LeaseId(-7)));
        assert_eq!(marked(b"key-01"), None);
    }
}
