//! The marker of a data directory: which cluster and member it belongs to, and that it is one of ours at all.
//!
//! ```text
//! file `campanile.directory`: 8 magic "CAMPADIR", 4 version of the directory's layout, 4 shards, 8 cluster id,
//! 8 member id, 4 crc32c of the 32 bytes before; zeros up to a whole block
//! ```
//! The number of shards is 0 until the cluster has decided it.

use std::path::Path;

use bytes::BufMut;

use crate::bounds::{BLOCK_BYTES, SHARDS_MAX};
use crate::codec::{Fields, Malformed};
use crate::disk::{Access, Disk, File};
use crate::error::{Error, Result};
use crate::ids::MemberId;

const NAME: &str = "campanile.directory";
const UNFINISHED_NAME: &str = "campanile.directory.unfinished";
const MAGIC: [u8; 8] = *b"CAMPADIR";
const VERSION: u32 = 1;
const CHECKED_BYTES: usize = 32;

/// Whose a data directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    pub cluster: u64,
    pub member: MemberId,
    /// Shards of the cluster; 0 while this member does not know.
    pub shards: u32,
}

impl Marker {
    /// Reads the marker of a data directory; an empty one has none.
    ///
    /// # Errors
    /// [`Error::Foreign`] if the directory is etcd's, or has somebody else's files in it; [`Error::Corrupt`] if the
    /// marker is damaged; those of the disk.
    pub async fn read<D: Disk>(disk: &D, directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(NAME);
        if disk.exists(&path).await? {
            // A killed process may have left a name that is seen but not durable; nothing may be built on that.
            disk.sync_directory(directory).await?;
            let bytes = disk.open(&path, Access::Read).await?.read(0, BLOCK_BYTES).await?;
            return Marker::decode(&bytes).map(Some).map_err(|what| Error::corrupt(&path, 0, what));
        }
        refuse_etcd(disk, directory).await?;
        let ours_or_nobodys =
            |name: &String| name.starts_with("campanile.") || name == "lost+found" || name.starts_with('.');
        match disk.list(directory).await?.iter().find(|name| !ours_or_nobodys(name)) {
            Some(name) => Err(Error::Foreign {
                path: directory.to_owned(),
                what: format!("this is no data directory of Campanile, but it has {name} in it; name an empty one"),
            }),
            None => Ok(None),
        }
    }

    /// Writes the marker, durably and as a whole.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn write<D: Disk>(&self, disk: &D, directory: &Path) -> Result<()> {
        let unfinished = directory.join(UNFINISHED_NAME);
        if disk.exists(&unfinished).await? {
            disk.remove(&unfinished).await?;
        }
        let file = disk.create(&unfinished, Access::Write).await?;
        let mut block = file.buffer(BLOCK_BYTES);
        block.as_mut().put_slice(&self.encode());
        file.write(block, 0).await?;
        file.sync().await?;
        disk.rename(&unfinished, &directory.join(NAME)).await?;
        disk.sync_directory(directory).await
    }

    /// Checks that a directory belongs to this member of this cluster.
    ///
    /// # Errors
    /// [`Error::Foreign`], with both names.
    pub fn check(&self, directory: &Path, cluster: u64, member: MemberId) -> Result<()> {
        let what = if self.cluster != cluster {
            format!("it belongs to cluster {:x}, not to cluster {cluster:x}", self.cluster)
        } else if self.member != member {
            format!("it belongs to member {:x}, not to member {:x}", self.member.0, member.0)
        } else {
            return Ok(());
        };
        Err(Error::Foreign { path: directory.to_owned(), what })
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CHECKED_BYTES + 4);
        bytes.put_slice(&MAGIC);
        bytes.put_u32_le(VERSION);
        bytes.put_u32_le(self.shards);
        bytes.put_u64_le(self.cluster);
        bytes.put_u64_le(self.member.0);
        let checksum = crc32c::crc32c(&bytes);
        bytes.put_u32_le(checksum);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(bytes);
        let checked = fields.take(CHECKED_BYTES)?;
        if fields.u32()? != crc32c::crc32c(checked) {
            return Err("the marker of the data directory has a wrong checksum");
        }
        let mut fields = Fields::new(checked);
        if fields.take(MAGIC.len())? != MAGIC {
            return Err("this is no marker of a data directory");
        }
        if fields.u32()? != VERSION {
            return Err("the data directory is of a version that this program does not know");
        }
        let shards = fields.length(SHARDS_MAX, "the marker has more shards than a cluster can have")? as u32;
        Ok(Marker { shards, cluster: fields.u64()?, member: MemberId(fields.u64()?) })
    }
}

/// A data directory of etcd has `member/wal` and `member/snap/db`.
async fn refuse_etcd<D: Disk>(disk: &D, directory: &Path) -> Result<()> {
    let member = directory.join("member");
    for sign in [member.join("wal"), member.join("snap").join("db")] {
        if disk.exists(&sign).await? {
            let what = format!(
                "this is a data directory of etcd ({} is there), and its files mean nothing to Campanile; \
                 name an empty directory, and copy the keys with a client",
                sign.display()
            );
            return Err(Error::Foreign { path: directory.to_owned(), what });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::{Crash, SimulatedDisk, data_directory, run};

    const SAMPLE: Marker = Marker { cluster: 0xcafe, member: MemberId(0xbeef), shards: 4 };

    #[test]
    fn golden() {
        let hexadecimal: String = SAMPLE.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hexadecimal,
            concat!("43414d5041444952", "01000000", "04000000", "feca000000000000", "efbe000000000000", "ec458ce7")
        );
    }

    #[test]
    fn damage_is_found() {
        for bit in 0..SAMPLE.encode().len() * 8 {
            let mut damaged = SAMPLE.encode();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Marker::decode(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn is_written_as_a_whole_or_not_at_all() {
        for operation in 1.. {
            let directory = data_directory();
            let disk = SimulatedDisk::new(operation, &directory);
            disk.crash_at(operation, Crash::Power);
            let written = run(SAMPLE.write(&disk, &directory));
            let crashed = disk.has_crashed();
            disk.crash(Crash::Power);
            disk.restart();
            let found = run(Marker::read(&disk, &directory)).expect("it can be read");
            assert!(found == Some(SAMPLE) || (found.is_none() && written.is_err()), "operation {operation}");
            if !crashed {
                break;
            }
        }
    }

    #[test]
    fn says_whose_a_directory_is() {
        let directory = data_directory();
        assert!(SAMPLE.check(&directory, 0xcafe, MemberId(0xbeef)).is_ok());
        let other = SAMPLE.check(&directory, 0xcaff, MemberId(0xbeef)).expect_err("another cluster");
        assert_eq!(other.to_string(), "/data: it belongs to cluster cafe, not to cluster caff");
        let other = SAMPLE.check(&directory, 0xcafe, MemberId(1)).expect_err("another member");
        assert_eq!(other.to_string(), "/data: it belongs to member beef, not to member 1");
    }

    #[test]
    fn recognises_etcd_and_strangers() {
        let directory = data_directory();
        let disk = SimulatedDisk::new(1, &directory);
        assert!(run(Marker::read(&disk, &directory)).expect("an empty directory").is_none());
        run(disk.create_directory(&directory.join("member"))).expect("room");
        let stranger = run(Marker::read(&disk, &directory)).expect_err("not ours");
        assert!(stranger.to_string().contains("has member in it"), "{stranger}");
        run(disk.create_directory(&directory.join("member/wal"))).expect("room");
        let etcd = run(Marker::read(&disk, &directory)).expect_err("etcd's");
        assert!(etcd.to_string().contains("data directory of etcd"), "{etcd}");
    }
}
