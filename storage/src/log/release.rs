//! Gives segments back whose every section lies below its group's floor. Call it with floors that are durable in the
//! manifest, never before.
//!
//! Oldest first, one at a time, each made durable before the next: what is left of a log is always one run of segments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::append::Log;
use super::cursor::GroupState;
use super::recover::{LogRemains, SegmentRemains};
use super::{Stamp, segment};
use crate::disk::Disk;
use crate::error::Result;
use crate::ids::GroupId;

/// The durable states of all groups of the member, as the manifest has them.
pub type Floors = BTreeMap<GroupId, GroupState>;

fn is_behind(remains: &SegmentRemains, floors: &Floors) -> bool {
    let floor = |group| floors.get(group).map_or(Stamp::FIRST, |state| state.floor);
    remains.newest.iter().all(|(group, newest)| *newest < floor(group))
}

impl<D: Disk> Log<D> {
    /// Turns segments into spares, or removes them, and lets the groups forget what lies below their floors.
    /// Run it beside the flushes.
    ///
    /// # Errors
    /// Those of the disk. The log itself is not poisoned by that, and the next call goes on with the same segment: if it went
    /// on behind it, the log would be no run any more.
    pub async fn release(&self, floors: &Floors) -> Result<()> {
        for (group, cursor) in &mut self.state.borrow_mut().groups {
            if let Some(state) = floors.get(group) {
                cursor.advance(state);
            }
        }
        loop {
            let (sequence, spare) = {
                let mut state = self.state.borrow_mut();
                let Some(oldest) = state.sealed.front().filter(|oldest| is_behind(oldest, floors)) else {
                    return Ok(());
                };
                let (sequence, file_bytes) = (oldest.sequence, oldest.file_bytes);
                let reusable = file_bytes == self.options.segment_bytes && state.spares.have_room();
                (sequence, if reusable { Some(state.spares.draw()) } else { None })
            };
            let path = self.directory.join(segment::segment_name(sequence));
            // It has gone already if a call before failed to make that durable.
            let is_there = self.disk.exists(&path).await?;
            match spare {
                _ if !is_there => {}
                Some(number) => self.disk.rename(&path, &self.directory.join(segment::spare_name(number))).await?,
                None => self.disk.remove(&path).await?,
            }
            self.disk.sync_directory(&self.directory).await?;
            let mut state = self.state.borrow_mut();
            state.sealed.pop_front();
            if let Some(number) = spare.filter(|_| is_there) {
                state.spares.put(number);
            }
        }
    }
}

/// The log of an executor that is no more: nothing is appended to it, and it goes as checkpoints pass it.
pub struct Retired<D: Disk> {
    disk: D,
    data_directory: PathBuf,
    remains: LogRemains,
}

impl<D: Disk> Retired<D> {
    /// Takes over a log that no executor of this start has.
    #[must_use]
    pub fn new(disk: D, remains: LogRemains) -> Self {
        let data_directory = remains.directory.parent().expect("a log lies in the data directory").to_owned();
        Retired { disk, data_directory, remains }
    }

    /// Removes what lies below the floors, oldest first. `true` when nothing is left, not even the directory.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn release(&mut self, floors: &Floors) -> Result<bool> {
        let directory = &self.remains.directory;
        while self.remains.segments.first().is_some_and(|oldest| is_behind(oldest, floors)) {
            let path = directory.join(segment::segment_name(self.remains.segments[0].sequence));
            self.disk.remove(&path).await?;
            self.disk.sync_directory(directory).await?;
            self.remains.segments.remove(0);
        }
        if !self.remains.segments.is_empty() {
            return Ok(false);
        }
        for name in self.disk.list(directory).await? {
            self.disk.remove(&directory.join(name)).await?;
        }
        self.disk.remove_directory(directory).await?;
        self.disk.sync_directory(&self.data_directory).await?;
        Ok(true)
    }
}
