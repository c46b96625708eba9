//! The files of checkpoints, and the manifest that says which one is live. Lives on the control executor.
//!
//! One step of work at a time, as the core says. A step that fails removes what there is of the file, and is told; traffic
//! goes on, and the logs stay as long as they are needed.

use super::signal::Signal;
use campanile_core::executor::effect::FileWork;
use campanile_storage::checkpoint::{Header, Manifest, Number, Writer, remove_older};
use campanile_storage::disk::Disk;
use campanile_storage::error::Error;
use campanile_storage::ids::Revision;
use campanile_storage::log::{Floors, LogRemains, Retired};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

/// What recovery found of a member's checkpoints.
#[derive(Debug)]
pub struct Kept {
    /// The manifest that the member started from.
    pub manifest: Manifest,
    /// Above every number that was ever used, that of a damaged checkpoint too.
    pub next_number: Number,
    /// Logs of executors that are no more.
    pub retired: Vec<LogRemains>,
}

pub struct Checkpoints<D: Disk> {
    files: RefCell<Option<Files<D>>>,
    work: RefCell<Option<FileWork>>,
    wake: Signal,
}

struct Files<D: Disk> {
    disk: D,
    directory: PathBuf,
    cluster: u64,
    manifest: Manifest,
    /// The number of the file that is written, or was written last. None is used twice: a manifest that could not be
    /// written may still be found by the next start.
    number: Number,
    writer: Option<Writer<D>>,
    retired: Vec<Retired<D>>,
}

impl<D: Disk> Checkpoints<D> {
    #[must_use]
    pub fn new(disk: D, directory: PathBuf, cluster: u64, kept: Kept) -> Rc<Checkpoints<D>> {
        let retired = kept.retired.into_iter().map(|remains| Retired::new(disk.clone(), remains)).collect();
        let number = Number(kept.next_number.0 - 1);
        let files = Files { disk, directory, cluster, manifest: kept.manifest, number, writer: None, retired };
        Rc::new(Checkpoints { files: RefCell::new(Some(files)), work: RefCell::default(), wake: Signal::default() })
    }

    /// Takes the next step of work.
    pub fn work(&self, work: FileWork) {
        let before = self.work.replace(Some(work));
        assert!(before.is_none(), "one step of work on a checkpoint is under way at a time");
        self.wake.set();
    }

    /// Does what comes, for ever. `done` is told whether each step succeeded.
    pub async fn run(self: Rc<Self>, done: impl Fn(bool)) {
        let mut files = self.files.take().expect("the checkpoints are looked after once");
        loop {
            self.wake.wait().await;
            let Some(work) = self.work.take() else { continue };
            let result = files.perform(work).await;
            if let Err(error) = &result {
                tracing::warn!(%error, "cannot write a checkpoint; the logs grow on until one succeeds");
                files.abandon().await;
            }
            done(result.is_ok());
        }
    }
}

impl<D: Disk> Files<D> {
    async fn perform(&mut self, work: FileWork) -> Result<(), Error> {
        match work {
            FileWork::Begin { revision, shards, meta } => {
                self.number = Number(self.number.0 + 1);
                let header = Header { cluster: self.cluster, revision, shards };
                let writer = Writer::begin(self.disk.clone(), &self.directory, self.number, header, &meta).await?;
                self.writer = Some(writer);
                Ok(())
            }
            FileWork::Write(chunk) => {
                let writer = self.writer.as_mut().expect("a file was begun");
                writer.write_chunk(&chunk).await
            }
            FileWork::Finish => {
                let writer = self.writer.take().expect("a file was begun");
                let bytes = writer.finish().await?;
                tracing::debug!(number = %self.number, bytes, "a checkpoint is durable");
                Ok(())
            }
            FileWork::MakeLive { revision, groups } => self.make_live(revision, groups).await,
        }
    }

    async fn make_live(&mut self, revision: Revision, groups: Floors) -> Result<(), Error> {
        let manifest = self.manifest.advance(self.number, revision, groups);
        manifest.write(&self.disk, &self.directory).await?;
        self.manifest = manifest;
        if let Err(error) = self.remove_superfluous().await {
            tracing::warn!(%error, "cannot remove what a checkpoint made superfluous");
        }
        Ok(())
    }

    async fn remove_superfluous(&mut self) -> Result<(), Error> {
        remove_older(&self.disk, &self.directory, &self.manifest).await?;
        let floors = self.manifest.states();
        let mut left = Vec::new();
        for mut retired in std::mem::take(&mut self.retired) {
            if !retired.release(&floors).await? {
                left.push(retired);
            }
        }
        self.retired = left;
        Ok(())
    }

    async fn abandon(&mut self) {
        if let Some(writer) = self.writer.take()
            && let Err(error) = writer.abandon().await
        {
            tracing::warn!(%error, "cannot remove an unfinished checkpoint; the next start does");
        }
    }
}
