//! What the core keeps in a checkpoint beside the versions, and how versions go out of a store and in again.
//!
//! A checkpoint holds all shards at one revision R. Its meta part says how the member goes on from there: for each group
//! the cut (the last entry before the first one that may hold something above R that is not known to be void), the newest
//! fence up to there and the voters; the opens that still decide something above R; and the control state at the control
//! group's cut. Pure format, version 1, little-endian:
//!
//! ```text
//! u32 version | i64 compacted | u32 count, i64 compaction... | opens | u32 count, (i64 lease, i64 ttl, u64 granted)...
//! | u32 count, group... | (u64 member, attributes)... to the end
//! attributes: see `control::members`
//! group: u32 group | u64 cut index, cut term | u64 fence's epoch term, u32 attempt, u64 term | u32 count, u64 voter...
//! ```

use crate::clock::{Epoch, Fence, Opens};
use crate::codec::{Malformed, Reader, Write};
use crate::control::members::{Announced, Attributes};
use crate::group::Place;
use bytes::Bytes;
use campanile_storage::checkpoint::{DecodedChunk, Version};
use campanile_storage::error::Error;
use campanile_storage::ids::{GroupId, Index, LeaseId, MemberId, Revision, ShardId, Term};
use campanile_storage::log::Cut;
use campanile_storage::store::{KeyValue, LoadError, Loader, Store};
use std::collections::{BTreeMap, HashMap};

const VERSION: u32 = 1;
const COMPACTION_BYTES: usize = 8;
const LEASE_BYTES: usize = 8 + 8 + 8;
const GROUP_BYTES_MIN: usize = 4 + 8 + 8 + 8 + 4 + 8 + 4;
const VOTER_BYTES: usize = 8;

/// Where one group's log goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupCut {
    pub place: Place,
    /// The group's voters at this place.
    pub voters: Vec<MemberId>,
}

/// How a member goes on from a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// What the stores are compacted at, or [`UNCOMPACTED`](campanile_storage::store::UNCOMPACTED).
    pub compacted: Revision,
    /// Compactions above the checkpoint's revision, in force once their revision is visible.
    pub compactions: Vec<Revision>,
    pub opens: Opens,
    /// Live leases: (id, time to live in seconds, index of the grant).
    pub leases: Vec<(LeaseId, i64, Index)>,
    /// What members had announced of themselves.
    pub announced: Announced,
    /// Every group, the control group too.
    pub groups: BTreeMap<GroupId, GroupCut>,
}

impl Meta {
    /// Where each group's log goes on.
    #[must_use]
    pub fn cuts(&self) -> BTreeMap<GroupId, Cut> {
        self.groups.iter().map(|(&group, cut)| (group, cut.place.cut)).collect()
    }

    /// What becomes of another member's checkpoint on a member whose own logs of some groups begin behind its cuts. `own`
    /// says where those logs begin. What is missing before that is void, or at most at what this member has shown, and
    /// the checkpoint is not below that; so nothing is lost between the two.
    ///
    /// The control state belongs to the place of the control group's log: the later one of a single log has it all.
    pub fn amend(&mut self, own: Meta) {
        if own.groups.contains_key(&GroupId::CONTROL) {
            let compactions = std::iter::once(own.compacted).chain(own.compactions);
            self.compactions = compactions.filter(|at| *at > self.compacted).collect();
            self.opens = own.opens;
            self.leases = own.leases;
            self.announced = own.announced;
        }
        self.groups.extend(own.groups);
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(64 + self.leases.len() * LEASE_BYTES);
        buffer.put_u32(VERSION);
        buffer.put_i64(self.compacted.0);
        buffer.put_count(self.compactions.len());
        self.compactions.iter().for_each(|at| buffer.put_i64(at.0));
        self.opens.encode(&mut buffer);
        buffer.put_count(self.leases.len());
        for (lease, ttl_seconds, granted) in &self.leases {
            buffer.put_i64(lease.0);
            buffer.put_i64(*ttl_seconds);
            buffer.put_u64(granted.0);
        }
        buffer.put_count(self.groups.len());
        for (group, GroupCut { place, voters }) in &self.groups {
            buffer.put_u32(group.0);
            buffer.put_u64(place.cut.index.0);
            buffer.put_u64(place.cut.term.0);
            buffer.put_u64(place.fence.epoch.term.0);
            buffer.put_u32(place.fence.epoch.attempt);
            buffer.put_u64(place.fence.term.0);
            buffer.put_count(voters.len());
            voters.iter().for_each(|voter| buffer.put_u64(voter.0));
        }
        for (member, attributes) in &self.announced {
            buffer.put_u64(member.0);
            attributes.encode(&mut buffer);
        }
        buffer
    }

    /// # Errors
    /// If the bytes are not what [`Meta::encode`] wrote, or of a version that this program does not know.
    pub fn decode(bytes: Bytes) -> Result<Meta, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.u32("version of a checkpoint's meta part")? != VERSION {
            return Err(Malformed("version of a checkpoint's meta part"));
        }
        let compacted = Revision(reader.i64("compacted revision")?);
        let count = reader.count(COMPACTION_BYTES, "number of compactions")?;
        let compactions = (0..count).map(|_| reader.i64("compaction").map(Revision)).collect::<Result<_, _>>()?;
        let opens = Opens::decode(&mut reader)?;
        let count = reader.count(LEASE_BYTES, "number of leases")?;
        let leases = (0..count).map(|_| decode_lease(&mut reader)).collect::<Result<_, _>>()?;
        let count = reader.count(GROUP_BYTES_MIN, "number of groups")?;
        let groups = (0..count).map(|_| decode_group(&mut reader)).collect::<Result<_, _>>()?;
        let mut announced = Announced::new();
        while !reader.is_empty() {
            announced.insert(MemberId(reader.u64("member")?), Attributes::decode(&mut reader)?);
        }
        Ok(Meta { compacted, compactions, opens, leases, announced, groups })
    }
}

fn decode_lease(reader: &mut Reader) -> Result<(LeaseId, i64, Index), Malformed> {
    Ok((LeaseId(reader.i64("lease")?), reader.i64("time to live")?, Index(reader.u64("grant")?)))
}

fn decode_group(reader: &mut Reader) -> Result<(GroupId, GroupCut), Malformed> {
    let group = GroupId(reader.u32("group")?);
    let cut = Cut { index: Index(reader.u64("cut index")?), term: Term(reader.u64("cut term")?) };
    let epoch = Epoch { term: Term(reader.u64("fence's epoch")?), attempt: reader.u32("fence's attempt")? };
    let fence = Fence { epoch, term: Term(reader.u64("fence's term")?) };
    let count = reader.count(VOTER_BYTES, "number of voters")?;
    let voters = (0..count).map(|_| reader.u64("voter").map(MemberId)).collect::<Result<_, _>>()?;
    Ok((group, GroupCut { place: Place { cut, fence }, voters }))
}

/// A version of a store, as a checkpoint packs it.
#[must_use]
pub fn packed(version: &KeyValue) -> Version<'_> {
    Version {
        key: version.key(),
        value: version.value(),
        create_revision: version.create_revision(),
        position: version.position(),
        version: version.version(),
        lease: version.lease(),
        tombstone: version.is_tombstone(),
    }
}

fn unpacked(version: &Version<'_>) -> KeyValue {
    let Version { key, value, create_revision, position, version, lease, tombstone } = *version;
    if tombstone {
        KeyValue::tombstone(key, position)
    } else {
        KeyValue::new(key, value, create_revision, position, version, lease)
    }
}

/// A checkpoint that is whole by its checksums and still makes no sense, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailure {
    #[error(transparent)]
    Storage(#[from] Error),
    #[error("the checkpoint's versions are no store: {0}")]
    Versions(#[from] LoadError),
    #[error("the checkpoint has a {0}")]
    Meta(#[from] Malformed),
    #[error("the checkpoint holds a chunk of shard {0}, which is none of the cluster's")]
    UnknownShard(ShardId),
}

/// Builds the stores of all shards from a checkpoint's chunks, as they come.
#[derive(Debug)]
pub struct StoreLoader {
    loaders: Vec<Loader>,
}

impl StoreLoader {
    /// Stores for so many shards, compacted at this revision.
    #[must_use]
    pub fn new(shards: u32, compacted: Revision) -> StoreLoader {
        StoreLoader { loaders: (0..shards).map(|_| Loader::new(compacted)).collect() }
    }

    /// Takes the next chunk of any shard.
    ///
    /// # Errors
    /// If its versions are not readable, or not behind those before.
    pub fn add(&mut self, chunk: &DecodedChunk) -> Result<(), LoadFailure> {
        let shard = chunk.shard();
        let loader = self.loaders.get_mut(shard.0 as usize).ok_or(LoadFailure::UnknownShard(shard))?;
        for version in chunk.versions() {
            loader.push(unpacked(&version?))?;
        }
        Ok(())
    }

    /// The stores.
    ///
    /// # Errors
    /// If two versions of a shard have one position.
    pub fn finish(self) -> Result<HashMap<ShardId, Store>, LoadFailure> {
        let stores = (0..).map(ShardId).zip(self.loaders);
        stores.map(|(shard, loader)| Ok((shard, loader.finish()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::opens::Open;
    use campanile_storage::store::UNCOMPACTED;

    fn sample() -> Meta {
        let epoch = Epoch { term: Term(2), attempt: 1 };
        let mut opens = Opens::default();
        opens.push(Open { epoch, base: Revision(5) });
        let place = Place { cut: Cut { index: Index(9), term: Term(3) }, fence: Fence { epoch, term: Term(3) } };
        Meta {
            compacted: UNCOMPACTED,
            compactions: vec![Revision(8)],
            opens,
            leases: vec![(LeaseId(7), 60, Index(4))],
            announced: Announced::from([(
                MemberId(1),
                Attributes { name: "a".to_owned(), client_urls: vec!["u".to_owned()] },
            )]),
            groups: BTreeMap::from([(GroupId(1), GroupCut { place, voters: vec![MemberId(1)] })]),
        }
    }

    #[test]
    fn golden() {
        let hexadecimal: String = sample().encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hexadecimal,
            concat!(
                "01000000",
                "ffffffffffffffff",
                "01000000",
                "0800000000000000",
                "01000000",
                "0200000000000000",
                "01000000",
                "0500000000000000",
                "01000000",
                "0700000000000000",
                "3c00000000000000",
                "0400000000000000",
                "01000000",
                "01000000",
                "0900000000000000",
                "0300000000000000",
                "0200000000000000",
                "01000000",
                "0300000000000000",
                "01000000",
                "0100000000000000",
                "0100000000000000",
                "0100000061",
                "01000000",
                "0100000075",
            )
        );
    }

    fn cut(index: u64) -> GroupCut {
        let cut = Cut { index: Index(index), term: Term(3) };
        GroupCut { place: Place { cut, ..Place::default() }, voters: vec![MemberId(1)] }
    }

    #[test]
    fn a_group_whose_own_log_begins_later_goes_on_from_there() {
        let mut meta = sample();
        let own = Meta { groups: BTreeMap::from([(GroupId(2), cut(20))]), leases: Vec::new(), ..sample() };
        meta.amend(own);
        assert_eq!(
            meta.groups,
            BTreeMap::from([(GroupId(1), sample().groups[&GroupId(1)].clone()), (GroupId(2), cut(20))])
        );
        assert_eq!(meta.leases, sample().leases, "the control group's place is the checkpoint's");
    }

    #[test]
    fn the_control_state_goes_with_the_control_groups_place() {
        let mut meta = Meta { compacted: Revision(6), ..sample() };
        let own = Meta {
            compacted: Revision(5),
            compactions: vec![Revision(6), Revision(11)],
            opens: Opens::default(),
            leases: Vec::new(),
            announced: Announced::new(),
            groups: BTreeMap::from([(GroupId::CONTROL, cut(20))]),
        };
        meta.amend(own.clone());
        assert_eq!((meta.compacted, meta.compactions), (Revision(6), vec![Revision(11)]));
        assert_eq!((meta.opens, meta.leases), (own.opens.clone(), own.leases.clone()));
        assert_eq!(meta.announced, own.announced);
        // What the checkpoint's stores do not have of a compaction is made up for.
        let mut meta = sample();
        meta.amend(own);
        assert_eq!((meta.compacted, meta.compactions), (UNCOMPACTED, vec![Revision(5), Revision(6), Revision(11)]));
    }

    #[test]
    fn comes_back_as_it_went_and_every_truncation_is_malformed() {
        let encoded = sample().encode();
        assert_eq!(Meta::decode(encoded.clone().into()), Ok(sample()));
        let silent = Meta { announced: Announced::new(), ..sample() };
        for length in 0..encoded.len() {
            let decoded = Meta::decode(Bytes::copy_from_slice(&encoded[..length]));
            assert!(decoded.is_err() || length == silent.encode().len(), "{length}: {decoded:?}");
        }
        assert_eq!(Meta::decode(silent.encode().into()), Ok(silent));
    }
}
