//! Reads a checkpoint from its beginning to its end, and believes nothing that its checksums do not confirm.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::chunk::{Chunk, DecodedChunk};
use super::format::{FRAME_HEADER_BYTES, Footer, Frame, HEADER_BYTES, Header, Kind};
use crate::bounds::META_BYTES_MAX;
use crate::codec::padded;
use crate::disk::sequential::Window;
use crate::disk::{Access, Disk};
use crate::error::{Error, Result};
use crate::ids::ShardId;

/// A checkpoint that is being read.
pub struct Reader<D: Disk> {
    path: PathBuf,
    window: Window<D>,
    header: Header,
    meta: Bytes,
    offset: u64,
    /// What the footer must say.
    found: Footer,
    /// The first frame that is not meta, read ahead.
    next: Option<Found>,
    ended: bool,
}

/// A frame whose checksum is right.
struct Found {
    frame: Frame,
    payload: Bytes,
    offset: u64,
}

/// A chunk as it was read, still packed. Free to go to the executor that owns its shard.
#[derive(Clone, Debug)]
pub struct ReadChunk {
    chunk: Chunk,
    path: PathBuf,
    offset: u64,
}

impl ReadChunk {
    /// Which shard it belongs to.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.chunk.shard
    }

    /// Unpacks it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it cannot be unpacked.
    pub fn decode(&self) -> Result<DecodedChunk> {
        self.chunk.unpack(&self.path, self.offset)
    }
}

impl<D: Disk> Reader<D> {
    /// Opens a checkpoint and reads its header and its meta part.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with file and offset; those of the disk.
    pub async fn open(disk: &D, path: &Path) -> Result<Self> {
        let mut window = Window::<D>::new(disk.open(path, Access::Read).await?).await?;
        let bytes = window.read(0, HEADER_BYTES).await?;
        let header = Header::decode(&bytes).map_err(|what| Error::corrupt(path, 0, what))?;
        let found = Footer {
            frames: 0,
            meta_bytes: 0,
            file_bytes: HEADER_BYTES as u64,
            checksum: crc32c::crc32c(&bytes),
            versions: vec![0; header.shards as usize],
        };
        let offset = HEADER_BYTES as u64;
        let path = path.to_owned();
        let mut reader = Reader { path, window, header, meta: Bytes::new(), offset, found, next: None, ended: false };
        reader.read_meta().await?;
        Ok(reader)
    }

    /// What the checkpoint says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the core put into it.
    #[must_use]
    pub fn meta(&self) -> &Bytes {
        &self.meta
    }

    /// The next chunk; `None` once the footer has confirmed that all of them were read.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with file and offset; those of the disk.
    pub async fn next_chunk(&mut self) -> Result<Option<ReadChunk>> {
        if self.ended {
            return Ok(None);
        }
        let found = match self.next.take() {
            Some(found) => found,
            None => self.read_frame().await?,
        };
        match found.frame.kind {
            Kind::Versions => self.take_chunk(found).map(Some),
            Kind::Footer => {
                self.check_footer(&found)?;
                self.ended = true;
                Ok(None)
            }
            Kind::Meta => Err(self.corrupt(found.offset, "a piece of the meta part is out of its place")),
        }
    }

    /// Reads the rest, to know that all of it is whole.
    ///
    /// # Errors
    /// As [`Reader::next_chunk`].
    pub async fn verify(&mut self) -> Result<()> {
        while self.next_chunk().await?.is_some() {}
        Ok(())
    }

    async fn read_meta(&mut self) -> Result<()> {
        let mut meta = BytesMut::new();
        loop {
            let found = self.read_frame().await?;
            if found.frame.kind != Kind::Meta {
                self.next = Some(found);
                break;
            }
            if meta.len() + found.payload.len() > META_BYTES_MAX {
                return Err(self.corrupt(found.offset, "the meta part is longer than is allowed"));
            }
            meta.extend_from_slice(&found.payload);
        }
        self.found.meta_bytes = meta.len() as u64;
        self.meta = meta.freeze();
        Ok(())
    }

    async fn read_frame(&mut self) -> Result<Found> {
        let offset = self.offset;
        let bytes = self.window.read(offset, FRAME_HEADER_BYTES).await?;
        let (frame, checksum) = Frame::decode(&bytes).map_err(|what| self.corrupt(offset, what))?;
        let payload = self.window.read(offset + FRAME_HEADER_BYTES as u64, frame.payload_bytes).await?;
        if payload.len() != frame.payload_bytes || !checksum.matches(&payload) {
            return Err(self.corrupt(offset, "a frame has a wrong checksum"));
        }
        if frame.number != self.found.frames {
            return Err(self.corrupt(offset, "a frame is missing or out of its place"));
        }
        self.offset += (FRAME_HEADER_BYTES + frame.payload_bytes) as u64;
        if frame.kind != Kind::Footer {
            let checksum = crc32c::crc32c_append(self.found.checksum, &bytes);
            self.found.checksum = crc32c::crc32c_append(checksum, &payload);
            self.found.frames += 1;
            self.found.file_bytes = self.offset;
        }
        Ok(Found { frame, payload, offset })
    }

    fn take_chunk(&mut self, found: Found) -> Result<ReadChunk> {
        let Found { frame, payload, offset } = found;
        let path = self.path.clone();
        let Some(versions) = self.found.versions.get_mut(frame.shard.0 as usize) else {
            return Err(self.corrupt(offset, "a chunk belongs to a shard that the cluster does not have"));
        };
        *versions += u64::from(frame.versions);
        let (versions, unpacked_bytes) = (frame.versions, frame.unpacked_bytes);
        Ok(ReadChunk { chunk: Chunk { shard: frame.shard, versions, unpacked_bytes, payload }, path, offset })
    }

    fn check_footer(&self, found: &Found) -> Result<()> {
        let footer = Footer::decode(&found.payload).map_err(|what| self.corrupt(found.offset, what))?;
        if footer != self.found {
            return Err(self.corrupt(found.offset, "the footer does not confirm what stands before it"));
        }
        if self.window.size() != padded(self.offset as usize) as u64 {
            return Err(self.corrupt(self.offset, "the file has another length than it says"));
        }
        Ok(())
    }

    fn corrupt(&self, offset: u64, what: &str) -> Error {
        Error::corrupt(&self.path, offset, what)
    }
}
