//! Taking back the newest versions: those of a reign that ended before they became visible.

use super::Store;
use super::key_value::KeyValue;
use crate::ids::{Position, Revision};

impl Store {
    /// Removes all versions above `visible`, so that the store is again as it was then, lease attachments included.
    /// Answers how many there were. `visible` is not below [`compacted`](Store::compacted).
    pub fn withdraw_above(&mut self, visible: Revision) -> usize {
        assert!(visible >= self.compacted(), "what is compacted was visible before");
        let mut withdrawn = 0;
        while let Some(version) = self.history.pop_above(visible) {
            self.withdraw(&version);
            withdrawn += 1;
        }
        self.last = self.last.min(Position { revision: visible, sub: u32::MAX });
        withdrawn
    }

    fn withdraw(&mut self, version: &KeyValue) {
        let key = version.key();
        let (restored, freed) = self
            .index
            .change(key, |versions| {
                let before = versions.bytes();
                let popped = versions.pop_newest()?;
                assert!(popped.position() == version.position(), "the history ends with each key's newest version");
                Some((versions.newest().clone(), before - versions.bytes()))
            })
            .expect("a version of the history stands in the index")
            .map_or((None, 0), |(restored, freed)| (Some(restored), freed));
        if restored.is_none() {
            self.index.remove(key);
        }
        self.version_bytes -= freed + version.bytes();
        self.newest_changed(Some(version), restored.as_ref());
    }
}
