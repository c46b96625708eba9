//! One event on its way to clients: made once by its shard, shared by every watcher that wants it.

use bytes::Bytes;
use campanile_storage::ids::{Position, Revision};
use campanile_storage::store::{KeyValue, Store};
use std::sync::OnceLock;

/// Tags and lengths of one event in a response take at most this much beside the encoded key-values, in bytes.
const EVENT_OVERHEAD_BYTES: usize = 24;

/// A change of one key, with what was there before if a watcher asked for it.
#[derive(Debug)]
pub struct WatchEvent {
    pub key_value: KeyValue,
    /// Only watchers that asked for it are shown this.
    pub previous: Option<KeyValue>,
    /// The message on the wire, without and with `previous`.
    encoded: [OnceLock<Bytes>; 2],
}

impl WatchEvent {
    #[must_use]
    pub fn new(key_value: KeyValue, previous: Option<KeyValue>) -> WatchEvent {
        WatchEvent { key_value, previous, encoded: [OnceLock::new(), OnceLock::new()] }
    }

    /// The change with what a read at the revision before saw: nothing for a key that was created, and nothing below what
    /// is compacted. (etcd reads it so, and it matters when one transaction changes a key twice.)
    pub(super) fn with_previous(store: &Store, key_value: &KeyValue) -> WatchEvent {
        let before = Revision(key_value.mod_revision().0 - 1);
        let created = key_value.create_revision() == key_value.mod_revision();
        let readable = !created && before >= store.compacted();
        let previous = if readable { store.get(key_value.key(), before).cloned() } else { None };
        WatchEvent::new(key_value.clone(), previous)
    }

    #[must_use]
    pub fn position(&self) -> Position {
        self.key_value.position()
    }

    #[must_use]
    pub fn is_delete(&self) -> bool {
        self.key_value.is_tombstone()
    }

    /// What the event takes in a response, in bytes; never less than it really takes.
    #[must_use]
    pub fn bytes(&self, with_previous: bool) -> usize {
        let previous = self.previous.as_ref().filter(|_| with_previous).map_or(0, |previous| previous.encoded().len());
        self.key_value.encoded_for_event().len() + previous + EVENT_OVERHEAD_BYTES
    }

    /// The event as it goes over the wire, encoded by whoever needs it first.
    pub fn encoded(&self, with_previous: bool, encode: impl FnOnce(&WatchEvent) -> Bytes) -> &Bytes {
        self.encoded[usize::from(with_previous)].get_or_init(|| encode(self))
    }
}
