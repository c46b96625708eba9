//! The format of a checkpoint file: pure bytes, little-endian, golden-tested.
//!
//! ```text
//! header: 8 magic "CAMPACHK", 4 version, 4 shards, 8 cluster id, 8 revision, 4 crc32c of the 32 bytes before
//! frames, one after the other:
//!         1 kind, 4 shard, 8 number of the frame, 4 versions in it, 4 length when unpacked, 4 length here,
//!         4 crc32c of these 25 bytes and of the payload; then the payload
//!           kind 1  meta: a piece of the core's own bytes, as they are; before all others
//!           kind 2  versions of one shard, packed by zstd
//!           kind 3  footer: 8 frames before it, 8 bytes of meta, 8 bytes of the file before it,
//!                   4 crc32c of all these bytes, 4 shards, 8 versions for each shard; the last
//! zeros up to a whole block
//! ```

use bytes::{BufMut, Bytes};

use crate::bounds::{CHUNK_BYTES_MAX, CHUNK_COMPRESSED_BYTES_MAX, SHARDS_MAX};
use crate::codec::{Fields, Malformed};
use crate::ids::{Revision, ShardId};

const MAGIC: [u8; 8] = *b"CAMPACHK";
const VERSION: u32 = 1;
const CHECKED_BYTES: usize = 32;
/// Bytes of the file before its first frame.
pub(super) const HEADER_BYTES: usize = CHECKED_BYTES + 4;
const FRAME_CHECKED_BYTES: usize = 25;
/// Bytes of a frame before its payload.
pub(super) const FRAME_HEADER_BYTES: usize = FRAME_CHECKED_BYTES + 4;

/// What a checkpoint says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The cluster's id.
    pub cluster: u64,
    /// The revision at which all shards were taken.
    pub revision: Revision,
    /// How many shards the cluster has. At most [`SHARDS_MAX`].
    pub shards: u32,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.put_slice(&MAGIC);
        bytes.put_u32_le(VERSION);
        bytes.put_u32_le(self.shards);
        bytes.put_u64_le(self.cluster);
        bytes.put_i64_le(self.revision.0);
        let checksum = crc32c::crc32c(&bytes);
        bytes.put_u32_le(checksum);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(bytes);
        let checked = fields.take(CHECKED_BYTES)?;
        if fields.u32()? != crc32c::crc32c(checked) {
            return Err("the checkpoint's header has a wrong checksum");
        }
        let mut fields = Fields::new(checked);
        if fields.take(MAGIC.len())? != MAGIC {
            return Err("this is no checkpoint");
        }
        if fields.u32()? != VERSION {
            return Err("the checkpoint is of a version that this program does not know");
        }
        let shards = fields.length(SHARDS_MAX, "the checkpoint has more shards than a cluster can have")? as u32;
        Ok(Header { shards, cluster: fields.u64()?, revision: Revision(fields.i64()?) })
    }
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Meta = 1,
    Versions = 2,
    Footer = 3,
}

/// A frame's own description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) shard: ShardId,
    pub(super) number: u64,
    pub(super) versions: u32,
    /// At most [`CHUNK_BYTES_MAX`].
    pub(super) unpacked_bytes: usize,
    /// At most [`CHUNK_COMPRESSED_BYTES_MAX`].
    pub(super) payload_bytes: usize,
}

impl Frame {
    /// The frame's header for this payload.
    pub(super) fn encode(&self, payload: &[u8]) -> Vec<u8> {
        assert_eq!(payload.len(), self.payload_bytes, "a frame describes its payload");
        assert!(self.unpacked_bytes <= CHUNK_BYTES_MAX && self.payload_bytes <= CHUNK_COMPRESSED_BYTES_MAX);
        let mut bytes = Vec::with_capacity(FRAME_HEADER_BYTES);
        bytes.put_u8(self.kind as u8);
        bytes.put_u32_le(self.shard.0);
        bytes.put_u64_le(self.number);
        bytes.put_u32_le(self.versions);
        bytes.put_u32_le(self.unpacked_bytes as u32);
        bytes.put_u32_le(self.payload_bytes as u32);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes), payload);
        bytes.put_u32_le(checksum);
        bytes
    }

    /// Reads a frame's header; the checksum that its payload must have comes with it.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, FrameChecksum), Malformed> {
        let mut fields = Fields::new(bytes);
        let checked = fields.take(FRAME_CHECKED_BYTES)?;
        let expected = fields.u32()?;
        let mut fields = Fields::new(checked);
        let kind = match fields.u8()? {
            1 => Kind::Meta,
            2 => Kind::Versions,
            3 => Kind::Footer,
            _ => return Err("a frame is of an unknown kind"),
        };
        let frame = Frame {
            kind,
            shard: ShardId(fields.u32()?),
            number: fields.u64()?,
            versions: fields.u32()?,
            unpacked_bytes: fields.length(CHUNK_BYTES_MAX, "a frame unpacks to more than is allowed")?,
            payload_bytes: fields.length(CHUNK_COMPRESSED_BYTES_MAX, "a frame is longer than is allowed")?,
        };
        Ok((frame, FrameChecksum { of_header: crc32c::crc32c(checked), expected }))
    }
}

/// The checksum of a frame, to be compared when its payload is there.
pub(super) struct FrameChecksum {
    of_header: u32,
    expected: u32,
}

impl FrameChecksum {
    pub(super) fn matches(&self, payload: &[u8]) -> bool {
        crc32c::crc32c_append(self.of_header, payload) == self.expected
    }
}

/// What the last frame says of all before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) frames: u64,
    pub(super) meta_bytes: u64,
    pub(super) file_bytes: u64,
    pub(super) checksum: u32,
    /// Versions of each shard.
    pub(super) versions: Vec<u64>,
}

impl Footer {
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(32 + 8 * self.versions.len());
        bytes.put_u64_le(self.frames);
        bytes.put_u64_le(self.meta_bytes);
        bytes.put_u64_le(self.file_bytes);
        bytes.put_u32_le(self.checksum);
        bytes.put_u32_le(self.versions.len() as u32);
        for versions in &self.versions {
            bytes.put_u64_le(*versions);
        }
        bytes.into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(bytes);
        let (frames, meta_bytes, file_bytes) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let checksum = fields.u32()?;
        let shards = fields.length(SHARDS_MAX, "the footer counts more shards than a cluster can have")?;
        let versions = (0..shards).map(|_| fields.u64()).collect::<Result<_, _>>()?;
        fields.finish()?;
        Ok(Footer { frames, meta_bytes, file_bytes, checksum, versions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hexadecimal(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn header() -> Header {
        Header { cluster: 0x1122_3344_5566_7788, revision: Revision(42), shards: 3 }
    }

    fn frame() -> Frame {
        Frame {
            kind: Kind::Versions,
            shard: ShardId(2),
            number: 9,
            versions: 7,
            unpacked_bytes: 1000,
            payload_bytes: 3,
        }
    }

    #[test]
    fn golden() {
        assert_eq!(
            hexadecimal(&header().encode()),
            "43414d504143484b010000000300000088776655443322112a000000000000006fc52e59"
        );
        assert_eq!(hexadecimal(&frame().encode(b"abc")), "0202000000090000000000000007000000e803000003000000c7649fd9");
        let footer = Footer { frames: 1, meta_bytes: 2, file_bytes: 3, checksum: 4, versions: vec![5, 6] };
        assert_eq!(
            hexadecimal(&footer.encode()),
            "0100000000000000020000000000000003000000000000000400000002000000\
             05000000000000000600000000000000"
        );
        assert_eq!(Footer::decode(&footer.encode()), Ok(footer));
    }

    #[test]
    fn comes_back_as_it_went_and_damage_is_found() {
        assert_eq!(Header::decode(&header().encode()), Ok(header()));
        let encoded = frame().encode(b"abc");
        let (decoded, checksum) = Frame::decode(&encoded).expect("a frame");
        assert_eq!(decoded, frame());
        assert!(checksum.matches(b"abc") && !checksum.matches(b"abd"));
        for bit in 0..HEADER_BYTES * 8 {
            let mut damaged = header().encode();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&damaged).is_err(), "bit {bit}");
        }
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            let mut damaged = encoded.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&damaged).map_or(true, |(_, checksum)| !checksum.matches(b"abc")), "bit {bit}");
        }
    }
}
