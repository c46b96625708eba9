//! What can go wrong below the store. What the disk did, what is damaged, what is full and what belongs to somebody
//! else stay apart, because the answers differ: look at the device, restore a copy, make room, mend the flags.

use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in this crate that touches a disk or its bytes.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the disk or of what is on it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused or failed an operation.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "write", "read", "sync".
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Bytes that were once whole are not any more, and this is no torn tail. The node must not start from them.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Corrupt {
        path: PathBuf,
        /// Offset in the file, bytes.
        offset: u64,
        what: String,
    },
    /// No room on the device (or in the quota). What was acknowledged before is untouched.
    #[error("{operation} {}: no space left on the device", path.display())]
    Full { operation: &'static str, path: PathBuf },
    /// The log failed before; nothing is appended after a failed append, because what is on the disk is uncertain.
    #[error("the log {} takes no more: it failed before: {first}", path.display())]
    Poisoned {
        path: PathBuf,
        /// The error that it failed with.
        first: String,
    },
    /// Whole and readable, but of another cluster, member, program or version.
    #[error("{}: {what}", path.display())]
    Foreign { path: PathBuf, what: String },
    /// The caller asked for more than a bound of this crate (see `bounds`).
    #[error("{what} takes {bytes} bytes, the limit is {limit}")]
    TooLarge { what: &'static str, bytes: u64, limit: u64 },
}

impl Error {
    /// What the operating system answered, with the disk-full errors set apart.
    #[must_use]
    pub fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::Full { operation, path: path.to_owned() }
            }
            _ => Error::Io { operation, path: path.to_owned(), source },
        }
    }

    /// Damage at an offset of a file.
    #[must_use]
    pub fn corrupt(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Error::Corrupt { path: path.to_owned(), offset, what: what.into() }
    }

    /// Whether bytes on the disk are damaged.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Error::Corrupt { .. })
    }

    /// Whether the device is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Error::Full { .. })
    }
}
