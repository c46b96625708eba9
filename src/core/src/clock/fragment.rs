//! What one transaction changes in one group, as the group's log holds it. Pure format, version 1.
//!
//! An entry of a data group is a fence, or a batch of fragments of one epoch in rising order of revision. Layout, all
//! little-endian:
//!
//! ```text
//! u8 kind (1 fence, 2 fragments) | u64 epoch term | u32 epoch attempt | u32 count | fragment...
//! fragment: i64 revision | u32 groups | u64 control index | u32 count | change...
//! change:   u32 sub << 1 | is put | bytes key | if put: bytes value, i64 lease      (bytes: u32 length, then the bytes)
//! ```

use super::Epoch;
use crate::codec::{Malformed, Reader, Write};
use bytes::Bytes;
use campanile_storage::ids::{Index, LeaseId, Revision, Term};

const KIND_FENCE: u8 = 1;
const KIND_FRAGMENTS: u8 = 2;
/// Kind, epoch and count.
const HEADER_BYTES: usize = 1 + 8 + 4 + 4;
/// Offset of the count in a batch under construction.
const COUNT_OFFSET: usize = HEADER_BYTES - 4;
const FRAGMENT_BYTES_MIN: usize = 8 + 4 + 8 + 4;
const CHANGE_BYTES_MIN: usize = 4 + 4;

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
}

/// What one transaction changes in one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub revision: Revision,
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

/// Fragments of one epoch, gathered for one entry while the executor evaluates.
#[derive(Debug)]
pub struct FragmentBatch {
    buffer: Vec<u8>,
    count: u32,
    first: Revision,
    last: Revision,
}

impl FragmentBatch {
    #[must_use]
    pub fn new(epoch: Epoch) -> FragmentBatch {
        FragmentBatch { buffer: header(KIND_FRAGMENTS, epoch), count: 0, first: Revision(0), last: Revision(0) }
    }

    /// Adds a fragment.
    ///
    /// # Panics
    /// If its revision is not above the one before: a shard's fragments stand in revision order within an epoch.
    pub fn push(&mut self, revision: Revision, groups: u32, control_index: Index, changes: &[Change]) {
        assert!(revision > self.last, "fragment {revision} behind {}", self.last);
        if self.count == 0 {
            self.first = revision;
        }
        self.last = revision;
        self.count += 1;
        self.buffer.put_i64(revision.0);
        self.buffer.put_u32(groups);
        self.buffer.put_u64(control_index.0);
        self.buffer.put_count(changes.len());
        for change in changes {
            encode_change(&mut self.buffer, change);
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The entry, with the first and the last revision in it.
    #[must_use]
    pub fn finish(mut self) -> (Vec<u8>, Revision, Revision) {
        self.buffer[COUNT_OFFSET..HEADER_BYTES].copy_from_slice(&self.count.to_le_bytes());
        (self.buffer, self.first, self.last)
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
    let control_index = Index(reader.u64("control index")?);
    let count = reader.count(CHANGE_BYTES_MIN, "number of changes")?;
    let changes = (0..count).map(|_| decode_change(reader)).collect::<Result<_, _>>()?;
    Ok(Fragment { revision, groups, control_index, changes })
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

    #[test]
    fn fragments_round_trip() {
        let mut batch = FragmentBatch::new(EPOCH);
        batch.push(Revision(7), 2, Index(4), &changes());
        batch.push(Revision(9), 1, Index(0), &changes()[1..]);
        let (bytes, first, last) = batch.finish();
        assert_eq!((first, last), (Revision(7), Revision(9)));
        let expected = vec![
            Fragment { revision: Revision(7), groups: 2, control_index: Index(4), changes: changes() },
            Fragment { revision: Revision(9), groups: 1, control_index: Index(0), changes: changes()[1..].to_vec() },
        ];
        assert_eq!(decode(bytes.into()), Ok(DataEntry::Fragments(EPOCH, expected)));
    }

    #[test]
    fn the_format_is_fixed() {
        assert_eq!(fence(EPOCH), [1, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let mut batch = FragmentBatch::new(EPOCH);
        batch.push(Revision(2), 1, Index(0), &changes()[1..]);
        let golden = [
            2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, // header
            2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, // fragment
            10, 0, 0, 0, 1, 0, 0, 0, b'b', // change
        ];
        assert_eq!(batch.finish().0, golden);
    }

    #[test]
    fn every_truncation_is_malformed() {
        let mut batch = FragmentBatch::new(EPOCH);
        batch.push(Revision(7), 2, Index(4), &changes());
        let (bytes, _, _) = batch.finish();
        for length in 0..bytes.len() {
            assert!(decode(Bytes::copy_from_slice(&bytes[..length])).is_err(), "{length} bytes");
        }
    }
}
