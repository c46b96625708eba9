//! What a simulated disk is asked for, by name: whoever strikes at every operation says with it what was struck.

use std::path::{Path, PathBuf};

/// Everything that [`Disk`](crate::disk::Disk) and [`File`](crate::disk::File) can be asked for, under the names by which
/// errors tell of it.
pub const OPERATIONS: &[&str] = &[
    "create directory",
    "list",
    "look for",
    "create",
    "open",
    "rename",
    "remove",
    "remove directory",
    "sync directory",
    "write",
    "read",
    "sync",
    "look at",
    "truncate",
];

/// An operation that was submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// One of [`OPERATIONS`].
    pub what: &'static str,
    /// The file or directory; the old name of what is renamed.
    pub path: PathBuf,
}

impl Operation {
    /// # Panics
    /// If [`OPERATIONS`] does not list it: what is not there is never missed.
    pub(super) fn new(what: &'static str, path: &Path) -> Operation {
        assert!(OPERATIONS.contains(&what), "{what:?} is listed");
        Operation { what, path: path.to_owned() }
    }
}
