//! A file written or read from its beginning to its end, in pieces of any length: blocks and windows are kept here.
//!
//! The writer makes nothing durable before [`SequentialWriter::finish`].

use bytes::Bytes;

use super::{Disk, File};
use crate::bounds::{BLOCK_BYTES, READ_BYTES, WRITE_BYTES};
use crate::codec::padded;
use crate::error::Result;
use crate::planted::planted;

/// Gathers pieces into whole blocks.
pub(crate) struct SequentialWriter<D: Disk> {
    file: D::File,
    buffer: <D::File as File>::Buffer,
    filled: usize,
    /// Where `buffer` will be written.
    offset: u64,
}

impl<D: Disk> SequentialWriter<D> {
    pub(crate) fn new(file: D::File) -> Self {
        let buffer = file.buffer(WRITE_BYTES);
        SequentialWriter { file, buffer, filled: 0, offset: 0 }
    }

    /// How many bytes were given so far.
    pub(crate) fn written(&self) -> u64 {
        self.offset + self.filled as u64
    }

    pub(crate) async fn write(&mut self, mut piece: &[u8]) -> Result<()> {
        while !piece.is_empty() {
            let room = &mut self.buffer.as_mut()[self.filled..];
            let count = room.len().min(piece.len());
            let (now, later) = piece.split_at(count);
            room[..count].copy_from_slice(now);
            self.filled += count;
            piece = later;
            if self.filled == WRITE_BYTES {
                let full = std::mem::replace(&mut self.buffer, self.file.buffer(WRITE_BYTES));
                let offset = self.offset;
                self.offset += WRITE_BYTES as u64;
                self.filled = 0;
                self.file.write(full, offset).await?;
            }
        }
        Ok(())
    }

    /// Writes the rest, padded with zeros to a whole block, and makes the file durable.
    pub(crate) async fn finish(self) -> Result<D::File> {
        if self.filled > 0 {
            let mut last = self.file.buffer(padded(self.filled));
            last.as_mut()[..self.filled].copy_from_slice(&self.buffer.as_ref()[..self.filled]);
            self.file.write(last, self.offset).await?;
        }
        if !planted!(CheckpointNotSynced) {
            self.file.sync().await?;
        }
        Ok(self.file)
    }
}

/// Reads ahead in windows of [`READ_BYTES`].
pub(crate) struct Window<D: Disk> {
    file: D::File,
    size: u64,
    base: u64,
    bytes: Bytes,
}

impl<D: Disk> Window<D> {
    pub(crate) async fn new(file: D::File) -> Result<Self> {
        let size = file.size().await?;
        Ok(Window { file, size, base: 0, bytes: Bytes::new() })
    }

    /// The size of the file, bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// `length` bytes at `offset`, fewer at the end of the file. Bytes of one window share its memory.
    pub(crate) async fn read(&mut self, offset: u64, length: usize) -> Result<Bytes> {
        let within = offset.checked_sub(self.base).and_then(|start| usize::try_from(start).ok());
        if let Some(start) = within
            && let Some(end) = start.checked_add(length)
            && end <= self.bytes.len()
        {
            return Ok(self.bytes.slice(start..end));
        }
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let base = offset - offset % BLOCK_BYTES as u64;
        let skip = (offset - base) as usize;
        let window = length.min(left).max(READ_BYTES).min(left) + skip;
        self.bytes = self.file.read(base, window).await?;
        self.base = base;
        let start = skip.min(self.bytes.len());
        let end = (skip + length).min(self.bytes.len());
        Ok(self.bytes.slice(start..end))
    }
}
