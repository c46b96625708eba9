//! A checkpoint on its way from one member to another: the file's own bytes, in order.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::format::Header;
use super::keep::{self, Number, unfinished_path};
use super::reader::Reader;
use crate::bounds::{BLOCK_BYTES, CHECKPOINT_BYTES_MAX, TRANSFER_BYTES_MAX};
use crate::disk::sequential::SequentialWriter;
use crate::disk::{Access, Disk, File};
use crate::error::{Error, Result};

/// A checkpoint that is being sent. It stays readable if it is removed meanwhile.
pub struct Source<D: Disk> {
    file: D::File,
    bytes: u64,
}

impl<D: Disk> Source<D> {
    /// Opens a finished checkpoint.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn open(disk: &D, path: &Path) -> Result<Self> {
        let file = disk.open(path, Access::Read).await?;
        let bytes = file.size().await?;
        Ok(Source { file, bytes })
    }

    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// `length` bytes at `offset`, fewer at the end, none behind it.
    ///
    /// # Errors
    /// Those of the disk; [`Error::TooLarge`] if so much is not sent at once.
    pub async fn read_chunk(&self, offset: u64, length: usize) -> Result<Bytes> {
        if length > TRANSFER_BYTES_MAX {
            let (bytes, limit) = (length as u64, TRANSFER_BYTES_MAX as u64);
            return Err(Error::TooLarge { what: "one read of a checkpoint", bytes, limit });
        }
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        if left == 0 { Ok(Bytes::new()) } else { self.file.read(offset, length.min(left)).await }
    }
}

/// A checkpoint that is being received.
pub struct Receiver<D: Disk> {
    disk: D,
    data_directory: PathBuf,
    number: Number,
    path: PathBuf,
    file: SequentialWriter<D>,
    bytes: u64,
}

impl<D: Disk> Receiver<D> {
    /// Begins a file of `bytes` bytes, as the sender says.
    ///
    /// # Errors
    /// [`Error::TooLarge`] or [`Error::Foreign`] if no checkpoint has such a size; those of the disk.
    pub async fn begin(disk: D, data_directory: &Path, number: Number, bytes: u64) -> Result<Self> {
        let path = unfinished_path(data_directory, number);
        if bytes > CHECKPOINT_BYTES_MAX {
            return Err(Error::TooLarge { what: "a checkpoint", bytes, limit: CHECKPOINT_BYTES_MAX });
        }
        if bytes == 0 || !bytes.is_multiple_of(BLOCK_BYTES as u64) {
            return Err(Error::Foreign { path, what: format!("no checkpoint is {bytes} bytes long") });
        }
        if disk.exists(&path).await? {
            disk.remove(&path).await?;
        }
        let file = SequentialWriter::new(disk.create(&path, Access::Write).await?);
        Ok(Receiver { disk, data_directory: data_directory.to_owned(), number, path, file, bytes })
    }

    /// How many bytes have come: the offset of the next ones.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.file.written()
    }

    /// Takes the bytes at `offset`, which must be the next ones.
    ///
    /// # Errors
    /// [`Error::Foreign`] if they are not; those of the disk.
    pub async fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let received = self.received();
        if offset != received || bytes.len() as u64 > self.bytes - received {
            let what =
                format!("{} bytes came for offset {offset}, but {received} of {} are there", bytes.len(), self.bytes);
            return Err(Error::Foreign { path: self.path.clone(), what });
        }
        self.file.write(bytes).await
    }

    /// Makes the file durable, reads all of it again, and gives it its name. It is live only when a manifest says so.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it did not arrive as a whole checkpoint; those of the disk. The file is removed then.
    pub async fn finish(self) -> Result<(Header, Bytes)> {
        let (disk, path) = (self.disk.clone(), self.path.clone());
        let finished = self.finish_file().await;
        if finished.is_err() {
            // The first error is the one to tell, and the next start tidies up again.
            let _ = disk.remove(&path).await;
        }
        finished
    }

    async fn finish_file(self) -> Result<(Header, Bytes)> {
        let received = self.file.written();
        if received != self.bytes {
            let what = format!("only {received} of {} bytes came", self.bytes);
            return Err(Error::Corrupt { path: self.path, offset: received, what });
        }
        self.file.finish().await?;
        let mut reader = Reader::open(&self.disk, &self.path).await?;
        reader.verify().await?;
        let received = (*reader.header(), reader.meta().clone());
        keep::publish(&self.disk, &self.data_directory, self.number).await?;
        Ok(received)
    }

    /// Removes what has come.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn abandon(self) -> Result<()> {
        self.disk.remove(&self.path).await
    }
}
