//! The store as one would write it to be obviously right: a list of versions, searched from end to end.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{LeaseId, Position, Revision};
use crate::store::{Event, KeyValue, UNCOMPACTED};

/// All versions of the keyspace that are logically there, by position.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) versions: Vec<KeyValue>,
    pub(super) compacted: Revision,
}

impl Model {
    pub(super) fn new() -> Model {
        Model { versions: Vec::new(), compacted: UNCOMPACTED }
    }

    pub(super) fn put(&mut self, at: Position, key: &[u8], value: &[u8], lease: LeaseId) -> KeyValue {
        let (created, version) = match self.get(key, Revision::NEWEST) {
            Some(former) => (former.create_revision(), former.version() + 1),
            None => (at.revision, 1),
        };
        let written = KeyValue::new(key, value, created, at, version, lease);
        self.versions.push(written.clone());
        written
    }

    pub(super) fn delete(&mut self, at: Position, key: &[u8]) -> Option<KeyValue> {
        let deleted = self.get(key, Revision::NEWEST)?;
        self.versions.push(KeyValue::tombstone(key, at));
        Some(deleted)
    }

    /// The newest versions of all keys at this revision, tombstones among them.
    fn newest(&self, at: Revision) -> BTreeMap<&[u8], &KeyValue> {
        let written = self.versions.iter().take_while(|version| version.mod_revision() <= at);
        written.map(|version| (version.key(), version)).collect()
    }

    pub(super) fn state(&self, at: Revision) -> Vec<KeyValue> {
        self.newest(at).into_values().filter(|version| !version.is_tombstone()).cloned().collect()
    }

    pub(super) fn get(&self, key: &[u8], at: Revision) -> Option<KeyValue> {
        self.newest(at).get(key).copied().filter(|version| !version.is_tombstone()).cloned()
    }

    pub(super) fn withdraw_above(&mut self, visible: Revision) -> usize {
        let before = self.versions.len();
        self.versions.retain(|version| version.mod_revision() <= visible);
        before - self.versions.len()
    }

    pub(super) fn compact(&mut self, at: Revision) {
        self.compacted = at;
        let newest = self.newest(at);
        let kept: BTreeSet<Position> = newest
            .values()
            .filter(|version| !version.is_tombstone() || version.mod_revision() == at)
            .map(|version| version.position())
            .collect();
        self.versions.retain(|version| version.mod_revision() > at || kept.contains(&version.position()));
    }

    pub(super) fn events(&self, from: Revision, to: Revision) -> Vec<Event> {
        let revisions = from..=to;
        let found = self.versions.iter().enumerate().filter(|(_, version)| revisions.contains(&version.mod_revision()));
        found.map(|(place, version)| Event { kv: version.clone(), previous: self.previous(place) }).collect()
    }

    fn previous(&self, place: usize) -> Option<KeyValue> {
        let version = &self.versions[place];
        let before = self.versions[..place].iter().rfind(|before| before.key() == version.key());
        before.filter(|before| !before.is_tombstone() && version.mod_revision() > self.compacted).cloned()
    }

    /// HashKV as etcd computes it: one checksum over the bytes of all entries that count.
    pub(super) fn hash(&self, at: Revision) -> u32 {
        let keep: BTreeSet<Position> = self.state(at).iter().map(KeyValue::position).collect();
        let mut bytes = b"key".to_vec();
        for version in self.versions.iter().take_while(|version| version.mod_revision() <= at) {
            let position = version.position();
            if position.revision <= self.compacted && !keep.is_empty() && !keep.contains(&position) {
                continue;
            }
            if position.revision == self.compacted && version.is_tombstone() {
                continue;
            }
            bytes.extend(position.revision.0.to_be_bytes());
            bytes.push(b'_');
            bytes.extend(i64::from(position.sub).to_be_bytes());
            bytes.extend(version.is_tombstone().then_some(b't'));
            bytes.extend(version.encoded());
        }
        crc32c::crc32c(&bytes)
    }

    pub(super) fn leases(&self) -> BTreeMap<LeaseId, Vec<Vec<u8>>> {
        let mut leases: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for version in self.state(Revision::NEWEST).iter().filter(|version| version.lease() != LeaseId::NONE) {
            leases.entry(version.lease()).or_default().push(version.key().to_vec());
        }
        leases
    }

    /// All versions up to this revision, in the order of a checkpoint.
    pub(super) fn by_key(&self, at: Revision) -> Vec<KeyValue> {
        let mut versions: Vec<_> =
            self.versions.iter().take_while(|version| version.mod_revision() <= at).cloned().collect();
        versions.sort_by(|left, right| left.key().cmp(right.key()).then(left.position().cmp(&right.position())));
        versions
    }
}
