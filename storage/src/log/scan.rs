//! Reads one segment from its first record to its end, and tells a torn tail from damage.

use std::path::Path;

use bytes::Bytes;

use super::record::{self, Section};
use super::{LogPosition, segment};
use crate::bounds::BLOCK_BYTES;
use crate::codec::padded;
use crate::disk::Disk;
use crate::disk::sequential::Window;
use crate::error::{Error, Result};
use crate::planted::planted;

/// A segment to be read.
pub(super) struct Scan<'a, D: Disk> {
    pub(super) window: Window<D>,
    pub(super) path: &'a Path,
    pub(super) header: segment::Header,
    /// Where the next segment says that this one ended; the newest segment has no next one.
    pub(super) must_end: Option<LogPosition>,
}

impl<D: Disk> Scan<'_, D> {
    /// Calls `visit` with each whole record's offset and sections, in order, and returns the position behind the last.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a record is damaged that was once durable.
    pub(super) async fn run(&mut self, mut visit: impl FnMut(u64, Vec<Section>) -> Result<()>) -> Result<LogPosition> {
        let mut position = self.header.start;
        while self.must_end != Some(position) {
            let offset = self.offset(position);
            let Some((header, bytes)) = self.record_at(position).await? else {
                self.check_torn(position).await?;
                return Ok(position);
            };
            if header.durable > position {
                return Err(Error::corrupt(self.path, offset, "a record claims to have been durable before itself"));
            }
            let sections = record::decode_sections(&header, &bytes)
                .map_err(|what| Error::corrupt(self.path, offset, format!("a record cannot be read: {what}")))?;
            visit(offset, sections)?;
            position = LogPosition(position.0 + padded(header.length) as u64);
            if self.must_end.is_some_and(|end| position > end) {
                return Err(Error::corrupt(self.path, offset, "a record reaches into the next segment"));
            }
        }
        Ok(position)
    }

    fn offset(&self, position: LogPosition) -> u64 {
        segment::HEADER_BYTES + (position.0 - self.header.start.0)
    }

    /// The whole record that stands at `position`, if one does.
    async fn record_at(&mut self, position: LogPosition) -> Result<Option<(record::Header, Bytes)>> {
        let offset = self.offset(position);
        let first = self.window.read(offset, record::HEADER_BYTES).await?;
        let Some(header) = record::decode_header(&first).filter(|header| header.position == position) else {
            return Ok(None);
        };
        let bytes = self.window.read(offset, header.length).await?;
        Ok(record::is_whole(&header, self.header.salt, &bytes).then_some((header, bytes)))
    }

    /// The bytes at `position` are no whole record: fine if nothing behind them was ever durable.
    async fn check_torn(&mut self, position: LogPosition) -> Result<()> {
        let offset = self.offset(position);
        if planted!(DamageTakenForTear) {
            return Ok(());
        }
        if let Some(end) = self.must_end {
            let what = format!("a record is damaged or missing; the log was durable up to position {end}");
            return Err(Error::corrupt(self.path, offset, what));
        }
        let mut later = LogPosition(position.0 + BLOCK_BYTES as u64);
        while self.offset(later) < self.window.size() {
            if let Some((header, _)) = self.record_at(later).await?
                && header.durable > position
            {
                let what = format!(
                    "a record is damaged; the one at byte {} says that the log was durable up to position {}",
                    self.offset(later),
                    header.durable
                );
                return Err(Error::corrupt(self.path, offset, what));
            }
            later = LogPosition(later.0 + BLOCK_BYTES as u64);
        }
        Ok(())
    }
}
