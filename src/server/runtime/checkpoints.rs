//! The files of checkpoints, and the manifest that says which one is live. Lives on the control executor.
//!
//! One step of work at a time, as the core says. A step that fails removes what there is of the file, and is told; traffic
//! goes on, and the logs stay as long as they are needed. A file that grew into the room that the logs need next fails too:
//! a member without a newer checkpoint works on, one without room for its log stops.

use super::signal::Signal;
use bytes::Bytes;
use campanile_core::executor::effect::{FileWork, Input};
use campanile_storage::checkpoint::{
    Header, Manifest, Number, Receiver, Writer, checkpoint_path, remove_older, write_amendment,
};
use campanile_storage::disk::Disk;
use campanile_storage::error::Error;
use campanile_storage::ids::Revision;
use campanile_storage::log::{Floors, LogRemains, Retired};
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

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
    directory: PathBuf,
    files: RefCell<Option<Files<D>>>,
    work: RefCell<Option<FileWork>>,
    /// The number of the live one.
    live: Rc<Cell<Option<Number>>>,
    wake: Signal,
}

struct Files<D: Disk> {
    disk: D,
    directory: PathBuf,
    cluster: u64,
    /// Room that is left to the logs.
    reserve_bytes: u64,
    manifest: Manifest,
    live: Rc<Cell<Option<Number>>>,
    /// The number of the file that is written, or was written last. None is used twice: a manifest that could not be
    /// written may still be found by the next start.
    number: Number,
    writing: Option<Writing<D>>,
    receiving: Option<Receiving<D>>,
    retired: Vec<Retired<D>>,
}

/// A file that this member writes.
struct Writing<D: Disk> {
    writer: Writer<D>,
    began: Instant,
}

/// A file that another member sends.
struct Receiving<D: Disk> {
    /// Nothing once the file is whole.
    receiver: Option<Receiver<D>>,
    file_bytes: u64,
    began: Instant,
}

impl<D: Disk> Checkpoints<D> {
    #[must_use]
    pub fn new(disk: D, directory: PathBuf, cluster: u64, reserve_bytes: u64, kept: Kept) -> Rc<Checkpoints<D>> {
        let retired = kept.retired.into_iter().map(|remains| Retired::new(disk.clone(), remains)).collect();
        let number = Number(kept.next_number.0 - 1);
        let live = Rc::new(Cell::new(kept.manifest.live.as_ref().map(|live| live.number)));
        let files = Files {
            disk,
            directory: directory.clone(),
            cluster,
            reserve_bytes,
            manifest: kept.manifest,
            live: Rc::clone(&live),
            number,
            writing: None,
            receiving: None,
            retired,
        };
        let (files, work, wake) = (RefCell::new(Some(files)), RefCell::default(), Signal::default());
        Rc::new(Checkpoints { directory, files, work, live, wake })
    }

    /// Takes the next step of work.
    pub fn work(&self, work: FileWork) {
        let before = self.work.replace(Some(work));
        assert!(before.is_none(), "one step of work on a checkpoint is under way at a time");
        self.wake.set();
    }

    /// Where the live one lies.
    #[must_use]
    pub fn live_path(&self) -> Option<PathBuf> {
        self.live.get().map(|number| checkpoint_path(&self.directory, number))
    }

    /// Does what comes, for ever. `done` is told how each step ended, `written` how long a file took until it was durable.
    pub async fn run(self: Rc<Self>, done: impl Fn(Input), written: impl Fn(Duration)) {
        let mut files = self.files.take().expect("the checkpoints are looked after once");
        loop {
            self.wake.wait().await;
            let Some(work) = self.work.take() else { continue };
            let is_last_part = matches!(work, FileWork::FinishReceiving);
            done(match files.perform(work, &written).await {
                Ok(answer) => answer,
                Err(error) => {
                    files.complain(&error);
                    files.abandon().await;
                    if is_last_part { Input::CheckpointReceived(None) } else { Input::CheckpointStep { done: false } }
                }
            });
        }
    }
}

impl<D: Disk> Files<D> {
    async fn perform(&mut self, work: FileWork, written: &impl Fn(Duration)) -> Result<Input, Error> {
        match work {
            FileWork::Begin { revision, shards, meta } => {
                self.begin_number().await;
                let began = Instant::now();
                let header = Header { cluster: self.cluster, revision, shards };
                let writer = Writer::begin(self.disk.clone(), &self.directory, self.number, header, &meta).await?;
                self.writing = Some(Writing { writer, began });
            }
            FileWork::Write(chunk) => {
                self.leave_room(chunk.packed_bytes()).await?;
                let writing = self.writing.as_mut().expect("a file was begun");
                writing.writer.write_chunk(&chunk).await?;
            }
            FileWork::Finish => {
                let Writing { writer, began } = self.writing.take().expect("a file was begun");
                let bytes = writer.finish().await?;
                written(began.elapsed());
                tracing::debug!(number = %self.number, bytes, "a checkpoint is durable");
            }
            FileWork::MakeLive { revision, groups } => self.make_live(revision, groups).await?,
            FileWork::Receive { file_bytes, offset, bytes } => self.receive(file_bytes, offset, &bytes).await?,
            FileWork::FinishReceiving => return self.finish_receiving().await,
            FileWork::Install { revision, groups, amendment } => self.install(revision, groups, amendment).await?,
        }
        Ok(Input::CheckpointStep { done: true })
    }

    /// Takes the next number, and removes what is left of a file that was given up.
    async fn begin_number(&mut self) {
        self.abandon().await;
        self.number = Number(self.number.0 + 1);
    }

    /// Refuses a write after which the logs could not grow.
    async fn leave_room(&self, bytes: usize) -> Result<(), Error> {
        let free_bytes = self.disk.free_bytes(&self.directory).await?;
        if free_bytes.saturating_sub(bytes as u64) >= self.reserve_bytes {
            return Ok(());
        }
        let path = checkpoint_path(&self.directory, self.number);
        Err(Error::Full { operation: "leave room for the logs beside", path })
    }

    async fn receive(&mut self, file_bytes: u64, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        if offset == 0 {
            self.begin_number().await;
            let receiver = Receiver::begin(self.disk.clone(), &self.directory, self.number, file_bytes).await?;
            self.receiving = Some(Receiving { receiver: Some(receiver), file_bytes, began: Instant::now() });
        }
        self.leave_room(bytes.len()).await?;
        let receiver = self.receiving.as_mut().and_then(|receiving| receiving.receiver.as_mut());
        receiver.expect("a file was begun").write(offset, bytes).await
    }

    async fn finish_receiving(&mut self) -> Result<Input, Error> {
        let receiver = self.receiving.as_mut().and_then(|receiving| receiving.receiver.take());
        let (header, meta) = receiver.expect("a file was begun").finish().await?;
        if header.cluster != self.cluster {
            let what = format!("it is a checkpoint of cluster {:x}, not of cluster {:x}", header.cluster, self.cluster);
            return Err(Error::Foreign { path: checkpoint_path(&self.directory, self.number), what });
        }
        Ok(Input::CheckpointReceived(Some((header, meta))))
    }

    /// The member begins anew after this: what became superfluous is removed by the recovery. So is the file if this
    /// fails: only the recovery knows which manifest there is then.
    async fn install(&mut self, revision: Revision, groups: Floors, amendment: Option<Bytes>) -> Result<(), Error> {
        let received = self.receiving.take();
        if let Some(meta) = amendment {
            write_amendment(&self.disk, &self.directory, self.number, &meta).await?;
        }
        let manifest = self.manifest.install(self.number, revision, groups);
        manifest.write(&self.disk, &self.directory).await?;
        self.manifest = manifest;
        if let Some(Receiving { file_bytes, began, .. }) = received {
            let seconds = began.elapsed().as_secs_f64();
            tracing::info!(%revision, bytes = file_bytes, seconds, "installed the checkpoint that another member sent");
        }
        Ok(())
    }

    fn complain(&self, error: &Error) {
        if self.receiving.is_some() {
            tracing::warn!(%error, "cannot take the checkpoint that another member sends; it is asked for again later");
        } else {
            tracing::warn!(%error, "cannot write a checkpoint; the logs grow on until one succeeds");
        }
    }

    async fn make_live(&mut self, revision: Revision, groups: Floors) -> Result<(), Error> {
        let manifest = self.manifest.advance(self.number, revision, groups);
        manifest.write(&self.disk, &self.directory).await?;
        self.manifest = manifest;
        self.live.set(Some(self.number));
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

    /// Removes what there is of a file that will not be finished, or was received and is of no use.
    async fn abandon(&mut self) {
        let mut removed = Ok(());
        if let Some(Writing { writer, .. }) = self.writing.take() {
            removed = writer.abandon().await;
        }
        if let Some(Receiving { receiver, .. }) = self.receiving.take() {
            removed = match receiver {
                Some(receiver) => receiver.abandon().await,
                None => self.remove_received().await,
            };
        }
        if let Err(error) = removed {
            tracing::warn!(%error, "cannot remove an unfinished checkpoint; the next start does");
        }
    }

    async fn remove_received(&self) -> Result<(), Error> {
        let path = checkpoint_path(&self.directory, self.number);
        if self.disk.exists(&path).await? { self.disk.remove(&path).await } else { Ok(()) }
    }
}
