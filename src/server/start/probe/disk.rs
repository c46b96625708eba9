//! Whether a directory takes direct writes that are durable by themselves: O_DIRECT, with RWF_DSYNC.
//!
//! File systems in memory take both in silence and keep nothing, so the kind of file system is asked as well.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, statfs};
use rustix::io::{Errno, ReadWriteFlags, pwritev2};

use super::limits::Caution;

/// The alignment that direct writes have on every disk that the log knows of.
const BLOCK_BYTES: usize = 4096;

/// File systems that forget (linux/magic.h).
const IN_MEMORY: &[(u64, &str)] = &[(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];
/// File systems whose durability is somebody else's word.
const REMOTE: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
];

/// Why a directory cannot hold a log.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error("{} is on {kind}, which is memory: what is written there does not survive; choose a directory on a disk \
             (--data-dir, --wal-dir)", directory.display())]
    InMemory { directory: PathBuf, kind: &'static str },
    #[error("{} is on a file system that takes no direct writes (O_DIRECT); choose a directory on ext4, xfs or another \
             file system that does (--data-dir, --wal-dir)", directory.display())]
    NoDirectWrites { directory: PathBuf },
    #[error("{} is on a file system that takes no durable writes (RWF_DSYNC); choose a directory on ext4 or xfs \
             (--data-dir, --wal-dir)", directory.display())]
    NoDurableWrites { directory: PathBuf },
    #[error("cannot write to {}: {error}; make room, or let this user write there", directory.display())]
    Unusable { directory: PathBuf, error: io::Error },
}

/// One aligned block.
#[repr(C, align(4096))]
struct Block([u8; BLOCK_BYTES]);

/// A file that is removed in the end.
struct ProbeFile {
    path: PathBuf,
    file: File,
}

impl Drop for ProbeFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes one block as the log will.
pub(super) fn check(directory: &Path) -> Result<Option<Caution>, DiskError> {
    let unusable = |error: io::Error| DiskError::Unusable { directory: directory.to_owned(), error };
    let status = statfs(directory).map_err(|errno| unusable(errno.into()))?;
    // The type's sign and width differ between architectures; the magic numbers have 32 bits.
    let magic = status.f_type as u64 & 0xffff_ffff;
    if let Some(kind) = name_of(IN_MEMORY, magic) {
        return Err(DiskError::InMemory { directory: directory.to_owned(), kind });
    }
    let path = directory.join(format!(".probe-{}", std::process::id()));
    let flags = i32::try_from(OFlags::DIRECT.bits()).expect("open flags are small");
    let open = OpenOptions::new().write(true).create_new(true).custom_flags(flags).open(&path);
    let file = match open {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
            // The kernel has made the file before it found that it cannot be opened so.
            let _ = fs::remove_file(&path);
            return Err(DiskError::NoDirectWrites { directory: directory.to_owned() });
        }
        Err(error) => return Err(unusable(error)),
    };
    let probe = ProbeFile { path, file };
    let block = Block([0; BLOCK_BYTES]);
    match pwritev2(&probe.file, &[IoSlice::new(&block.0)], 0, ReadWriteFlags::DSYNC) {
        Ok(BLOCK_BYTES) => {}
        Ok(_) => return Err(unusable(io::Error::from(io::ErrorKind::WriteZero))),
        Err(Errno::INVAL) => return Err(DiskError::NoDirectWrites { directory: directory.to_owned() }),
        Err(Errno::OPNOTSUPP) => return Err(DiskError::NoDurableWrites { directory: directory.to_owned() }),
        Err(errno) => return Err(unusable(errno.into())),
    }
    let remote = name_of(REMOTE, magic);
    Ok(remote.map(|kind| Caution::RemoteDisk { directory: directory.display().to_string(), kind }))
}

fn name_of(kinds: &[(u64, &'static str)], magic: u64) -> Option<&'static str> {
    kinds.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::probe::tests::Scratch;

    #[test]
    fn memory_is_no_disk() {
        let directory = Path::new("/dev/shm");
        if directory.is_dir() {
            let refusal = check(directory).unwrap_err().to_string();
            assert!(refusal.starts_with("/dev/shm is on tmpfs, which is memory"), "{refusal}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let refusal = check(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(refusal.starts_with("cannot write to /nonexistent: No such file"), "{refusal}");
    }

    #[test]
    fn nothing_is_left_behind() {
        let scratch = Scratch::new();
        let _ = check(scratch.path());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
