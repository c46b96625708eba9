//! What a running member does with its disk: the server's journals and checkpoints, on the simulated device.

use super::tasks::Tasks;
use crate::server::checkpoints::{Checkpoints, Kept};
use crate::server::journal::{Durable, Journal};
use crate::server::offers::{Offers, Wanted};
use crate::server::recovery::{self, Inheritance};
use campanile_core::checkpoint::LoadFailure;
use campanile_core::executor::Start;
use campanile_core::executor::effect::{CONTROL_EXECUTOR, FileWork, Input, Replacement};
use campanile_storage::bounds::BLOCK_BYTES;
use campanile_storage::directory::Marker;
use campanile_storage::disk::simulated::{SimulatedDisk, data_directory};
use campanile_storage::error::Error;
use campanile_storage::ids::{GroupId, MemberId};
use campanile_storage::log::{Batch, Cut, Floors, Log, Options};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

pub const CLUSTER: u64 = 0xcafe;
/// Small, so that a run goes through many.
pub const SEGMENT_BYTES: u64 = 48 * BLOCK_BYTES as u64;

/// What one executor found.
pub struct Found {
    pub start: Start,
    log: Rc<Log<SimulatedDisk>>,
    journal: Rc<Journal<SimulatedDisk>>,
    kept: Option<Kept>,
}

/// Opens a data directory, reads all that is there, and opens the logs: everything that a member does before it runs.
///
/// # Errors
/// Those of the disk; damage.
pub async fn open(
    disk: &SimulatedDisk,
    member: MemberId,
    executors: u16,
    nonce: u64,
    record_bytes_max: usize,
    host: impl Fn(GroupId) -> u16,
) -> Result<Vec<Found>, LoadFailure> {
    let directory = data_directory();
    let marker = Marker { cluster: CLUSTER, member, shards: 0 };
    match Marker::read(disk, &directory).await? {
        Some(found) => found.check(&directory, marker.cluster, marker.member)?,
        None => marker.write(disk, &directory).await?,
    }
    let options = Options { segment_bytes: SEGMENT_BYTES, nonce };
    let mut found = Vec::new();
    for inheritance in recovery::read(disk, &directory, executors, host).await? {
        let Inheritance { log, start, cursors, floors, kept } = inheritance;
        let log = Rc::new(Log::open(disk.clone(), log, options).await?);
        let journal = Journal::new(Rc::clone(&log), cursors, floors, record_bytes_max);
        found.push(Found { start, log, journal, kept });
    }
    Ok(found)
}

/// What the disk's work has led to, for the executors.
type Arrivals = Rc<RefCell<Vec<(u16, Input)>>>;

pub struct Keeping {
    tasks: Tasks,
    logs: Vec<Rc<Log<SimulatedDisk>>>,
    journals: Vec<Rc<Journal<SimulatedDisk>>>,
    checkpoints: Rc<Checkpoints<SimulatedDisk>>,
    offers: Rc<Offers<SimulatedDisk>>,
    maintaining: Vec<Rc<Cell<bool>>>,
    arrivals: Arrivals,
    /// The error for which the member must stop.
    failure: Rc<RefCell<Option<Error>>>,
}

impl Keeping {
    /// Begins the tasks that an executor's thread begins, and hands out what each executor starts from.
    pub fn begin(disk: &SimulatedDisk, found: Vec<Found>) -> (Keeping, Vec<Start>) {
        let mut tasks = Tasks::default();
        let arrivals = Arrivals::default();
        let failure = Rc::new(RefCell::new(None));
        let (mut starts, mut logs, mut journals, mut checkpoints) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (executor, Found { start, log, journal, kept }) in (0..).zip(found) {
            tasks.spawn(Rc::clone(&journal).run_release());
            tasks.spawn(write(Rc::clone(&journal), executor, Rc::clone(&arrivals), Rc::clone(&failure)));
            if let Some(kept) = kept {
                let files = Checkpoints::new(disk.clone(), data_directory(), CLUSTER, SEGMENT_BYTES, kept);
                let arrivals = Rc::clone(&arrivals);
                let done = move |input| arrivals.borrow_mut().push((executor, input));
                tasks.spawn(Rc::clone(&files).run(done, |_| ()));
                checkpoints = Some(files);
            }
            starts.push(start);
            logs.push(log);
            journals.push(journal);
        }
        let maintaining = logs.iter().map(|_| Rc::default()).collect();
        let checkpoints = checkpoints.expect("recovery leaves the checkpoints to the control executor");
        let offers = Rc::new(Offers::new(disk.clone()));
        (Keeping { tasks, logs, journals, checkpoints, offers, maintaining, arrivals, failure }, starts)
    }

    pub fn write(&self, executor: u16, batch: u64, appends: Batch) {
        self.journals[usize::from(executor)].write(batch, appends);
    }

    pub fn work(&self, work: FileWork) {
        self.checkpoints.work(work);
    }

    #[must_use]
    pub fn cut(&self, executor: u16, cuts: &[(GroupId, Cut)]) -> Floors {
        self.journals[usize::from(executor)].cut(cuts)
    }

    #[must_use]
    pub fn replace(&self, executor: u16, replacements: &[(GroupId, Cut, Replacement)]) -> Floors {
        self.journals[usize::from(executor)].replace(replacements)
    }

    pub fn begin_offer(&self) {
        self.offers.begin(self.checkpoints.live_path().expect("a checkpoint is offered when it is live"));
    }

    pub fn end_offer(&self) {
        self.offers.end();
    }

    pub fn read_offer(&mut self, wanted: Wanted) {
        let (offers, arrivals) = (Rc::clone(&self.offers), Rc::clone(&self.arrivals));
        self.tasks.spawn(async move {
            let read = offers.read(wanted).await;
            arrivals.borrow_mut().push((CONTROL_EXECUTOR, read));
        });
    }

    pub fn release(&self, executor: u16, floors: Arc<Floors>) {
        self.journals[usize::from(executor)].release(floors);
    }

    /// Zeroes the next segment ahead of time, as the server does now and then.
    pub fn maintain(&mut self, executor: u16) {
        let busy = Rc::clone(&self.maintaining[usize::from(executor)]);
        if busy.replace(true) {
            return;
        }
        let log = Rc::clone(&self.logs[usize::from(executor)]);
        self.tasks.spawn(async move {
            // A full device is met again by the append that needs the segment.
            let _ = log.maintain().await;
            busy.set(false);
        });
    }

    /// Lets every task go as far as it can, and takes what came of it.
    ///
    /// # Errors
    /// The one for which the member must stop.
    pub fn run(&mut self) -> Result<Vec<(u16, Input)>, Error> {
        self.tasks.run();
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(self.arrivals.take()),
        }
    }
}

async fn write(
    journal: Rc<Journal<SimulatedDisk>>,
    executor: u16,
    arrivals: Arrivals,
    failure: Rc<RefCell<Option<Error>>>,
) {
    let durable = |durable: Durable| arrivals.borrow_mut().push((executor, Input::Persisted { batch: durable.batch }));
    if let Err(error) = journal.run(durable).await {
        failure.borrow_mut().get_or_insert(error);
    }
}
