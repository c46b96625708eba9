//! Taking back the newest versions: those of a reign that ended before they became visible.

use super::Store;
use super::key_value::KeyValue;
use crate::ids::{Position, Revision};

impl Store {
    /// Removes versions above `visible`, newest first and at most so many. Answers how many there were: if they are fewer
    /// than asked for, the store is again as it was then, lease attachments included. Until then nothing is written to
    /// it; reads at `visible` or below go on. `visible` is not below [`compacted`](Store::compacted).
    pub fn withdraw_above(&mut self, visible: Revision, versions_max: usize) -> usize {
        assert!(visible >= self.compacted(), "what is compacted was visible before");
        for withdrawn in 0..versions_max {
            let Some(version) = self.history.pop_above(visible) else {
                self.last = self.last.min(Position { revision: visible, sub: u32::MAX });
                return withdrawn;
            };
            self.withdraw(&version);
        }
        versions_max
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
