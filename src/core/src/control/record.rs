//! What the control group's log holds. Pure format, version 1, little-endian.
//!
//! ```text
//! u8 kind, then
//!   1 fence     epoch
//!   2 open      epoch, i64 base
//!   3 shards    u32 number
//!   4 grant     i64 lease, i64 ttl in seconds
//!   5 revoke    i64 lease                            a lease without keys
//!   6 compact   i64 revision
//!   7 fragment  epoch, i64 revision, u32 groups, u32 count, i64 lease...     leases revoked together with their keys
//!   8 announce  u64 member, its attributes            see `members`
//! epoch: u64 term, u32 attempt
//! ```

use super::members::Attributes;
use crate::clock::Epoch;
use crate::clock::opens::Open;
use crate::codec::{Malformed, Reader, Write};
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, MemberId, Revision, Term};

/// One entry of the control group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlEntry {
    /// Begins an epoch in this log.
    Fence(Epoch),
    Open(Open),
    Record(Record),
    Fragment(ControlFragment),
}

/// A change without a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The number of shards, for ever.
    Shards(u32),
    Grant {
        lease: LeaseId,
        ttl_seconds: i64,
    },
    Revoke {
        lease: LeaseId,
    },
    Compact {
        at: Revision,
    },
    /// What a member is to be told to be.
    Announce {
        member: MemberId,
        attributes: Attributes,
    },
}

/// The control group's part of a transaction: the leases that die at the revision that deletes their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFragment {
    pub epoch: Epoch,
    pub revision: Revision,
    pub groups: u32,
    pub revoked: Vec<LeaseId>,
}

const FENCE: u8 = 1;
const OPEN: u8 = 2;
const SHARDS: u8 = 3;
const GRANT: u8 = 4;
const REVOKE: u8 = 5;
const COMPACT: u8 = 6;
const FRAGMENT: u8 = 7;
const ANNOUNCE: u8 = 8;

impl ControlEntry {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut buffer = Vec::new();
        match self {
            ControlEntry::Fence(epoch) => {
                buffer.put_u8(FENCE);
                put_epoch(&mut buffer, *epoch);
            }
            ControlEntry::Open(open) => {
                buffer.put_u8(OPEN);
                put_epoch(&mut buffer, open.epoch);
                buffer.put_i64(open.base.0);
            }
            ControlEntry::Record(record) => record.encode(&mut buffer),
            ControlEntry::Fragment(fragment) => {
                buffer.put_u8(FRAGMENT);
                put_epoch(&mut buffer, fragment.epoch);
                buffer.put_i64(fragment.revision.0);
                buffer.put_u32(fragment.groups);
                buffer.put_count(fragment.revoked.len());
                fragment.revoked.iter().for_each(|lease| buffer.put_i64(lease.0));
            }
        }
        buffer
    }

    pub fn decode(bytes: Bytes) -> Result<ControlEntry, Malformed> {
        let mut reader = Reader::new(bytes);
        let entry = match reader.u8("control entry kind")? {
            FENCE => ControlEntry::Fence(epoch(&mut reader)?),
            OPEN => ControlEntry::Open(Open { epoch: epoch(&mut reader)?, base: Revision(reader.i64("base")?) }),
            SHARDS => ControlEntry::Record(Record::Shards(reader.u32("number of shards")?)),
            GRANT => ControlEntry::Record(Record::Grant {
                lease: LeaseId(reader.i64("lease")?),
                ttl_seconds: reader.i64("time to live")?,
            }),
            REVOKE => ControlEntry::Record(Record::Revoke { lease: LeaseId(reader.i64("lease")?) }),
            COMPACT => ControlEntry::Record(Record::Compact { at: Revision(reader.i64("revision")?) }),
            FRAGMENT => ControlEntry::Fragment(fragment(&mut reader)?),
            ANNOUNCE => ControlEntry::Record(Record::Announce {
                member: MemberId(reader.u64("member")?),
                attributes: Attributes::decode(&mut reader)?,
            }),
            _ => return Err(Malformed("control entry kind")),
        };
        reader.end("end of control entry")?;
        Ok(entry)
    }
}

impl Record {
    fn encode(&self, buffer: &mut Vec<u8>) {
        match self {
            Record::Shards(number) => {
                buffer.put_u8(SHARDS);
                buffer.put_u32(*number);
            }
            Record::Grant { lease, ttl_seconds } => {
                buffer.put_u8(GRANT);
                buffer.put_i64(lease.0);
                buffer.put_i64(*ttl_seconds);
            }
            Record::Revoke { lease } => {
                buffer.put_u8(REVOKE);
                buffer.put_i64(lease.0);
            }
            Record::Compact { at } => {
                buffer.put_u8(COMPACT);
                buffer.put_i64(at.0);
            }
            Record::Announce { member, attributes } => {
                buffer.put_u8(ANNOUNCE);
                buffer.put_u64(member.0);
                attributes.encode(buffer);
            }
        }
    }
}

fn put_epoch(buffer: &mut Vec<u8>, epoch: Epoch) {
    buffer.put_u64(epoch.term.0);
    buffer.put_u32(epoch.attempt);
}

fn epoch(reader: &mut Reader) -> Result<Epoch, Malformed> {
    Ok(Epoch { term: Term(reader.u64("epoch term")?), attempt: reader.u32("epoch attempt")? })
}

fn fragment(reader: &mut Reader) -> Result<ControlFragment, Malformed> {
    let epoch = epoch(reader)?;
    let revision = Revision(reader.i64("revision")?);
    let groups = reader.u32("number of groups")?;
    let count = reader.count(8, "number of leases")?;
    let revoked = (0..count).map(|_| reader.i64("lease").map(LeaseId)).collect::<Result<_, _>>()?;
    Ok(ControlFragment { epoch, revision, groups, revoked })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Epoch = Epoch { term: Term(2), attempt: 1 };

    fn entries() -> Vec<ControlEntry> {
        vec![
            ControlEntry::Fence(EPOCH),
            ControlEntry::Open(Open { epoch: EPOCH, base: Revision(5) }),
            ControlEntry::Record(Record::Shards(4)),
            ControlEntry::Record(Record::Grant { lease: LeaseId(7), ttl_seconds: 60 }),
            ControlEntry::Record(Record::Revoke { lease: LeaseId(7) }),
            ControlEntry::Record(Record::Compact { at: Revision(3) }),
            ControlEntry::Record(Record::Announce {
                member: MemberId(9),
                attributes: Attributes { name: "a".to_owned(), client_urls: vec!["u".to_owned(), String::new()] },
            }),
            ControlEntry::Fragment(ControlFragment {
                epoch: EPOCH,
                revision: Revision(6),
                groups: 2,
                revoked: vec![LeaseId(7), LeaseId(8)],
            }),
        ]
    }

    #[test]
    fn entries_round_trip() {
        for entry in entries() {
            assert_eq!(ControlEntry::decode(entry.encode().into()), Ok(entry));
        }
    }

    #[test]
    fn every_truncation_is_malformed() {
        for entry in entries() {
            let bytes = entry.encode();
            for length in 0..bytes.len() {
                assert!(ControlEntry::decode(Bytes::copy_from_slice(&bytes[..length])).is_err());
            }
        }
    }

    #[test]
    fn the_format_is_fixed() {
        let open = ControlEntry::Open(Open { epoch: EPOCH, base: Revision(5) });
        assert_eq!(open.encode(), [2, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    }
}
