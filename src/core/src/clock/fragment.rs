//! What one transaction changes in one group, as the group's log holds it. Pure format, version 1.
//!
//! An entry of a data group is a fence, or fragments of one epoch in rising order of revision. A fragment that is larger
//! than an entry may be is cut into parts, one an entry, in entries that follow one another; it counts with its last part.
//! Layout, all little-endian:
//!
//! ```text
//! u8 kind (1 fence, 2 fragments) | u64 epoch term | u32 epoch attempt | u32 count | fragment...
//! fragment: i64 revision | u32 groups << 1 | is part | if part: u32 number << 1 | is last | u64 control index
//!           | u32 count | change...
//! change:   u32 sub << 1 | is put | bytes key | if put: bytes value, i64 lease      (bytes: u32 length, then the bytes)
//! ```

use super::Epoch;
use super::batch::FragmentHead;
use crate::codec::{Malformed, Reader, Write};
use bytes::Bytes;
use campanile_storage::ids::{Index, LeaseId, Revision, Term};

const KIND_FENCE: u8 = 1;
const KIND_FRAGMENTS: u8 = 2;
/// Kind, epoch and count.
pub(super) const HEADER_BYTES: usize = 1 + 8 + 4 + 4;
/// Offset of the count in an entry under construction.
pub(super) const COUNT_OFFSET: usize = HEADER_BYTES - 4;
/// A fragment without its changes, if it is whole.
pub(super) const FRAGMENT_BYTES_MIN: usize = 8 + 4 + 8 + 4;
/// What a part has beside that.
pub(super) const PART_BYTES: usize = 4;
const CHANGE_BYTES_MIN: usize = 4 + 4;
/// What a change has beside its key and its value, at most.
pub const CHANGE_OVERHEAD_BYTES: usize = 4 + 4 + 4 + 8;

/// One effect on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put { sub: u32, key: Bytes, value: Bytes, lease: LeaseId },
    Delete { sub: u32, key: Bytes },
}

impl Change {
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            Change::Put { key, .. } | Change::Delete { key, .. } => key,
        }
    }

    /// How much of an entry it takes.
    pub(super) fn entry_bytes(&self) -> usize {
        match self {
            Change::Put { key, value, .. } => CHANGE_OVERHEAD_BYTES + key.len() + value.len(),
            Change::Delete { key, .. } => CHANGE_BYTES_MIN + key.len(),
        }
    }
}

/// Which part of a fragment an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Counted from 0.
    pub number: u32,
    /// With it the fragment is complete.
    pub is_last: bool,
}

impl Part {
    /// All there is: nearly every fragment.
    pub const WHOLE: Part = Part { number: 0, is_last: true };
}

/// What one transaction changes in one group, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub revision: Revision,
    pub part: Part,
    /// How many groups the whole transaction touches.
    pub groups: u32,
    /// The newest grant of a lease that it attaches (an index of the control group's log); 0 if it attaches none. It
    /// does not count before that grant is applied.
    pub control_index: Index,
    pub changes: Vec<Change>,
}

/// One entry of a data group's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataEntry {
    /// Begins an epoch in this log.
    Fence(Epoch),
    Fragments(Epoch, Vec<Fragment>),
}

/// Encodes a fence.
#[must_use]
pub fn fence(epoch: Epoch) -> Vec<u8> {
    header(KIND_FENCE, epoch)
}

fn header(kind: u8, epoch: Epoch) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(HEADER_BYTES);
    buffer.put_u8(kind);
    buffer.put_u64(epoch.term.0);
    buffer.put_u32(epoch.attempt);
    buffer.put_u32(0);
    buffer
}

/// Begins an entry of fragments; their number is written at [`COUNT_OFFSET`] when it is known.
pub(super) fn fragments(epoch: Epoch) -> Vec<u8> {
    header(KIND_FRAGMENTS, epoch)
}

/// Appends a fragment, or a part of one, to an entry.
pub(super) fn encode_fragment(buffer: &mut Vec<u8>, head: FragmentHead, part: Part, changes: &[Change]) {
    let FragmentHead { revision, groups, control_index } = head;
    buffer.put_i64(revision.0);
    if part == Part::WHOLE {
        buffer.put_u32(groups << 1);
    } else {
        buffer.put_u32(groups << 1 | 1);
        buffer.put_u32(part.number << 1 | u32::from(part.is_last));
    }
    buffer.put_u64(control_index.0);
    buffer.put_count(changes.len());
    for change in changes {
        encode_change(buffer, change);
    }
}

fn encode_change(buffer: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Put { sub, key, value, lease } => {
            buffer.put_u32(sub << 1 | 1);
            buffer.put_bytes(key);
            buffer.put_bytes(value);
            buffer.put_i64(lease.0);
        }
        Change::Delete { sub, key } => {
            buffer.put_u32(sub << 1);
            buffer.put_bytes(key);
        }
    }
}

/// Decodes an entry; keys and values share its bytes.
pub fn decode(bytes: Bytes) -> Result<DataEntry, Malformed> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u8("entry kind")?;
    let epoch = Epoch { term: Term(reader.u64("epoch term")?), attempt: reader.u32("epoch attempt")? };
    let count = reader.count(FRAGMENT_BYTES_MIN, "number of fragments")?;
    let entry = match kind {
        KIND_FENCE if count == 0 => DataEntry::Fence(epoch),
        KIND_FRAGMENTS => {
            let fragments = (0..count).map(|_| decode_fragment(&mut reader)).collect::<Result<_, _>>()?;
            DataEntry::Fragments(epoch, fragments)
        }
        _ => return Err(Malformed("entry kind")),
    };
    reader.end("end of entry")?;
    Ok(entry)
}

fn decode_fragment(reader: &mut Reader) -> Result<Fragment, Malformed> {
    let revision = Revision(reader.i64("revision")?);
    let groups = reader.u32("number of groups")?;
    let part = if groups & 1 == 0 { Part::WHOLE } else { decode_part(reader)? };
    let control_index = Index(reader.u64("control index")?);
    let count = reader.count(CHANGE_BYTES_MIN, "number of changes")?;
    let changes = (0..count).map(|_| decode_change(reader)).collect::<Result<_, _>>()?;
    Ok(Fragment { revision, part, groups: groups >> 1, control_index, changes })
}

fn decode_part(reader: &mut Reader) -> Result<Part, Malformed> {
    let tag = reader.u32("part of a fragment")?;
    let part = Part { number: tag >> 1, is_last: tag & 1 == 1 };
    // What is whole is never written as a part.
    if part == Part::WHOLE { Err(Malformed("part of a fragment")) } else { Ok(part) }
}

fn decode_change(reader: &mut Reader) -> Result<Change, Malformed> {
    let tag = reader.u32("change")?;
    let sub = tag >> 1;
    let key = reader.bytes("key")?;
    if tag & 1 == 0 {
        return Ok(Change::Delete { sub, key });
    }
    Ok(Change::Put { sub, key, value: reader.bytes("value")?, lease: LeaseId(reader.i64("lease")?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Epoch = Epoch { term: Term(3), attempt: 1 };

    fn changes() -> Vec<Change> {
        vec![
            Change::Put { sub: 0, key: "a".into(), value: "1".into(), lease: LeaseId(9) },
            Change::Delete { sub: 5, key: "b".into() },
        ]
    }

    /// An entry with one fragment, or one part.
    fn entry(revision: i64, groups: u32, part: Part, control_index: u64, changes: &[Change]) -> Vec<u8> {
        let mut buffer = fragments(EPOCH);
        let head = FragmentHead { revision: Revision(revision), groups, control_index: Index(control_index) };
        encode_fragment(&mut buffer, head, part, changes);
        buffer[COUNT_OFFSET] = 1;
        buffer
    }

    const MIDDLE: Part = Part { number: 1, is_last: false };
    const LAST: Part = Part { number: 2, is_last: true };

    #[test]
    fn fragments_and_parts_round_trip() {
        for part in [Part::WHOLE, Part { number: 0, is_last: false }, MIDDLE, LAST] {
            let bytes = entry(7, 2, part, 4, &changes());
            let expected =
                Fragment { revision: Revision(7), part, groups: 2, control_index: Index(4), changes: changes() };
            assert_eq!(decode(bytes.into()), Ok(DataEntry::Fragments(EPOCH, vec![expected])));
        }
    }

    #[test]
    fn the_format_is_fixed() {
        assert_eq!(fence(EPOCH), [1, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let golden = [
            2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, // header
            2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, // fragment
            10, 0, 0, 0, 1, 0, 0, 0, b'b', // change
        ];
        assert_eq!(entry(2, 1, Part::WHOLE, 0, &changes()[1..]), golden);
        let golden = [
            2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, // header
            2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, // last part
            10, 0, 0, 0, 1, 0, 0, 0, b'b', // change
        ];
        assert_eq!(entry(2, 1, LAST, 0, &changes()[1..]), golden);
    }

    #[test]
    fn every_truncation_is_malformed() {
        for part in [Part::WHOLE, MIDDLE, LAST] {
            let bytes = entry(7, 2, part, 4, &changes());
            for length in 0..bytes.len() {
                assert!(decode(Bytes::copy_from_slice(&bytes[..length])).is_err(), "{length} bytes");
            }
        }
    }

    #[test]
    fn what_is_whole_is_no_part() {
        let mut bytes = entry(7, 2, LAST, 4, &changes());
        bytes[HEADER_BYTES + 8 + 4] = 1;
        assert_eq!(decode(bytes.into()), Err(Malformed("part of a fragment")));
    }

    #[test]
    fn a_change_says_how_much_it_takes() {
        for change in changes() {
            let mut buffer = Vec::new();
            encode_change(&mut buffer, &change);
            assert_eq!(buffer.len(), change.entry_bytes());
        }
    }
}
