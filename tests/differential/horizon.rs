//! What is known of the common state before an operation: generated revisions lie around it, watchers are drawn from it.

use std::collections::BTreeSet;

/// Newest and compacted revision, and the watchers that live, as the judge's answers tell.
#[derive(Clone, Debug)]
pub struct Horizon {
    pub revision: i64,
    /// 0 as long as nothing was compacted.
    pub compacted: i64,
    /// Every revision at which was compacted.
    pub compactions: BTreeSet<i64>,
    /// Whether etcd may find nothing to keep at the revision that is hashed: no key lives there, or the keys that do were
    /// deleted and written by one transaction at that very revision.
    pub keeps_nothing: bool,
    /// Stream and id of each watcher that was created and not cancelled by us, oldest first.
    pub watchers: Vec<(usize, i64)>,
}

impl Default for Horizon {
    /// An empty store is at revision 1.
    fn default() -> Self {
        Self { revision: 1, compacted: 0, compactions: BTreeSet::new(), keeps_nothing: false, watchers: Vec::new() }
    }
}
