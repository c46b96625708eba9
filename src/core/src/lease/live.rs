//! The leases that live, and which record of the control group granted each. Owns no deadline.

use crate::evaluate::Leases;
use campanile_storage::ids::{Index, LeaseId};
use rustc_hash::{FxHashMap, FxHashSet};

/// What an executor must know of leases to evaluate puts: id, and the index of the grant in the control group's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveLeases {
    granted: FxHashMap<LeaseId, Index>,
    /// A revision was taken at which these die. What is evaluated from then on must not attach them.
    condemned: FxHashSet<LeaseId>,
}

impl LiveLeases {
    /// A grant took effect.
    pub fn insert(&mut self, id: LeaseId, granted: Index) {
        self.granted.insert(id, granted);
    }

    /// A revoke took effect. Says whether the lease was there.
    pub fn remove(&mut self, id: LeaseId) -> bool {
        self.condemned.remove(&id);
        self.granted.remove(&id).is_some()
    }

    /// A revision was taken at which the lease dies together with its keys.
    pub fn condemn(&mut self, id: LeaseId) {
        self.condemned.insert(id);
    }

    /// The reign is over: whether a lease dies is for the log to say.
    pub fn pardon_all(&mut self) {
        self.condemned.clear();
    }

    /// The index of the grant, if the lease lives. A fragment that attaches the lease does not count before it.
    #[must_use]
    pub fn granted(&self, id: LeaseId) -> Option<Index> {
        self.granted.get(&id).copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.granted.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.granted.is_empty()
    }
}

impl Leases for LiveLeases {
    fn is_live(&self, id: LeaseId) -> bool {
        self.granted.contains_key(&id) && !self.condemned.contains(&id)
    }
}
