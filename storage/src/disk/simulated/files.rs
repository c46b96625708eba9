//! The disk traits over the simulated medium: each operation is submitted, may be held, and is completed.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::medium::{Inode, Medium, Node};
use super::{SimulatedDisk, Submitted};
use crate::bounds::BLOCK_BYTES;
use crate::disk::{Access, Disk, File};
use crate::error::{Error, Result};

/// An open file of a simulated disk.
pub struct SimulatedFile {
    disk: SimulatedDisk,
    path: PathBuf,
    inode: Inode,
    access: Access,
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;

    async fn create_directory(&self, path: &Path) -> Result<()> {
        self.operate("create directory", path, |medium| medium.create(path, true).map(drop)).await
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>> {
        self.operate("list", path, |medium| medium.list(path)).await
    }

    async fn exists(&self, path: &Path) -> Result<bool> {
        self.operate("look for", path, |medium| Ok(medium.node(path).is_some())).await
    }

    async fn create(&self, path: &Path, access: Access) -> Result<SimulatedFile> {
        let node = self.operate("create", path, |medium| medium.create(path, false)).await?;
        match node {
            Node::File(inode) => Ok(SimulatedFile { disk: self.clone(), path: path.to_owned(), inode, access }),
            Node::Directory => Err(Error::io("create", path, io::ErrorKind::IsADirectory.into())),
        }
    }

    async fn open(&self, path: &Path, access: Access) -> Result<SimulatedFile> {
        let inode = self.operate("open", path, |medium| medium.file(path)).await?;
        Ok(SimulatedFile { disk: self.clone(), path: path.to_owned(), inode, access })
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.operate("rename", from, |medium| medium.rename(from, to)).await
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        self.operate("remove", path, |medium| medium.remove(path)).await
    }

    async fn remove_directory(&self, path: &Path) -> Result<()> {
        self.operate("remove directory", path, |medium| medium.remove_directory(path)).await
    }

    async fn sync_directory(&self, path: &Path) -> Result<()> {
        self.operate("sync directory", path, |medium| medium.list(path).map(drop)).await?;
        self.finish(|medium| medium.sync_directory(path));
        Ok(())
    }

    /// Not an operation: it takes no time and cannot fail.
    async fn free_bytes(&self, _: &Path) -> Result<u64> {
        Ok(self.state.borrow().left_bytes())
    }
}

impl SimulatedDisk {
    fn finish<T>(&self, effect: impl FnOnce(&mut Medium) -> T) -> T {
        effect(&mut self.state.borrow_mut().medium)
    }
}

impl SimulatedFile {
    /// The name that the file was opened by; in a record the one that it has now.
    fn name(&self) -> Cow<'_, Path> {
        let state = self.disk.state.borrow();
        let name = state.record.as_ref().and_then(|_| state.medium.name(self.inode));
        name.map_or(Cow::Borrowed(&self.path), |name| Cow::Owned(name.to_owned()))
    }

    /// How many bytes of a write fit on the device.
    fn fits(&self, offset: u64, length: usize) -> usize {
        let state = self.disk.state.borrow();
        let size = state.medium.size(self.inode);
        let end = size.saturating_add(state.left_bytes()).max(size);
        usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(length)
    }

    async fn fail_write(&self, submitted: &Submitted, bytes: &[u8], offset: u64, kind: io::ErrorKind) -> Result<()> {
        self.disk.completed(submitted, "write", &self.path).await?;
        let state = &mut *self.disk.state.borrow_mut();
        state.medium.fail_write(self.inode, offset, bytes, &mut state.random);
        Err(Error::io("write", &self.path, kind.into()))
    }
}

impl File for SimulatedFile {
    type Buffer = Vec<u8>;

    fn buffer(&self, length: usize) -> Vec<u8> {
        assert!(length.is_multiple_of(BLOCK_BYTES), "buffers are whole blocks");
        vec![0; length]
    }

    async fn write(&self, buffer: Vec<u8>, offset: u64) -> Result<()> {
        assert_ne!(self.access, Access::Read, "the file was opened for writing");
        assert!(
            buffer.len().is_multiple_of(BLOCK_BYTES) && offset.is_multiple_of(BLOCK_BYTES as u64),
            "direct writes are whole blocks",
        );
        let bytes = Bytes::from(buffer);
        let fits = self.fits(offset, bytes.len());
        let refused = fits < bytes.len() || self.disk.will_fail();
        let (submitted, written) = self.disk.submit("write", &self.name(), |medium| {
            Ok(if refused { 0 } else { medium.submit_write(self.inode, offset, bytes.clone()) })
        })?;
        if let Some(kind) = submitted.fails {
            return self.fail_write(&submitted, &bytes, offset, kind).await;
        }
        if refused {
            return self.fail_write(&submitted, &bytes[..fits], offset, io::ErrorKind::StorageFull).await;
        }
        self.disk.completed(&submitted, "write", &self.path).await?;
        let durably = self.access == Access::WriteDurably;
        self.disk.finish(|medium| medium.complete_write(self.inode, written, durably));
        let counts = &mut self.disk.state.borrow_mut().counts;
        counts.writes += 1;
        counts.durable_writes += u64::from(durably);
        Ok(())
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        self.disk.operate("read", &self.name(), |medium| medium.read(self.inode, offset, length)).await
    }

    async fn sync(&self) -> Result<()> {
        let (submitted, ()) = self.disk.submit("sync", &self.name(), |_| Ok(()))?;
        self.disk.completed(&submitted, "sync", &self.path).await?;
        if let Some(kind) = submitted.fails {
            self.disk.finish(|medium| medium.fail_sync(self.inode));
            return Err(Error::io("sync", &self.path, kind.into()));
        }
        self.disk.finish(|medium| medium.sync(self.inode));
        self.disk.state.borrow_mut().counts.syncs += 1;
        Ok(())
    }

    async fn size(&self) -> Result<u64> {
        self.disk.operate("look at", &self.name(), |medium| Ok(medium.size(self.inode))).await
    }

    async fn truncate(&self, size: u64) -> Result<()> {
        self.disk
            .operate("truncate", &self.name(), |medium| {
                medium.truncate(self.inode, size);
                Ok(())
            })
            .await
    }
}
