//! Zeroed files kept ready, so that beginning a segment costs one small write and a rename, and cannot run out of room.
//!
//! A spare is either new, all zeros, or a segment that was released. A file has its spare's name only when it is whole.

use std::path::{Path, PathBuf};

use super::append::Log;
use super::segment::{self, Name};
use crate::bounds::{BLOCK_BYTES, SPARES_MAX, WRITE_BYTES};
use crate::disk::{Access, Disk, File};
use crate::error::Result;

/// The spares of one log.
pub(super) struct Spares {
    ready: Vec<u64>,
    next_number: u64,
}

impl Spares {
    /// Finds the spares of the right size, and removes unfinished and surplus ones.
    pub(super) async fn open<D: Disk>(disk: &D, directory: &Path, segment_bytes: u64) -> Result<Self> {
        let mut spares = Spares { ready: Vec::new(), next_number: 1 };
        for name in disk.list(directory).await? {
            let number = match segment::parse_name(&name) {
                Some(Name::Spare(number)) => number,
                Some(Name::Unfinished) => {
                    disk.remove(&directory.join(&name)).await?;
                    continue;
                }
                Some(Name::Segment(_)) | None => continue,
            };
            spares.next_number = spares.next_number.max(number + 1);
            let path = directory.join(&name);
            let size = disk.open(&path, Access::Read).await?.size().await?;
            if size == segment_bytes && spares.ready.len() < SPARES_MAX {
                spares.ready.push(number);
            } else {
                disk.remove(&path).await?;
            }
        }
        Ok(spares)
    }

    pub(super) fn have_room(&self) -> bool {
        self.ready.len() < SPARES_MAX
    }

    /// A number that no spare has, for a file on its way to become one.
    pub(super) fn draw(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    pub(super) fn put(&mut self, number: u64) {
        self.ready.push(number);
    }
}

impl<D: Disk> Log<D> {
    /// Zeroes a segment ahead of its use, if none is ready. Run it beside the flushes, again and again.
    ///
    /// # Errors
    /// Those of the disk. A full device is reported here one segment before an append would meet it; the log itself
    /// is not poisoned by that.
    pub async fn maintain(&self) -> Result<()> {
        if !self.state.borrow().spares.ready.is_empty() {
            return Ok(());
        }
        let number = self.zeroed().await?;
        self.state.borrow_mut().spares.put(number);
        Ok(())
    }

    pub(super) async fn take_spare(&self) -> Result<PathBuf> {
        let ready = self.state.borrow_mut().spares.ready.pop();
        let number = match ready {
            Some(number) => number,
            None => self.zeroed().await?,
        };
        Ok(self.directory.join(segment::spare_name(number)))
    }

    async fn zeroed(&self) -> Result<u64> {
        let number = self.state.borrow_mut().spares.draw();
        let unfinished = self.directory.join(segment::unfinished_name(number));
        let spare = self.directory.join(segment::spare_name(number));
        let filled = fill_with_zeros(&self.disk, &unfinished, self.options.segment_bytes).await;
        if let Err(error) = filled {
            // A file that cannot be finished must not keep the room that others need. The first error is the one to tell.
            let _ = self.disk.remove(&unfinished).await;
            return Err(error);
        }
        self.disk.rename(&unfinished, &spare).await?;
        self.disk.sync_directory(&self.directory).await?;
        Ok(number)
    }
}

async fn fill_with_zeros<D: Disk>(disk: &D, path: &Path, bytes: u64) -> Result<()> {
    let file = disk.create(path, Access::Write).await?;
    let mut offset = 0;
    while offset < bytes {
        let count = (bytes - offset).min(WRITE_BYTES as u64);
        file.write(file.buffer(count as usize), offset).await?;
        offset += count;
    }
    file.sync().await
}

/// Turns a spare into a segment: first its header becomes durable, then its name.
pub(super) async fn activate<D: Disk>(
    disk: &D,
    spare: &Path,
    path: &Path,
    header: &segment::Header,
) -> Result<D::File> {
    let file = disk.open(spare, Access::WriteDurably).await?;
    let mut block = file.buffer(BLOCK_BYTES);
    header.encode(block.as_mut());
    file.write(block, 0).await?;
    disk.rename(spare, path).await?;
    disk.sync_directory(path.parent().expect("a segment lies in a directory")).await?;
    Ok(file)
}
