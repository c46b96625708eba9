//! One operation of one member's disk does not come to its end: power is lost in the middle of it, the process is killed, or
//! the device gives an error. Up to there the run is the same as the one that nothing interrupts, so the operations of that one,
//! counted, are all the places where a member can be struck.

use super::World;
use crate::dice::{Dice, Part};
use crate::member::State;
use crate::record::points::{Errand, Point, Step};
use campanile_core::executor::effect::FileWork;
use campanile_storage::disk::simulated::{Crash, SimulatedDisk, data_directory};
use campanile_storage::log::segment;
use std::fmt;
use std::io;
use std::time::Duration;

/// How long the member is down that was struck while it ran.
const DOWN: Duration = Duration::from_millis(100);

/// What becomes of the operation that is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Power is lost, and everything that is not durable.
    Lost,
    /// Power is lost after everything that was under way has happened, though nobody was told.
    Kept,
    /// Power is lost; of what is not durable each part is lost, kept or torn.
    Torn,
    /// The process is killed.
    Killed,
    /// The device gives an error.
    Failed,
    /// The device is full.
    Full,
}

impl How {
    pub const ALL: [How; 6] = [How::Lost, How::Kept, How::Torn, How::Killed, How::Failed, How::Full];

    /// How the member ends; it does not end at once by an error.
    #[must_use]
    pub fn crash(self) -> Option<Crash> {
        match self {
            How::Lost => Some(Crash::PowerLosingAll),
            How::Kept => Some(Crash::PowerKeepingAll),
            How::Torn => Some(Crash::Power),
            How::Killed => Some(Crash::Process),
            How::Failed | How::Full => None,
        }
    }

    fn error(self) -> io::ErrorKind {
        if self == How::Full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other }
    }

    /// How power is lost again during the recovery. What a killed process saw is not durable yet.
    fn again(self) -> Crash {
        self.crash().filter(|crash| *crash != Crash::Process).unwrap_or(Crash::PowerLosingAll)
    }
}

impl fmt::Display for How {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{self:?}").to_lowercase())
    }
}

/// Where a member is struck, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The number of the operation; the first is 1.
    pub at: u64,
    pub how: How,
    /// Power is lost once more, at this operation of the start that follows.
    pub again: Option<u64>,
}

/// Watches what one member asks its disk for, and strikes once.
#[derive(Debug)]
pub struct Interruption {
    pub member: usize,
    /// Nothing is struck by a run that only counts.
    pub strike: Option<Strike>,
    /// Every operation so far.
    pub points: Vec<Point>,
    /// How many operations the start had that followed the strike.
    pub recovery_operations: u64,
    step: Option<Step>,
}

impl World {
    /// Watches a member, and strikes it. The cluster is about to start.
    pub fn interrupt(&mut self, member: usize, strike: Option<Strike>) {
        // A strike at another place tears elsewhere too.
        let mut dice = Dice::of(self.plan.seed, Part::Disk(member as u64));
        let seed = dice.draw() ^ strike.map_or(0, |strike| strike.at);
        let state = &mut self.members[member];
        state.disk = SimulatedDisk::new(seed, &data_directory());
        state.disk.record();
        state.down = DOWN;
        self.interruption =
            Some(Interruption { member, strike, points: Vec::new(), recovery_operations: 0, step: None });
    }

    /// A member starts, or has started: the strike is laid where it is to meet it.
    pub(super) fn lay_strike(&mut self, member: usize) {
        let Some(interruption) = self.interruption.as_mut().filter(|one| one.member == member) else { return };
        let Some(strike) = &mut interruption.strike else { return };
        let state = &mut self.members[member];
        let done = state.disk.operations();
        match strike.how.crash() {
            Some(how) if strike.at > done => state.disk.crash_at(strike.at, how),
            None if strike.at > done => {
                state.disk.fail_at(strike.at, strike.how.error());
                state.is_disk_faulty = true;
            }
            _ => {
                if let Some(after) = strike.again.take() {
                    state.disk.crash_at(done + after, strike.how.again());
                }
            }
        }
    }

    /// A member works on a checkpoint.
    pub(super) fn notice_file_work(&mut self, member: usize, work: &FileWork) {
        if let Some(interruption) = self.interruption.as_mut().filter(|one| one.member == member) {
            interruption.step = Some(Step::of(work));
        }
    }

    /// A start has come to its end, whatever that is.
    pub(super) fn notice_start_operations(&mut self, member: usize) {
        let Some(interruption) = self.interruption.as_mut().filter(|one| one.member == member) else { return };
        let state = &self.members[member];
        let operations = state.disk.take_record();
        let done = interruption.points.len() as u64;
        if interruption.strike.is_some_and(|strike| strike.at <= done) && interruption.recovery_operations == 0 {
            interruption.recovery_operations = operations.len() as u64;
        }
        let errand = Errand::Start { is_first: state.life == 0, step: interruption.step.take() };
        interruption.points.extend(operations.into_iter().map(|operation| Point::new(operation, errand)));
    }

    /// A member that runs may have asked its disk for something.
    pub(super) fn notice_operations(&mut self, member: usize) {
        let Some(interruption) = self.interruption.as_mut().filter(|one| one.member == member) else { return };
        let state = &self.members[member];
        let State::Up(process) = &state.state else { return };
        for operation in state.disk.take_record() {
            let log = operation.path.iter().find_map(|name| segment::parse_directory_name(name.to_str()?));
            let executor = log.and_then(|log| u16::try_from(log).ok());
            let batch = executor.and_then(|executor| self.durability.writing(member, executor));
            let errand = Errand::Run { step: interruption.step, executors: process.executors(), batch };
            interruption.points.push(Point::new(operation, errand));
        }
    }
}
