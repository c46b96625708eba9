//! The disk, as the log and the checkpoints see it: every byte this crate keeps goes through [`Disk`] and [`File`].
//!
//! Two of them exist: [`uring`] (feature `uring`) on an io_uring executor, and [`simulated`], in memory, which crashes,
//! tears, rots and fills up as a seed says. The traits are plain `async fn`s and name no executor: a future waits for
//! nothing but the operation it stands for, so one thread that polls them in turn drives a whole simulated cluster.
//!
//! What an implementation promises:
//! - A write returns `Ok` only when every byte of it was taken; with [`Access::WriteDurably`] only when it is on the
//!   medium, without a sync.
//! - What [`File::sync`] and [`Disk::sync_directory`] cover survives a loss of power; anything else may be there
//!   afterwards, or not, or half of it. Names change in order: if a later change of a directory survived, so did the
//!   earlier ones (every journalling file system of Linux keeps that).
//! - A future that is dropped may still do its work, later. Callers never use its offset or name for anything else.

pub(crate) mod sequential;
pub mod simulated;
#[cfg(feature = "uring")]
pub mod uring;

use std::path::Path;

use bytes::Bytes;

use crate::error::Result;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Writing, made durable by [`File::sync`].
    Write,
    /// Writing, each write durable when it returns.
    WriteDurably,
}

/// Names and files of one device. Cheap to clone: a handle.
#[expect(async_fn_in_trait, reason = "executors are single-threaded, so no future has to be Send")]
pub trait Disk: Clone + 'static {
    type File: File;

    /// Creates a directory; one that is there already is fine. Its parent must exist. Durable with the parent's sync.
    async fn create_directory(&self, path: &Path) -> Result<()>;

    /// The names in a directory, sorted.
    async fn list(&self, path: &Path) -> Result<Vec<String>>;

    /// Whether there is a file or directory of this name.
    async fn exists(&self, path: &Path) -> Result<bool>;

    /// Creates an empty file; it is an error if the name is taken. The name is durable with the directory's sync.
    async fn create(&self, path: &Path, access: Access) -> Result<Self::File>;

    /// Opens a file that is there.
    async fn open(&self, path: &Path, access: Access) -> Result<Self::File>;

    /// Gives a file another name in one step, replacing what had it. Durable with the sync of the directory.
    async fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file's name; who has it open goes on reading.
    async fn remove(&self, path: &Path) -> Result<()>;

    /// Removes an empty directory.
    async fn remove_directory(&self, path: &Path) -> Result<()>;

    /// Makes the names of a directory durable.
    async fn sync_directory(&self, path: &Path) -> Result<()>;

    /// Bytes that files in a directory could still take. Others may take them first.
    async fn free_bytes(&self, path: &Path) -> Result<u64>;
}

/// An open file. Dropping it closes it.
#[expect(async_fn_in_trait, reason = "executors are single-threaded, so no future has to be Send")]
pub trait File: 'static {
    /// Memory that this file can write from without copying.
    type Buffer: AsRef<[u8]> + AsMut<[u8]> + 'static;

    /// A buffer of `length` zeros; `length` is a whole number of blocks.
    fn buffer(&self, length: usize) -> Self::Buffer;

    /// Writes the whole buffer at `offset`. Both are whole numbers of blocks ([`crate::bounds::BLOCK_BYTES`]).
    async fn write(&self, buffer: Self::Buffer, offset: u64) -> Result<()>;

    /// Reads `length` bytes at `offset`, from anywhere; fewer only at the end of the file.
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes>;

    /// Makes all that was written, and the file's size, durable.
    async fn sync(&self) -> Result<()>;

    /// The file's size in bytes.
    async fn size(&self) -> Result<u64>;

    /// Cuts the file off at `size`. Durable with the next sync.
    async fn truncate(&self, size: u64) -> Result<()>;
}
