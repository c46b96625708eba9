//! The keyspace as one store that went through the history step by step: etcd's sequential model.

use crate::record::history::{History, Step};
use campanile_core::clock::Change;
use campanile_core::evaluate::Leases;
use campanile_storage::ids::{LeaseId, Position, Revision};
use campanile_storage::store::Store;

/// Every lease lives: whether one does is for the checker of leases to say.
pub struct AnyLease;

impl Leases for AnyLease {
    fn is_live(&self, _: LeaseId) -> bool {
        true
    }
}

/// A store that is never compacted.
#[derive(Default)]
pub struct Reference {
    pub store: Store,
}

impl Reference {
    /// The store after the whole history.
    #[must_use]
    pub fn of(history: &History) -> Reference {
        let mut reference = Reference::default();
        for (revision, step) in history.steps() {
            reference.apply(revision, step);
        }
        reference
    }

    pub fn apply(&mut self, revision: Revision, step: &Step) {
        for change in &step.changes {
            match change {
                Change::Put { sub, key, value, lease } => {
                    self.store.put(Position { revision, sub: *sub }, key, value, *lease);
                }
                Change::Delete { sub, key } => {
                    self.store.delete(Position { revision, sub: *sub }, key);
                }
            }
        }
    }
}
