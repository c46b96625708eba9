//! A small file beside a checkpoint that another member sent: the meta part that counts in place of the checkpoint's own.
//!
//! It is written before the manifest that names the checkpoint, comes to life with it, and goes with it. That it is missing
//! or another one's is noticed: the manifest has the cuts of every group, and so has the meta part.
//!
//! ```text
//! 8 magic "CAMPAMND", 4 version, 4 length of the meta part, 8 number of the checkpoint, the meta part,
//! 4 crc32c of all before; zeros up to a whole block
//! ```

use std::path::Path;

use bytes::{BufMut, Bytes};

use super::keep::{Number, amendment_path};
use crate::bounds::META_BYTES_MAX;
use crate::codec::{Fields, Malformed, padded};
use crate::disk::{Access, Disk, File};
use crate::error::{Error, Result};

const MAGIC: [u8; 8] = *b"CAMPAMND";
const VERSION: u32 = 1;
const PREFIX_BYTES: usize = 24;
const CHECKSUM_BYTES: usize = 4;
const BYTES_MAX: usize = PREFIX_BYTES + META_BYTES_MAX + CHECKSUM_BYTES;

/// Writes it durably, name and all.
///
/// # Errors
/// [`Error::TooLarge`] if the meta part is; those of the disk.
pub async fn write_amendment<D: Disk>(disk: &D, data_directory: &Path, number: Number, meta: &[u8]) -> Result<()> {
    if meta.len() > META_BYTES_MAX {
        let (bytes, limit) = (meta.len() as u64, META_BYTES_MAX as u64);
        return Err(Error::TooLarge { what: "the amended meta part of a checkpoint", bytes, limit });
    }
    let path = amendment_path(data_directory, number);
    if disk.exists(&path).await? {
        disk.remove(&path).await?;
    }
    let bytes = encode(number, meta);
    let file = disk.create(&path, Access::Write).await?;
    let mut buffer = file.buffer(padded(bytes.len()));
    buffer.as_mut()[..bytes.len()].copy_from_slice(&bytes);
    file.write(buffer, 0).await?;
    file.sync().await?;
    disk.sync_directory(path.parent().expect("checkpoints have a directory")).await
}

/// Reads the amendment of a checkpoint, if it has one.
///
/// # Errors
/// [`Error::Corrupt`] if it is damaged; those of the disk.
pub async fn read_amendment<D: Disk>(disk: &D, data_directory: &Path, number: Number) -> Result<Option<Bytes>> {
    let path = amendment_path(data_directory, number);
    if !disk.exists(&path).await? {
        return Ok(None);
    }
    let file = disk.open(&path, Access::Read).await?;
    let length = file.size().await?.min(padded(BYTES_MAX) as u64) as usize;
    let bytes = file.read(0, length).await?;
    match decode(number, &bytes) {
        Ok(meta) => Ok(Some(bytes.slice_ref(meta))),
        Err(what) => Err(Error::corrupt(&path, 0, what)),
    }
}

fn encode(number: Number, meta: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + meta.len() + CHECKSUM_BYTES);
    bytes.put_slice(&MAGIC);
    bytes.put_u32_le(VERSION);
    bytes.put_u32_le(meta.len() as u32);
    bytes.put_u64_le(number.0);
    bytes.put_slice(meta);
    bytes.put_u32_le(crc32c::crc32c(&bytes));
    bytes
}

fn decode(number: Number, bytes: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = Fields::new(bytes);
    if fields.take(MAGIC.len())? != MAGIC {
        return Err("this is no amendment of a checkpoint");
    }
    if fields.u32()? != VERSION {
        return Err("the amendment is of a version that this program does not know, or damaged");
    }
    let length = fields.length(META_BYTES_MAX, "the amendment is longer than is allowed")?;
    let named = Number(fields.u64()?);
    let meta = fields.take(length)?;
    if fields.u32()? != crc32c::crc32c(&bytes[..PREFIX_BYTES + length]) {
        return Err("the amendment has a wrong checksum");
    }
    if named == number { Ok(meta) } else { Err("it is the amendment of another checkpoint") }
}

#[cfg(test)]
mod tests {
    use super::super::{Manifest, create_directory, remove_older, tidy};
    use super::*;
    use crate::disk::simulated::{Crash, SimulatedDisk, data_directory, run};
    use crate::ids::Revision;
    use crate::log::Floors;

    #[test]
    fn golden() {
        let hexadecimal: String = encode(Number(3), b"meta").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hexadecimal, "43414d50414d4e44010000000400000003000000000000006d657461ab96cb32");
    }

    #[test]
    fn comes_back_as_it_went_and_every_change_is_noticed() {
        let mut bytes = encode(Number(3), b"meta");
        assert_eq!(decode(Number(3), &bytes), Ok(&b"meta"[..]));
        assert!(decode(Number(4), &bytes).is_err());
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            assert!(decode(Number(3), &bytes).is_err(), "byte {at}");
            bytes[at] ^= 0x10;
            assert!(decode(Number(3), &bytes[..at]).is_err(), "cut off at {at}");
        }
    }

    #[test]
    fn stays_as_long_as_its_checkpoint_is_named() {
        let (disk, directory) = (SimulatedDisk::new(1, &data_directory()), data_directory());
        let read = |number| run(read_amendment(&disk, &directory, number)).expect("it can be read");
        run(create_directory(&disk, &directory)).expect("nothing fails");
        for number in 1..4 {
            run(write_amendment(&disk, &directory, Number(number), &[number as u8])).expect("it can be written");
        }
        let second = Manifest::default().install(Number(2), Revision(7), Floors::new());
        run(remove_older(&disk, &directory, &second)).expect("nothing fails");
        assert_eq!([1, 2, 3].map(|number| read(Number(number)).is_some()), [false, true, true]);
        run(tidy(&disk, &directory, &second)).expect("nothing fails");
        assert_eq!([1, 2, 3].map(|number| read(Number(number)).is_some()), [false, true, false]);
        assert_eq!(read(Number(2)).as_deref(), Some(&[2][..]));
    }

    /// Crashes at every operation between the first byte of the amendment and the manifest that names its checkpoint.
    #[test]
    fn comes_to_life_with_its_checkpoint_or_not_at_all() {
        for how in [Crash::Power, Crash::Process] {
            for operation in 1.. {
                let (disk, directory) = (SimulatedDisk::new(operation, &data_directory()), data_directory());
                run(create_directory(&disk, &directory)).expect("nothing fails yet");
                let old = Manifest::default().advance(Number(1), Revision(5), Floors::new());
                run(old.write(&disk, &directory)).expect("live");
                disk.crash_at(disk.operations() + operation, how);
                let new = old.install(Number(2), Revision(9), Floors::new());
                let done = run(async {
                    write_amendment(&disk, &directory, Number(2), b"meta").await?;
                    new.write(&disk, &directory).await
                });
                let crashed = disk.has_crashed();
                disk.crash(Crash::Power);
                disk.restart();
                let found = run(Manifest::read(&disk, &directory)).expect("whole");
                assert!(found == new || (found == old && done.is_err()), "operation {operation}");
                run(tidy(&disk, &directory, &found)).expect("tidied");
                let amendment = run(read_amendment(&disk, &directory, Number(2))).expect("whole, or not there");
                assert_eq!(amendment.is_some(), found == new, "operation {operation}");
                if !crashed {
                    break;
                }
            }
        }
    }
}
