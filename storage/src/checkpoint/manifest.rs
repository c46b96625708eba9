//! The manifest: the one small file of a member that says which checkpoint is live and where every group's log begins.
//!
//! It is replaced as a whole (written beside, synced, renamed, directory synced), and so is the only place where
//! several logs change together. Making a checkpoint live, and installing one that another member sent, are the same
//! step; they differ in the states they are given: [`GroupCursor::cut`](crate::log::GroupCursor::cut) keeps what a
//! group's log has behind the cut, [`GroupCursor::reset`](crate::log::GroupCursor::reset) leaves nothing of it.
//!
//! ```text
//! 8 magic "CAMPAMAN", 4 version, 4 length of all that is checked, 8 sequence, 4 number of standings (live, previous)
//! for each: 8 number of the checkpoint, 8 revision, 4 number of groups
//!     for each: 4 group, 8 cut index, 8 cut term, 8 floor, 8 term, 8 vote         (the commit is the cut's index)
//! 4 crc32c of all before; zeros up to a whole block
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use bytes::BufMut;

use super::keep::Number;
use crate::bounds::GROUPS_MAX;
use crate::codec::{Fields, Malformed, padded};
use crate::disk::{Access, Disk, File};
use crate::error::{Error, Result};
use crate::ids::{GroupId, Index, MemberId, Revision, Term};
use crate::log::{Cut, Floors, GroupState, HardState, Stamp};
use crate::planted::planted;

const NAME: &str = "manifest";
const UNFINISHED_NAME: &str = "manifest.unfinished";
const MAGIC: [u8; 8] = *b"CAMPAMAN";
const VERSION: u32 = 1;
/// Magic, version and length.
const PREFIX_BYTES: usize = 16;
const GROUP_BYTES: usize = 44;
const STANDINGS_MAX: usize = 2;
/// The longest manifest.
const BYTES_MAX: usize = PREFIX_BYTES + 12 + STANDINGS_MAX * (20 + GROUPS_MAX * GROUP_BYTES);

/// A checkpoint, and where the logs go on from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub number: Number,
    pub revision: Revision,
    /// Every group of the member.
    pub groups: Floors,
}

/// What a member has. A new one has nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Counts the manifests that this member wrote.
    pub sequence: u64,
    pub live: Option<Standing>,
    /// The one before, as long as the logs may still reach back to it.
    pub previous: Option<Standing>,
}

impl Manifest {
    /// Reads the manifest of a member; one that never had a checkpoint has none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it is damaged; those of the disk.
    pub async fn read<D: Disk>(disk: &D, data_directory: &Path) -> Result<Self> {
        let path = data_directory.join(NAME);
        if !disk.exists(&path).await? {
            return Ok(Manifest::default());
        }
        // A killed process may have left a name that is seen but not durable; nothing may be built on that.
        disk.sync_directory(data_directory).await?;
        let bytes = disk.open(&path, Access::Read).await?.read(0, padded(BYTES_MAX)).await?;
        Manifest::decode(&bytes).map_err(|what| Error::corrupt(&path, 0, what))
    }

    /// Makes this the member's manifest, durably and as a whole.
    ///
    /// # Errors
    /// Those of the disk. If it is the last step that fails, either manifest may be the one that the next start finds.
    pub async fn write<D: Disk>(&self, disk: &D, data_directory: &Path) -> Result<()> {
        let unfinished = data_directory.join(UNFINISHED_NAME);
        if disk.exists(&unfinished).await? {
            disk.remove(&unfinished).await?;
        }
        let bytes = self.encode();
        let file = disk.create(&unfinished, Access::Write).await?;
        let mut buffer = file.buffer(padded(bytes.len()));
        buffer.as_mut()[..bytes.len()].copy_from_slice(&bytes);
        file.write(buffer, 0).await?;
        if !planted!(ManifestNotSynced) {
            file.sync().await?;
        }
        disk.rename(&unfinished, &data_directory.join(NAME)).await?;
        disk.sync_directory(data_directory).await
    }

    /// The manifest after a checkpoint of one's own.
    ///
    /// # Panics
    /// If a group that was there is missing, or its floor goes back.
    #[must_use]
    pub fn advance(&self, number: Number, revision: Revision, groups: Floors) -> Self {
        let mut next = self.install(number, revision, groups);
        next.previous = self.live.clone();
        next
    }

    /// The manifest after a checkpoint that another member sent. There is no way back from it: a log that was reset
    /// does not reach back to the checkpoint before.
    ///
    /// # Panics
    /// If a group that was there is missing, or its floor goes back.
    #[must_use]
    pub fn install(&self, number: Number, revision: Revision, groups: Floors) -> Self {
        assert!(groups.len() <= GROUPS_MAX, "a member has a bounded number of groups");
        if let Some(live) = &self.live {
            assert!(number > live.number, "numbers count up");
            let kept = |(group, state): (&GroupId, &GroupState)| {
                groups.get(group).is_some_and(|next| next.floor >= state.floor && next.cut.index >= state.cut.index)
            };
            assert!(live.groups.iter().all(kept), "no group is forgotten, and none goes back");
        }
        Manifest { sequence: self.sequence + 1, live: Some(Standing { number, revision, groups }), previous: None }
    }

    /// What to try when the live checkpoint is damaged: the one before. Recovery says whether the logs reach back to it.
    #[must_use]
    pub fn fallback(&self) -> Option<Self> {
        let previous = self.previous.clone()?;
        Some(Manifest { sequence: self.sequence, live: Some(previous), previous: None })
    }

    /// A number for the next checkpoint.
    #[must_use]
    pub fn next_number(&self) -> Number {
        let newest = self.live.iter().chain(&self.previous).map(|standing| standing.number).max();
        newest.map_or(Number(1), |newest| Number(newest.0 + 1))
    }

    /// Where every group's log begins.
    #[must_use]
    pub fn states(&self) -> Floors {
        self.live.as_ref().map_or_else(BTreeMap::new, |live| live.groups.clone())
    }

    /// Whether it names this checkpoint.
    #[must_use]
    pub fn names(&self, number: Number) -> bool {
        self.live.iter().chain(&self.previous).any(|standing| standing.number == number)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_slice(&MAGIC);
        bytes.put_u32_le(VERSION);
        bytes.put_u32_le(0);
        bytes.put_u64_le(self.sequence);
        let standings = || self.live.iter().chain(&self.previous);
        bytes.put_u32_le(standings().count() as u32);
        for standing in standings() {
            bytes.put_u64_le(standing.number.0);
            bytes.put_i64_le(standing.revision.0);
            bytes.put_u32_le(standing.groups.len() as u32);
            for (group, state) in &standing.groups {
                assert_eq!(state.hard_state.commit, state.cut.index, "a group's state is the one at its cut");
                bytes.put_u32_le(group.0);
                bytes.put_u64_le(state.cut.index.0);
                bytes.put_u64_le(state.cut.term.0);
                bytes.put_u64_le(state.floor.0);
                bytes.put_u64_le(state.hard_state.term.0);
                bytes.put_u64_le(state.hard_state.vote.0);
            }
        }
        let length = bytes.len() as u32;
        bytes[PREFIX_BYTES - 4..PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes.put_u32_le(checksum);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut prefix = Fields::new(bytes);
        if prefix.take(MAGIC.len())? != MAGIC {
            return Err("this is no manifest");
        }
        if prefix.u32()? != VERSION {
            return Err("the manifest is of a version that this program does not know, or damaged");
        }
        let length = prefix.length(BYTES_MAX, "the manifest is too long")?;
        let mut fields = Fields::new(bytes);
        let checked = fields.take(length)?;
        if fields.u32()? != crc32c::crc32c(checked) {
            return Err("the manifest has a wrong checksum");
        }
        let mut fields = Fields::new(checked);
        fields.take(PREFIX_BYTES)?;
        let sequence = fields.u64()?;
        let count = fields.length(STANDINGS_MAX, "the manifest names too many checkpoints")?;
        let mut standings =
            (0..count).map(|_| decode_standing(&mut fields)).collect::<Result<Vec<_>, _>>()?.into_iter();
        fields.finish()?;
        Ok(Manifest { sequence, live: standings.next(), previous: standings.next() })
    }
}

fn decode_standing(fields: &mut Fields<'_>) -> Result<Standing, Malformed> {
    let number = Number(fields.u64()?);
    let revision = Revision(fields.i64()?);
    let count = fields.length(GROUPS_MAX, "the manifest names too many groups")?;
    let mut groups = BTreeMap::new();
    for _ in 0..count {
        let group = GroupId(fields.u32()?);
        let index = Index(fields.u64()?);
        let cut = Cut { index, term: Term(fields.u64()?) };
        let floor = Stamp(fields.u64()?);
        let term = Term(fields.u64()?);
        let hard_state = HardState { term, vote: MemberId(fields.u64()?), commit: index };
        if groups.insert(group, GroupState { cut, floor, hard_state }).is_some() {
            return Err("the manifest names a group twice");
        }
    }
    Ok(Standing { number, revision, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(index: u64, floor: u64) -> GroupState {
        GroupState {
            cut: Cut { index: Index(index), term: Term(2) },
            floor: Stamp(floor),
            hard_state: HardState { term: Term(3), vote: MemberId(4), commit: Index(index) },
        }
    }

    fn sample() -> Manifest {
        let first = Floors::from([(GroupId(1), state(5, 6))]);
        let second = Floors::from([(GroupId(0), state(0, 1)), (GroupId(1), state(7, 8))]);
        Manifest::default().advance(Number(1), Revision(10), first).advance(Number(2), Revision(20), second)
    }

    #[test]
    fn golden() {
        let mut one = sample();
        one.live = one.previous.take();
        let hexadecimal: String = one.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hexadecimal,
            concat!(
                "43414d50414d414e",
                "01000000",
                "5c000000",
                "0200000000000000",
                "01000000",
                "0100000000000000",
                "0a00000000000000",
                "01000000",
                "01000000",
                "0500000000000000",
                "0200000000000000",
                "0600000000000000",
                "0300000000000000",
                "0400000000000000",
                "492e2aa1",
            )
        );
    }

    #[test]
    fn comes_back_as_it_went_and_damage_is_found() {
        let encoded = sample().encode();
        assert_eq!(Manifest::decode(&encoded), Ok(sample()));
        for bit in 0..encoded.len() * 8 {
            let mut damaged = encoded.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..encoded.len() {
            assert!(Manifest::decode(&encoded[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn an_installed_checkpoint_has_no_way_back() {
        let groups = Floors::from([(GroupId(0), state(1, 2)), (GroupId(1), state(9, 9))]);
        assert!(sample().fallback().is_some());
        let installed = sample().install(Number(3), Revision(30), groups);
        assert_eq!(installed.fallback(), None);
        assert_eq!(installed.next_number(), Number(4));
    }
}
