//! The header of a log segment, and the names in a log's directory: pure bytes and strings.
//!
//! ```text
//! offset  bytes  field
//!      0      8  magic "CAMPALOG"
//!      8      4  version of the format of header and records
//!     12      4  number of the log (the executor's)
//!     16      8  sequence: 1, 2, 3, … within the log
//!     24      8  position of the first record
//!     32      8  salt of the records' checksums, drawn for this use of the file
//!     40      8  size of the file when it was new, bytes
//!     48      4  crc32c of bytes 0..48
//! ```
//! It fills the file's first block; records begin behind it. A file carries its segment's name only when its header is
//! durable, so a named segment without a whole header is damaged.

use bytes::BufMut;

use super::LogPosition;
use crate::bounds::{BLOCK_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::codec::{Fields, Malformed};

const MAGIC: [u8; 8] = *b"CAMPALOG";
const VERSION: u32 = 1;
const CHECKED_BYTES: usize = 48;
/// Where the first record stands in the file.
pub const HEADER_BYTES: u64 = BLOCK_BYTES as u64;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The number of the log that it belongs to.
    pub log: u32,
    pub sequence: u64,
    /// The position of its first record, which is where the segment before it ended.
    pub start: LogPosition,
    pub salt: u64,
    /// The file's size in bytes when it was new; one that was sealed by a start may be shorter.
    pub bytes: u64,
}

impl Header {
    /// Writes the header to the beginning of a block of zeros.
    pub fn encode(&self, mut block: &mut [u8]) {
        let mut fields = Vec::with_capacity(CHECKED_BYTES);
        fields.put_slice(&MAGIC);
        fields.put_u32_le(VERSION);
        fields.put_u32_le(self.log);
        fields.put_u64_le(self.sequence);
        fields.put_u64_le(self.start.0);
        fields.put_u64_le(self.salt);
        fields.put_u64_le(self.bytes);
        block.put_slice(&fields);
        block.put_u32_le(crc32c::crc32c(&fields));
    }

    /// Reads a header.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn decode(block: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(block);
        let checked = fields.take(CHECKED_BYTES)?;
        if fields.u32()? != crc32c::crc32c(checked) {
            return Err("the segment's header has a wrong checksum");
        }
        let mut fields = Fields::new(checked);
        if fields.take(MAGIC.len())? != MAGIC {
            return Err("this is no log segment");
        }
        if fields.u32()? != VERSION {
            return Err("the segment is of a version that this program does not know");
        }
        let header = Header {
            log: fields.u32()?,
            sequence: fields.u64()?,
            start: LogPosition(fields.u64()?),
            salt: fields.u64()?,
            bytes: fields.u64()?,
        };
        fields.finish()?;
        if header.bytes < SEGMENT_BYTES_MIN || header.bytes > SEGMENT_BYTES_MAX {
            return Err("the segment's size is out of bounds");
        }
        Ok(header)
    }
}

/// What a name in a log's directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A segment in use, by its sequence.
    Segment(u64),
    /// A file of zeros or of old records, whole and ready for use.
    Spare(u64),
    /// A file that was being zeroed.
    Unfinished,
}

/// The directory of a log, inside the data directory.
#[must_use]
pub fn directory_name(log: u32) -> String {
    format!("log-{log}")
}

/// The number of the log whose directory has this name.
#[must_use]
pub fn parse_directory_name(name: &str) -> Option<u32> {
    let number = name.strip_prefix("log-")?.parse().ok()?;
    (directory_name(number) == name).then_some(number)
}

/// The name of a segment in use.
#[must_use]
pub fn segment_name(sequence: u64) -> String {
    format!("{sequence:016x}.segment")
}

/// The name of a spare.
#[must_use]
pub fn spare_name(number: u64) -> String {
    format!("{number:016x}.spare")
}

/// The name of a file while it is being zeroed.
#[must_use]
pub fn unfinished_name(number: u64) -> String {
    format!("{number:016x}.zeroing")
}

/// Reads a name in a log's directory.
#[must_use]
pub fn parse_name(name: &str) -> Option<Name> {
    let (number, extension) = name.split_once('.')?;
    let number = u64::from_str_radix(number, 16).ok().filter(|_| number.len() == 16)?;
    match extension {
        "segment" => Some(Name::Segment(number)),
        "spare" => Some(Name::Spare(number)),
        "zeroing" => Some(Name::Unfinished),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        Header { log: 3, sequence: 17, start: LogPosition(65_536), salt: 0x0102_0304_0506_0708, bytes: 1 << 20 }
    }

    #[test]
    fn golden() {
        let mut block = vec![0; 64];
        sample().encode(&mut block);
        let hexadecimal: String = block.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hexadecimal,
            concat!(
                "43414d50414c4f47",
                "01000000",
                "03000000",
                "1100000000000000",
                "0000010000000000",
                "0807060504030201",
                "0000100000000000",
                "f13908fe",
                "000000000000000000000000",
            )
        );
        assert_eq!(Header::decode(&block), Ok(sample()));
    }

    #[test]
    fn damage_is_found() {
        let mut block = vec![0; 64];
        sample().encode(&mut block);
        for bit in 0..(CHECKED_BYTES + 4) * 8 {
            let mut damaged = block.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&damaged).is_err(), "bit {bit}");
        }
        assert!(Header::decode(&block[..51]).is_err());
    }

    #[test]
    fn names_come_back() {
        assert_eq!(parse_name(&segment_name(255)), Some(Name::Segment(255)));
        assert_eq!(parse_name(&spare_name(1)), Some(Name::Spare(1)));
        assert_eq!(parse_name(&unfinished_name(1)), Some(Name::Unfinished));
        assert_eq!(parse_name("lost+found"), None);
        assert_eq!(parse_name("ff.segment"), None);
        assert_eq!(parse_directory_name(&directory_name(12)), Some(12));
        assert_eq!(parse_directory_name("log-012"), None);
    }
}
