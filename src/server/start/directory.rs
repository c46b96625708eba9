//! The data directory: made if it is missing, held by one process at a time.
//!
//! The lock is `flock` on a file that also names the holder's pid. The kernel drops it with the process, however that
//! ends, so that no stale lock is ever in the way. Never looks at the data.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The file that is locked, inside the data directory.
const LOCK_FILE: &str = "campanile.lock";
/// Only the server's own user reads its data; etcd's mode too.
const DIRECTORY_MODE: u32 = 0o700;
const LOCK_FILE_MODE: u32 = 0o600;
/// A pid and a line's end need far less.
const LOCK_FILE_BYTES_MAX: u64 = 64;

/// Why the data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It cannot be made or opened.
    #[error("data directory {}: {error}; give --data-dir a directory that this user may write to", path.display())]
    Unusable { path: PathBuf, error: io::Error },
    /// Another process has it.
    #[error("data directory {} is in use by {}; stop that process, or give this one its own --data-dir",
        path.display(), match pid { Some(pid) => format!("the process with pid {pid}"), None => "another process".to_owned() })]
    InUse { path: PathBuf, pid: Option<u32> },
}

/// The data directory, and the lock on it for as long as this value lives.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory if it is missing, and locks it.
    ///
    /// # Errors
    /// If it cannot be made or written to, or another process holds it.
    pub fn open(path: &Path) -> Result<DataDirectory, DirectoryError> {
        let unusable = |error: io::Error| DirectoryError::Unusable { path: path.to_owned(), error };
        make_directory(path).map_err(unusable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(LOCK_FILE_MODE)
            .open(path.join(LOCK_FILE))
            .map_err(unusable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(DirectoryError::InUse { path: path.to_owned(), pid: read_pid(&mut file) });
            }
            Err(error) => return Err(unusable(error.into())),
        }
        write_pid(&mut file).map_err(unusable)?;
        Ok(DataDirectory { path: path.to_owned(), _lock: file })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a directory, and those above it, for this user alone. One that exists keeps its mode.
///
/// # Errors
/// If it cannot be made, or something else has its name.
pub fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(LOCK_FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::probe::tests::Scratch;

    #[test]
    fn the_second_start_learns_who_is_first() {
        let scratch = Scratch::new();
        let path = scratch.path().join("deep/down");
        let first = DataDirectory::open(&path).unwrap();
        let refusal = DataDirectory::open(&path).unwrap_err();
        assert!(matches!(refusal, DirectoryError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
        assert!(refusal.to_string().contains(&format!("in use by the process with pid {}", std::process::id())));
        drop(first);
        assert_eq!(DataDirectory::open(&path).unwrap().path(), path);
    }

    #[test]
    fn a_lock_file_of_nonsense_names_nobody() {
        let scratch = Scratch::new();
        let _held = DataDirectory::open(scratch.path()).unwrap();
        std::fs::write(scratch.path().join(LOCK_FILE), [0xff; 100]).unwrap();
        let refusal = DataDirectory::open(scratch.path()).unwrap_err().to_string();
        assert!(refusal.contains("in use by another process"), "{refusal}");
    }

    #[test]
    fn a_file_is_no_directory() {
        let scratch = Scratch::new();
        let path = scratch.path().join("file");
        std::fs::write(&path, "").unwrap();
        assert!(matches!(DataDirectory::open(&path), Err(DirectoryError::Unusable { .. })));
    }

    #[test]
    fn a_new_directory_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = Scratch::new();
        let path = scratch.path().join("new");
        let _held = DataDirectory::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, DIRECTORY_MODE);
    }
}
