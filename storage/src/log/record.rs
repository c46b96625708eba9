//! The format of one record of the log: pure bytes, little-endian, golden-tested.
//!
//! A record stands at a block boundary and is padded with zeros to whole blocks. One durable write is one record.
//!
//! ```text
//! offset  bytes  field
//!      0      4  magic "CREC"
//!      4      4  crc32c of bytes 8..length, begun with the segment's salt
//!      8      4  length: header and sections, without padding
//!     12      4  number of sections
//!     16      8  position of this record in the log
//!     24      8  position up to which the log was durable when this record was submitted
//!     32         sections, one after the other:
//!             4  group
//!             1  flags: 1 = a hard state follows
//!             8  stamp
//!         8+8+8  term, vote, commit              (with flag 1)
//!             4  number of entries
//!             8  index of the first entry        (with entries; the others follow without a gap)
//!                for each entry: 8 term, 1 kind, 4 payload length, payload
//! ```
//!
//! The version of this format is the segment header's.

use bytes::{BufMut, Bytes};

use super::{Entry, HardState, LogPosition, Stamp};
use crate::bounds::{PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX, SECTIONS_MAX};
use crate::codec::{Fields, Malformed};
use crate::ids::{GroupId, Index, MemberId, Term};

const MAGIC: [u8; 4] = *b"CREC";
/// Bytes of a record before its sections.
pub const HEADER_BYTES: usize = 32;
/// Where the checksummed part begins.
const CHECKED_FROM: usize = 8;
const HAS_HARD_STATE: u8 = 1;
const SECTION_BYTES: usize = 4 + 1 + 8 + 4;
const HARD_STATE_BYTES: usize = 24;
const ENTRY_BYTES: usize = 8 + 1 + 4;

/// One update in a record, under the group's number for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub group: GroupId,
    pub stamp: Stamp,
    pub hard_state: Option<HardState>,
    pub entries: Vec<Entry>,
}

/// What a record says of itself before its checksum has been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    checksum: u32,
    /// Header and sections, bytes, without padding. At most [`RECORD_BYTES_MAX`].
    pub length: usize,
    sections: usize,
    pub position: LogPosition,
    pub durable: LogPosition,
}

/// Bytes that a record takes before its sections are counted, and that one section adds.
#[must_use]
pub fn section_bytes(hard_state: bool, entries: &[Entry]) -> usize {
    let first_index = if entries.is_empty() { 0 } else { 8 };
    let payloads: usize = entries.iter().map(|entry| ENTRY_BYTES + entry.payload.len()).sum();
    SECTION_BYTES + if hard_state { HARD_STATE_BYTES } else { 0 } + first_index + payloads
}

/// Writes a record to the beginning of `block`, whose other bytes are zero.
///
/// # Panics
/// If `length` is not the sections' size, or `block` is shorter: the caller has counted with [`section_bytes`].
pub fn encode(
    block: &mut [u8],
    salt: u64,
    position: LogPosition,
    durable: LogPosition,
    length: usize,
    sections: &[Section],
) {
    assert!(length <= RECORD_BYTES_MAX && sections.len() <= SECTIONS_MAX, "a record stays within its bounds");
    let record = &mut block[..length];
    let mut rest = &mut *record;
    rest.put_slice(&MAGIC);
    rest.put_u32_le(0);
    rest.put_u32_le(length as u32);
    rest.put_u32_le(sections.len() as u32);
    rest.put_u64_le(position.0);
    rest.put_u64_le(durable.0);
    for section in sections {
        encode_section(&mut rest, section);
    }
    assert!(rest.is_empty(), "a record's length was counted before");
    let checksum = checksum(salt, &record[CHECKED_FROM..]);
    record[4..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

fn encode_section(rest: &mut &mut [u8], section: &Section) {
    rest.put_u32_le(section.group.0);
    rest.put_u8(if section.hard_state.is_some() { HAS_HARD_STATE } else { 0 });
    rest.put_u64_le(section.stamp.0);
    if let Some(state) = section.hard_state {
        rest.put_u64_le(state.term.0);
        rest.put_u64_le(state.vote.0);
        rest.put_u64_le(state.commit.0);
    }
    rest.put_u32_le(section.entries.len() as u32);
    if let Some(first) = section.entries.first() {
        rest.put_u64_le(first.index.0);
    }
    for entry in &section.entries {
        rest.put_u64_le(entry.term.0);
        rest.put_u8(entry.kind);
        rest.put_u32_le(entry.payload.len() as u32);
        rest.put_slice(&entry.payload);
    }
}

fn checksum(salt: u64, checked: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), checked)
}

/// Reads a record's header, if the bytes begin with one that could be a record: the checksum is still to be compared.
#[must_use]
pub fn decode_header(bytes: &[u8]) -> Option<Header> {
    let mut fields = Fields::new(bytes);
    if fields.take(MAGIC.len()).ok()? != MAGIC {
        return None;
    }
    let header = Header {
        checksum: fields.u32().ok()?,
        length: fields.length(RECORD_BYTES_MAX, "too long").ok()?,
        sections: fields.length(SECTIONS_MAX, "too many").ok()?,
        position: LogPosition(fields.u64().ok()?),
        durable: LogPosition(fields.u64().ok()?),
    };
    (header.length >= HEADER_BYTES).then_some(header)
}

/// Whether the checksum of `record`, all `header.length` bytes of it, is right under this salt.
#[must_use]
pub fn is_whole(header: &Header, salt: u64, record: &[u8]) -> bool {
    record.len() == header.length
        && record.get(CHECKED_FROM..).is_some_and(|checked| checksum(salt, checked) == header.checksum)
}

/// Reads the sections of a record whose checksum is right. Payloads are copies: they outlive what was read.
///
/// # Errors
/// If the bytes do not mean a record although the checksum is right: another version wrote them.
pub fn decode_sections(header: &Header, record: &[u8]) -> Result<Vec<Section>, Malformed> {
    let mut fields = Fields::new(record);
    fields.take(HEADER_BYTES)?;
    let mut sections = Vec::with_capacity(header.sections.min(fields.remaining() / SECTION_BYTES));
    for _ in 0..header.sections {
        sections.push(decode_section(&mut fields)?);
    }
    fields.finish()?;
    Ok(sections)
}

fn decode_section(fields: &mut Fields<'_>) -> Result<Section, Malformed> {
    let group = GroupId(fields.u32()?);
    let flags = fields.u8()?;
    if flags & !HAS_HARD_STATE != 0 {
        return Err("a section has an unknown flag");
    }
    let stamp = Stamp(fields.u64()?);
    let hard_state = if flags & HAS_HARD_STATE == 0 {
        None
    } else {
        let term = Term(fields.u64()?);
        let vote = MemberId(fields.u64()?);
        Some(HardState { term, vote, commit: Index(fields.u64()?) })
    };
    let count = fields.length(fields.remaining() / ENTRY_BYTES, "a section has more entries than bytes")?;
    let mut entries = Vec::with_capacity(count);
    if count > 0 {
        let first = fields.u64()?;
        for number in 0..count as u64 {
            let index = Index(first.checked_add(number).ok_or("an index is too large")?);
            let term = Term(fields.u64()?);
            let kind = fields.u8()?;
            let length = fields.length(PAYLOAD_BYTES_MAX, "a payload is too long")?;
            let payload = Bytes::copy_from_slice(fields.take(length)?);
            entries.push(Entry { index, term, kind, payload });
        }
    }
    Ok(Section { group, stamp, hard_state, entries })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::padded;

    fn sample() -> Vec<Section> {
        let entry = |index, payload: &'static str| Entry {
            index: Index(index),
            term: Term(3),
            kind: 1,
            payload: Bytes::from_static(payload.as_bytes()),
        };
        vec![
            Section {
                group: GroupId(2),
                stamp: Stamp(9),
                hard_state: Some(HardState { term: Term(3), vote: MemberId(0xabc), commit: Index(6) }),
                entries: vec![entry(7, "seven"), entry(8, "")],
            },
            Section { group: GroupId(0), stamp: Stamp(1), hard_state: None, entries: Vec::new() },
        ]
    }

    fn encoded(sections: &[Section], salt: u64) -> (Vec<u8>, usize) {
        let length =
            HEADER_BYTES + sections.iter().map(|s| section_bytes(s.hard_state.is_some(), &s.entries)).sum::<usize>();
        let mut block = vec![0; padded(length)];
        encode(&mut block, salt, LogPosition(4096), LogPosition(4096), length, sections);
        (block, length)
    }

    #[test]
    fn golden() {
        let (block, length) = encoded(&sample(), 0x1122_3344_5566_7788);
        let hexadecimal: String = block[..length].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hexadecimal,
            concat!(
                "43524543",
                "937a8390",
                "81000000",
                "02000000",
                "0010000000000000",
                "0010000000000000",
                "02000000",
                "01",
                "0900000000000000",
                "0300000000000000",
                "bc0a000000000000",
                "0600000000000000",
                "02000000",
                "0700000000000000",
                "0300000000000000",
                "01",
                "05000000",
                "736576656e",
                "0300000000000000",
                "01",
                "00000000",
                "00000000",
                "00",
                "0100000000000000",
                "00000000",
            )
        );
        assert!(block[length..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn comes_back_as_it_went() {
        let (block, length) = encoded(&sample(), 5);
        let header = decode_header(&block).expect("a header");
        assert_eq!((header.length, header.position, header.durable), (length, LogPosition(4096), LogPosition(4096)));
        assert!(is_whole(&header, 5, &block[..length]));
        assert!(!is_whole(&header, 6, &block[..length]), "another use of the segment");
        assert_eq!(decode_sections(&header, &block[..length]), Ok(sample()));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let (block, length) = encoded(&sample(), 5);
        for bit in 0..length * 8 {
            let mut damaged = block[..length].to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let whole = decode_header(&damaged)
                .filter(|header| header.length <= damaged.len())
                .is_some_and(|header| is_whole(&header, 5, &damaged[..header.length]));
            assert!(!whole, "bit {bit}");
        }
    }

    #[test]
    fn malformed_sections_are_refused_without_reading_past_them() {
        let (block, length) = encoded(&sample(), 5);
        let header = decode_header(&block).expect("a header");
        for cut in HEADER_BYTES..length {
            assert!(decode_sections(&header, &block[..cut]).is_err(), "cut at {cut}");
        }
        assert!(decode_sections(&header, &block[..=length]).is_err(), "one byte too many");
        for (at, byte) in (HEADER_BYTES..length).flat_map(|at| [0xff_u8, 0x7f, 1].map(|byte| (at, byte))) {
            let mut damaged = block[..length].to_vec();
            damaged[at] = byte;
            let _ = decode_sections(&header, &damaged);
        }
    }
}
