//! A disk in memory that does what a seed says: it crashes at any operation, loses, keeps, tears and reorders what was
//! not made durable, rots, refuses to read, fails a sync as Linux does, and fills up.
//!
//! Operations finish at once, so that a test polls a future to its end with [`run`]; with [`SimulatedDisk::hold`] they
//! wait until the simulator completes them, in any order. It is deterministic: same seed, same calls, same bytes.

mod files;
mod medium;
mod operation;
mod random;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

pub use self::files::SimulatedFile;
use self::medium::Medium;
pub use self::operation::{OPERATIONS, Operation};
use self::random::Random;
use crate::error::{Error, Result};

/// How a member ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process dies; what it wrote stays visible, though not durable.
    Process,
    /// Power is lost. Of what was not durable, each part is lost, kept or torn, as the dice say.
    Power,
    /// Power is lost, and with it everything that was not durable.
    PowerLosingAll,
    /// Power is lost, and everything that was not durable happens to be there, the operation under way too.
    PowerKeepingAll,
}

/// A simulated device. A clone is another handle of the same one.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Rc<RefCell<State>>,
}

struct State {
    medium: Medium,
    random: Random,
    operations: u64,
    crash_at: Option<(u64, Crash)>,
    fail_at: Option<(u64, io::ErrorKind)>,
    crashed: bool,
    capacity_bytes: u64,
    hold: bool,
    /// Operations that wait to be completed, by their number.
    held: BTreeMap<u64, Waker>,
    waiting: BTreeSet<u64>,
    counts: Counts,
    /// What was submitted, if that is recorded.
    record: Option<Vec<Operation>>,
}

impl State {
    fn left_bytes(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.medium.used_bytes())
    }
}

/// What was done to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub writes: u64,
    pub durable_writes: u64,
    pub syncs: u64,
}

/// An operation between its submission and its completion.
struct Submitted {
    number: u64,
    fails: Option<io::ErrorKind>,
}

impl SimulatedDisk {
    /// A device with one directory, `root`, and endless room.
    #[must_use]
    pub fn new(seed: u64, root: &Path) -> Self {
        let state = State {
            medium: Medium::with_directory(root),
            random: Random::new(seed),
            operations: 0,
            crash_at: None,
            fail_at: None,
            crashed: false,
            capacity_bytes: u64::MAX,
            hold: false,
            held: BTreeMap::new(),
            waiting: BTreeSet::new(),
            counts: Counts::default(),
            record: None,
        };
        SimulatedDisk { state: Rc::new(RefCell::new(state)) }
    }

    /// Operations submitted so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state.borrow().operations
    }

    /// What was done to the device so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.borrow().counts
    }

    /// Writes down every operation from now on.
    pub fn record(&self) {
        self.state.borrow_mut().record.get_or_insert_default();
    }

    /// What was written down since this was asked last, in order.
    #[must_use]
    pub fn take_record(&self) -> Vec<Operation> {
        self.state.borrow_mut().record.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Crashes in the middle of the operation of this number (see [`SimulatedDisk::operations`]; the first is 1).
    pub fn crash_at(&self, operation: u64, how: Crash) {
        self.state.borrow_mut().crash_at = Some((operation, how));
    }

    /// Lets the operation of this number fail.
    pub fn fail_at(&self, operation: u64, kind: io::ErrorKind) {
        self.state.borrow_mut().fail_at = Some((operation, kind));
    }

    /// Room for files, bytes; writes beyond it find the device full.
    pub fn set_capacity(&self, bytes: u64) {
        self.state.borrow_mut().capacity_bytes = bytes;
    }

    /// Bytes that all files with a name take.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state.borrow().medium.used_bytes()
    }

    /// Takes back what [`crash_at`](Self::crash_at), [`fail_at`](Self::fail_at) and
    /// [`set_capacity`](Self::set_capacity) have said.
    pub fn forgive(&self) {
        let mut state = self.state.borrow_mut();
        (state.crash_at, state.fail_at, state.capacity_bytes) = (None, None, u64::MAX);
    }

    /// Crashes now. Every operation fails from now on, until [`SimulatedDisk::restart`].
    pub fn crash(&self, how: Crash) {
        self.state.borrow_mut().crash(how);
    }

    /// Whether a crash happened that no restart followed.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.state.borrow().crashed
    }

    /// The member starts again. Handles from before the crash must not be used any more.
    pub fn restart(&self) {
        let mut state = self.state.borrow_mut();
        state.crashed = false;
        state.crash_at = None;
        state.fail_at = None;
        state.held.clear();
        state.waiting.clear();
    }

    /// Flips one bit in each byte of a range of a file.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn corrupt(&self, path: &Path, range: Range<u64>) {
        let state = &mut *self.state.borrow_mut();
        let inode = state.medium.file(path).expect("the file to damage exists");
        state.medium.corrupt(inode, range, &mut state.random);
    }

    /// Makes a range of a file unreadable.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn make_unreadable(&self, path: &Path, range: Range<u64>) {
        let state = &mut *self.state.borrow_mut();
        let inode = state.medium.file(path).expect("the file to damage exists");
        state.medium.make_unreadable(inode, range);
    }

    /// What a reader would see of a file.
    #[must_use]
    pub fn contents(&self, path: &Path) -> Option<Bytes> {
        let state = self.state.borrow();
        let inode = state.medium.file(path).ok()?;
        let length = usize::try_from(state.medium.size(inode)).ok()?;
        state.medium.read(inode, 0, length).ok()
    }

    /// Whether operations wait for [`SimulatedDisk::complete`] from now on.
    pub fn hold(&self, hold: bool) {
        self.state.borrow_mut().hold = hold;
    }

    /// How many operations wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.state.borrow().waiting.len()
    }

    /// Completes the waiting operation at this place in the order of submission.
    ///
    /// # Panics
    /// If fewer wait.
    pub fn complete(&self, place: usize) {
        let waker = {
            let mut state = self.state.borrow_mut();
            let number = *state.waiting.iter().nth(place).expect("so many operations wait");
            state.waiting.remove(&number);
            state.held.remove(&number)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Submits an operation: counts it, and crashes or lets it fail if its turn has come. `effect` is what the device
    /// has begun to do when the crash comes.
    fn submit<T>(
        &self,
        operation: &'static str,
        path: &Path,
        effect: impl FnOnce(&mut Medium) -> io::Result<T>,
    ) -> Result<(Submitted, T)> {
        let state = &mut *self.state.borrow_mut();
        if state.crashed {
            return Err(crashed(operation, path));
        }
        state.operations += 1;
        if let Some(record) = &mut state.record {
            record.push(Operation::new(operation, path));
        }
        let number = state.operations;
        let done = effect(&mut state.medium).map_err(|source| Error::io(operation, path, source))?;
        if let Some((at, how)) = state.crash_at
            && at <= number
        {
            state.crash(how);
            return Err(crashed(operation, path));
        }
        let fails = state.fail_at.take_if(|(at, _)| *at <= number).map(|(_, kind)| kind);
        if state.hold {
            state.waiting.insert(number);
        }
        Ok((Submitted { number, fails }, done))
    }

    /// Waits until the operation is completed.
    async fn completed(&self, submitted: &Submitted, operation: &'static str, path: &Path) -> Result<()> {
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if state.crashed {
                return Poll::Ready(Err(crashed(operation, path)));
            }
            if !state.waiting.contains(&submitted.number) {
                return Poll::Ready(Ok(()));
            }
            state.held.insert(submitted.number, context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// An operation that either happens or fails, as a whole.
    async fn operate<T>(
        &self,
        operation: &'static str,
        path: &Path,
        effect: impl FnOnce(&mut Medium) -> io::Result<T>,
    ) -> Result<T> {
        let mut effect = Some(effect);
        let will_fail = self.will_fail();
        let (submitted, done) = self.submit(operation, path, |medium| match effect.take() {
            Some(effect) if !will_fail => effect(medium).map(Some),
            _ => Ok(None),
        })?;
        self.completed(&submitted, operation, path).await?;
        match (done, submitted.fails) {
            (Some(done), None) => Ok(done),
            (_, kind) => Err(Error::io(operation, path, kind.unwrap_or(io::ErrorKind::Other).into())),
        }
    }

    /// Whether the next operation is the one that fails.
    fn will_fail(&self) -> bool {
        let state = self.state.borrow();
        state.fail_at.is_some_and(|(at, _)| at <= state.operations + 1)
    }
}

impl State {
    fn crash(&mut self, how: Crash) {
        if self.crashed {
            return;
        }
        self.crashed = true;
        match how {
            Crash::Process => self.medium.kill(&mut self.random),
            Crash::Power => self.medium.lose_power(&mut self.random),
            Crash::PowerLosingAll => self.medium.lose_all(),
            Crash::PowerKeepingAll => self.medium.keep_all(),
        }
        for (_, waker) in std::mem::take(&mut self.held) {
            waker.wake();
        }
    }
}

fn crashed(operation: &'static str, path: &Path) -> Error {
    Error::io(operation, path, io::Error::other("the simulated member has crashed"))
}

/// Polls a future of this disk to its end.
///
/// # Panics
/// If it waits for something: an operation is held, or it is no future of a simulated disk.
pub fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing is held, so nothing waits"),
    }
}

/// The directory that tests and simulations keep a member's data in.
#[must_use]
pub fn data_directory() -> PathBuf {
    PathBuf::from("/data")
}
