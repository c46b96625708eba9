//! Which keys are attached to which lease, at the newest state of the shard.
//!
//! A key is attached to the lease of its newest version, so this follows from the versions alone: whoever changes a
//! key's newest version tells the table what it was and what it is.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::key_value::KeyValue;
use crate::ids::LeaseId;

/// Resident bytes of one attachment: a pointer, at the usual fill of a B-tree's nodes.
const ATTACHMENT_BYTES: usize = 16;
/// Resident bytes of one lease that has keys: its entry, and the first node of its set.
const LEASE_BYTES: usize = 176;

/// A key by its newest version, ordered as keys are.
#[derive(Debug)]
struct Attached(KeyValue);

impl Borrow<[u8]> for Attached {
    fn borrow(&self) -> &[u8] {
        self.0.key()
    }
}

impl PartialEq for Attached {
    fn eq(&self, other: &Attached) -> bool {
        self.0.key() == other.0.key()
    }
}

impl Eq for Attached {}

impl PartialOrd for Attached {
    fn partial_cmp(&self, other: &Attached) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Attached {
    fn cmp(&self, other: &Attached) -> Ordering {
        self.0.key().cmp(other.0.key())
    }
}

/// The attachments of one shard. Leases without keys do not appear.
#[derive(Debug, Default)]
pub(super) struct Leases {
    attached: BTreeMap<LeaseId, BTreeSet<Attached>>,
    attachments: usize,
}

impl Leases {
    /// A key's newest version was one (or the key had none) and is another now (or has none).
    pub(super) fn newest_changed(&mut self, former: Option<&KeyValue>, newest: Option<&KeyValue>) {
        let of = |version: Option<&KeyValue>| version.map_or(LeaseId::NONE, KeyValue::lease);
        let (former_lease, lease) = (of(former), of(newest));
        if let Some(former) = former
            && former_lease != LeaseId::NONE
            && former_lease != lease
        {
            self.detach(former_lease, former.key());
        }
        if let Some(newest) = newest
            && lease != LeaseId::NONE
        {
            // The set holds the newest version for its key, so an older one of the same lease is let go.
            let replaced = self.attached.entry(lease).or_default().replace(Attached(newest.clone()));
            self.attachments += usize::from(replaced.is_none());
        }
    }

    fn detach(&mut self, lease: LeaseId, key: &[u8]) {
        let keys = self.attached.get_mut(&lease).expect("the lease of a newest version has that key");
        assert!(keys.remove(key), "the lease of a newest version has that key");
        self.attachments -= 1;
        if keys.is_empty() {
            self.attached.remove(&lease);
        }
    }

    pub(super) fn keys_of(&self, lease: LeaseId) -> impl Iterator<Item = &[u8]> {
        self.attached.get(&lease).into_iter().flatten().map(|attached| attached.0.key())
    }

    pub(super) fn attached_from(&self, lease: LeaseId, from: &[u8]) -> impl Iterator<Item = &KeyValue> {
        let keys = self.attached.get(&lease);
        let keys = keys.map(|keys| keys.range::<[u8], _>((Bound::Included(from), Bound::Unbounded)));
        keys.into_iter().flatten().map(|attached| &attached.0)
    }

    /// Leases that have keys, each with how many.
    pub(super) fn all(&self) -> impl Iterator<Item = (LeaseId, usize)> {
        self.attached.iter().map(|(lease, keys)| (*lease, keys.len()))
    }

    pub(super) fn bytes(&self) -> usize {
        self.attachments * ATTACHMENT_BYTES + self.attached.len() * LEASE_BYTES
    }
}
