//! A chunk: some versions of one shard, packed. Made and unpacked on the shard's own executor, a chunk at a time.
//!
//! ```text
//! for each version: 4 key length, 4 value length, 8 create revision, 8 mod revision, 4 sub revision, 8 version,
//!                   8 lease, 1 flags (1 = tombstone), key, value
//! ```

use std::path::{Path, PathBuf};

use bytes::{BufMut, Bytes};

use crate::bounds::{CHUNK_BYTES_MAX, CHUNK_BYTES_TARGET, VERSION_BYTES_MAX};
use crate::codec::{Fields, Malformed};
use crate::error::{Error, Result};
use crate::ids::{LeaseId, Position, Revision, ShardId};

const TOMBSTONE: u8 = 1;
const FIXED_BYTES: usize = 4 + 4 + 8 + 8 + 4 + 8 + 8 + 1;
/// zstd's fastest: a checkpoint runs beside traffic.
const LEVEL: i32 = 1;

/// One version of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<'a> {
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub create_revision: Revision,
    /// Mod revision and sub revision.
    pub position: Position,
    pub version: i64,
    pub lease: LeaseId,
    pub tombstone: bool,
}

/// Packs versions of one shard into chunks.
pub struct ChunkEncoder {
    shard: ShardId,
    raw: Vec<u8>,
    versions: u32,
}

/// Packed versions on their way into a file. Free to go to another thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub(super) shard: ShardId,
    pub(super) versions: u32,
    pub(super) unpacked_bytes: usize,
    pub(super) payload: Bytes,
}

impl ChunkEncoder {
    /// An encoder for one shard.
    #[must_use]
    pub fn new(shard: ShardId) -> Self {
        ChunkEncoder { shard, raw: Vec::new(), versions: 0 }
    }

    /// Adds a version. Finish the chunk when it [is full](ChunkEncoder::is_full).
    ///
    /// # Errors
    /// [`Error::TooLarge`] if key and value are larger than any request may make them.
    pub fn add(&mut self, version: &Version<'_>) -> Result<()> {
        let bytes = FIXED_BYTES + version.key.len() + version.value.len();
        if bytes > VERSION_BYTES_MAX {
            let limit = VERSION_BYTES_MAX as u64;
            return Err(Error::TooLarge { what: "a version", bytes: bytes as u64, limit });
        }
        assert!(self.raw.len() < CHUNK_BYTES_TARGET, "a full chunk is finished before more is added");
        self.raw.put_u32_le(version.key.len() as u32);
        self.raw.put_u32_le(version.value.len() as u32);
        self.raw.put_i64_le(version.create_revision.0);
        self.raw.put_i64_le(version.position.revision.0);
        self.raw.put_u32_le(version.position.sub);
        self.raw.put_i64_le(version.version);
        self.raw.put_i64_le(version.lease.0);
        self.raw.put_u8(if version.tombstone { TOMBSTONE } else { 0 });
        self.raw.put_slice(version.key);
        self.raw.put_slice(version.value);
        self.versions += 1;
        Ok(())
    }

    /// Whether the chunk has reached its target size.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.raw.len() >= CHUNK_BYTES_TARGET
    }

    /// Packs what was added, if anything was, and begins anew.
    pub fn finish(&mut self) -> Option<Chunk> {
        if self.versions == 0 {
            return None;
        }
        let payload = zstd::bulk::compress(&self.raw, LEVEL).expect("memory to memory, zstd has nothing to fail at");
        let unpacked_bytes = self.raw.len();
        self.raw.clear();
        let versions = std::mem::take(&mut self.versions);
        Some(Chunk { shard: self.shard, versions, unpacked_bytes, payload: payload.into() })
    }
}

/// A chunk's versions, unpacked.
#[derive(Debug)]
pub struct DecodedChunk {
    shard: ShardId,
    versions: u32,
    raw: Vec<u8>,
    path: PathBuf,
    offset: u64,
}

impl Chunk {
    /// Which shard it belongs to.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// Bytes that it will take in the file.
    #[must_use]
    pub fn packed_bytes(&self) -> usize {
        self.payload.len()
    }

    /// Unpacks a chunk that was read at `offset` of `path`.
    pub(super) fn unpack(&self, path: &Path, offset: u64) -> Result<DecodedChunk> {
        assert!(self.unpacked_bytes <= CHUNK_BYTES_MAX, "a frame's lengths were compared with their bounds");
        let raw = zstd::bulk::decompress(&self.payload, self.unpacked_bytes)
            .map_err(|error| Error::corrupt(path, offset, format!("a chunk cannot be unpacked: {error}")))?;
        if raw.len() != self.unpacked_bytes {
            return Err(Error::corrupt(path, offset, "a chunk unpacks to another length than it says"));
        }
        Ok(DecodedChunk { shard: self.shard, versions: self.versions, raw, path: path.to_owned(), offset })
    }
}

impl DecodedChunk {
    /// Which shard it belongs to.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// How many versions it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.versions as usize
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions == 0
    }

    /// The versions, in the order in which they were added. After an error there is nothing more.
    pub fn versions(&self) -> impl Iterator<Item = Result<Version<'_>>> {
        let mut fields = Fields::new(&self.raw);
        let mut left = self.versions;
        std::iter::from_fn(move || {
            if left == 0 {
                let rest = std::mem::replace(&mut fields, Fields::new(&[]));
                return rest.finish().err().map(|what| Err(self.malformed(what)));
            }
            left -= 1;
            let version = decode(&mut fields);
            if version.is_err() {
                left = 0;
                fields = Fields::new(&[]);
            }
            Some(version.map_err(|what| self.malformed(what)))
        })
    }

    fn malformed(&self, what: Malformed) -> Error {
        Error::corrupt(&self.path, self.offset, format!("a chunk's version cannot be read: {what}"))
    }
}

fn decode<'a>(fields: &mut Fields<'a>) -> Result<Version<'a>, Malformed> {
    let key = fields.length(VERSION_BYTES_MAX, "a key is too long")?;
    let value = fields.length(VERSION_BYTES_MAX, "a value is too long")?;
    let create_revision = Revision(fields.i64()?);
    let position = Position { revision: Revision(fields.i64()?), sub: fields.u32()? };
    let version = fields.i64()?;
    let lease = LeaseId(fields.i64()?);
    let flags = fields.u8()?;
    if flags & !TOMBSTONE != 0 {
        return Err("it has an unknown flag");
    }
    let (key, value) = (fields.take(key)?, fields.take(value)?);
    Ok(Version { key, value, create_revision, position, version, lease, tombstone: flags & TOMBSTONE != 0 })
}
