//! One simulated member: a device that outlives it, a clock, and while it is up its executors and what they keep.
//!
//! | file | what |
//! | --- | --- |
//! | `stage` | executors take turns, one within another if need be |
//! | `keeping`, `tasks` | journals, checkpoints and recovery on the simulated disk |
//! | `lane` | messages between two executors |

pub mod keeping;
pub mod lane;
pub mod stage;
mod tasks;

use crate::moment::{Clock, Moment};
use campanile_core::bounds::Bounds;
use campanile_core::control::CheckpointPolicy;
use campanile_core::evaluate::Limits;
use campanile_core::executor::effect::{ExecutorId, Input};
use campanile_core::executor::{Config, Executor, Start};
use campanile_core::response;
use campanile_core::time::Instant;
use campanile_storage::disk::simulated::SimulatedDisk;
use campanile_storage::ids::{GroupId, MemberId};
use keeping::{Found, Keeping};
use lane::Lane;
use stage::Seat;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// What a request may ask for at most.
pub const LIMITS: Limits = Limits { txn_operations_max: 128 };

/// Whether a member runs.
pub enum State {
    Up(Process),
    Down,
    /// It found damage, and will never run again.
    Gone,
}

/// A member that runs.
pub struct Process {
    pub seats: Vec<Rc<RefCell<Seat>>>,
    pub lanes: BTreeMap<(ExecutorId, ExecutorId), Lane>,
    pub keeping: Keeping,
    /// Completions of the disk that are on their way.
    pub completions: usize,
    pub began: Instant,
}

pub struct Member {
    pub id: MemberId,
    pub clock: Clock,
    pub disk: SimulatedDisk,
    pub state: State,
    /// Counts the starts; what was on its way to an earlier life is dropped.
    pub life: u32,
    /// A fault that the disk was given, so that an error of the disk is no surprise.
    pub is_disk_faulty: bool,
    /// Its disk has little room.
    pub is_full: bool,
    /// It had when what is under way began: that may have failed, and nobody was told yet.
    pub was_full: bool,
    /// Its disk was ruined: it must find that at its next start.
    pub is_ruined: bool,
    pub slow_disk: u32,
    /// How long it stays down when an operation of its disk ends it.
    pub down: std::time::Duration,
    /// Each of the next starts ends in the middle of so many operations of the disk.
    pub again: Vec<u64>,
}

impl Member {
    #[must_use]
    pub fn process(&self) -> Option<&Process> {
        match &self.state {
            State::Up(process) => Some(process),
            State::Down | State::Gone => None,
        }
    }

    pub fn process_mut(&mut self) -> Option<&mut Process> {
        match &mut self.state {
            State::Up(process) => Some(process),
            State::Down | State::Gone => None,
        }
    }

    #[must_use]
    pub fn is_up(&self) -> bool {
        self.process().is_some()
    }

    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    /// Whether it serves an open reign.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.process().is_some_and(|process| process.seats[0].borrow().core.is_serving())
    }

    /// What the member's clock says.
    #[must_use]
    pub fn now(&self, now: Moment) -> Instant {
        self.clock.read(now)
    }
}

/// What every member of a cluster is told.
pub struct Charter {
    pub voters: Vec<MemberId>,
    pub shards: u32,
    pub election_ticks: usize,
    pub lease_ttl_min_seconds: i64,
    pub checkpoint_transactions: u64,
    pub bounds: Bounds,
    pub record_bytes_max: usize,
    pub announces: bool,
}

impl Process {
    /// Puts the executors together from what was found.
    pub fn begin(
        disk: &SimulatedDisk,
        member: MemberId,
        charter: &Charter,
        found: Vec<Found>,
        seed: u64,
        now: Instant,
    ) -> Process {
        let executors = u16::try_from(found.len()).expect("few");
        let (keeping, starts) = Keeping::begin(disk, found);
        let seat = |(executor, start): (u16, Start)| {
            let core = Executor::new(config(member, executor, executors, charter, seed), start, now);
            let inbox = VecDeque::from([Input::Tick]);
            Rc::new(RefCell::new(Seat { core, inbox, is_due: true, is_called: false, is_paused: false }))
        };
        let seats = (0..).zip(starts).map(seat).collect();
        Process { seats, lanes: BTreeMap::new(), keeping, completions: 0, began: now }
    }

    #[must_use]
    pub fn executors(&self) -> u16 {
        self.seats.len() as u16
    }
}

/// The executor that hosts a group, of so many.
#[must_use]
pub fn host(group: GroupId, executors: u16) -> u16 {
    group.shard().map_or(0, |shard| (shard.0 % u32::from(executors)) as u16)
}

/// What a member is told of another, or of itself: only then where clients would reach it, in this life.
fn told(id: MemberId, announces: bool, life: u64) -> response::Member {
    let client_urls = if announces { vec![format!("http://{id}.{life}")] } else { Vec::new() };
    response::Member { id, name: format!("m{id}"), peer_urls: Vec::new(), client_urls, is_learner: false }
}

fn config(member: MemberId, executor: u16, executors: u16, charter: &Charter, seed: u64) -> Config {
    Config {
        executor,
        executors,
        member,
        voters: charter.voters.clone(),
        members: charter.voters.iter().map(|&one| told(one, one == member && charter.announces, seed)).collect(),
        shards_for_new_cluster: charter.shards,
        election_ticks: charter.election_ticks,
        request_ticks_max: 60,
        lease_ttl_min_seconds: charter.lease_ttl_min_seconds,
        limits: LIMITS,
        bounds: charter.bounds,
        checkpoint: CheckpointPolicy { transactions: charter.checkpoint_transactions, log_bytes: 1 },
        seed,
        reign: stage::reign,
    }
}
