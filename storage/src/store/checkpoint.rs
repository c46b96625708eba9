//! All held versions out in key order, and in again: what a checkpoint writes and what it is restored from.

use super::compaction::Sweep;
use super::key_value::KeyValue;
use super::versions::Versions;
use super::{History, Store};
use crate::ids::{Position, Revision};

/// A checkpoint whose versions cannot be the content of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Versions do not come in key order, or those of one key not in order of their positions.
    #[error("the version at revision {}, sub-revision {} is out of order", .0.revision, .0.sub)]
    OutOfOrder(Position),
    /// Two versions have the same position.
    #[error("two versions are at revision {}, sub-revision {}", .0.revision, .0.sub)]
    Repeated(Position),
}

impl Store {
    /// All versions up to revision `at` that a compaction at `compacted` keeps, in key order, those of one key from
    /// the oldest on; behind the version `after`, or from the beginning.
    ///
    /// Writes above `at` may go on between two calls. A compaction may be begun, since `compacted` is given again,
    /// but none of its slices done. `compacted` is not below what was compacted when the checkpoint began.
    pub fn versions(
        &self,
        at: Revision,
        compacted: Revision,
        after: Option<&KeyValue>,
    ) -> impl Iterator<Item = &KeyValue> {
        assert!(at >= compacted, "a checkpoint is taken at a revision that can be read");
        let written = Position { revision: at, sub: u32::MAX };
        self.keys_from(after.map_or(&[], KeyValue::key)).flat_map(move |versions| {
            let mut first = versions.compactable(compacted);
            if let Some(after) = after
                && after.key() == versions.key()
            {
                first = first.max(versions.count_to(after.position()));
            }
            (first..versions.count_to(written)).filter_map(|place| versions.get(place))
        })
    }
}

/// Builds a store from the versions that [`Store::versions`] gave, in that order.
#[derive(Debug)]
pub struct Loader {
    store: Store,
    /// The key whose versions are coming.
    current: Option<Versions>,
    loaded: Vec<(Position, KeyValue)>,
}

impl Loader {
    /// A loader for a store that was compacted at this revision ([`UNCOMPACTED`](super::UNCOMPACTED) if never).
    #[must_use]
    pub fn new(compacted: Revision) -> Loader {
        let store = Store { sweep: Sweep::new(compacted), ..Store::new() };
        Loader { store, current: None, loaded: Vec::new() }
    }

    /// Takes the next version.
    ///
    /// # Errors
    /// [`LoadError::OutOfOrder`] if it is not behind the last one.
    pub fn push(&mut self, version: KeyValue) -> Result<(), LoadError> {
        let position = version.position();
        self.store.version_bytes += version.bytes();
        self.loaded.push((position, version.clone()));
        match &mut self.current {
            Some(current) if current.key() == version.key() && current.newest().position() < position => {
                current.push(version);
            }
            Some(current) if current.key() >= version.key() => return Err(LoadError::OutOfOrder(position)),
            _ => {
                self.finish_key();
                self.current = Some(Versions::new(version));
            }
        }
        Ok(())
    }

    /// The store. Sorts all versions by position, which takes about a tenth of a second for a million.
    ///
    /// # Errors
    /// [`LoadError::Repeated`] if two versions have the same position.
    pub fn finish(mut self) -> Result<Store, LoadError> {
        self.finish_key();
        let mut loaded = self.loaded;
        loaded.sort_unstable_by_key(|(position, _)| *position);
        let repeated = loaded.iter().zip(loaded.iter().skip(1)).find(|((left, _), (right, _))| left == right);
        if let Some(((position, _), _)) = repeated {
            return Err(LoadError::Repeated(*position));
        }
        self.store.last = loaded.last().map(|(position, _)| *position).unwrap_or_default();
        self.store.history = History::from_sorted(loaded.into_iter().map(|(_, version)| version));
        Ok(self.store)
    }

    fn finish_key(&mut self) {
        let Some(versions) = self.current.take() else { return };
        let newest = versions.newest().clone();
        self.store.version_bytes += versions.bytes();
        self.store.newest_changed(None, Some(&newest));
        self.store.index.change_or_insert(
            newest.key(),
            |_| unreachable!("keys come in order, each once"),
            || (versions, ()),
        );
    }
}
