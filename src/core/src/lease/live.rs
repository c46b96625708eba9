//! The leases that live, and which record of the control group granted each. Owns no deadline.

use crate::evaluate::Leases;
use campanile_storage::ids::{Index, LeaseId};
use rustc_hash::FxHashMap;

/// What an executor must know of leases to evaluate puts: id, and the index of the grant in the control group's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveLeases(FxHashMap<LeaseId, Index>);

impl LiveLeases {
    /// A grant took effect.
    pub fn insert(&mut self, id: LeaseId, granted: Index) {
        self.0.insert(id, granted);
    }

    /// A revoke took effect. Says whether the lease was there.
    pub fn remove(&mut self, id: LeaseId) -> bool {
        self.0.remove(&id).is_some()
    }

    /// The index of the grant, if the lease lives. A fragment that attaches the lease does not count before it.
    #[must_use]
    pub fn granted(&self, id: LeaseId) -> Option<Index> {
        self.0.get(&id).copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Leases for LiveLeases {
    fn is_live(&self, id: LeaseId) -> bool {
        self.0.contains_key(&id)
    }
}
