//! The small clusters whose disks are struck, and what they go through: everything that a member's disk is used for.
//!
//! Clients ask all the while. The victim starts for the first time, goes on with fewer executors after a clean restart, and
//! with all of them again after a loss of power. Among three members it sends a checkpoint to one that fell behind, and
//! is sent one when it has fallen behind itself; or it is sent one that it has to amend.

use crate::check::Violation;
use crate::moment::Moment;
use crate::plan::fault::{Fault, Planned, Way};
use crate::plan::{Plan, Shape, Whom};
use crate::record::Trace;
use crate::world::World;
use crate::world::interruption::Strike;
use campanile_storage::disk::simulated::Crash;
use std::time::Duration;

const EXECUTORS: u16 = 2;
/// How long the victim is down between two of its lives.
const DOWN: Duration = Duration::from_millis(30);
/// A moment in which nothing is on its way to the disk comes within this.
const IDLE: Duration = Duration::from_millis(500);

/// A cluster, and which of its members is struck.
#[derive(Debug)]
pub struct Cluster {
    pub name: &'static str,
    members: usize,
    shards: u32,
    victim: usize,
    /// Added to the seed, so that with the first one the members lead that the faults count on. A change of the core may
    /// ask for another one.
    salt: u64,
    /// What makes members fall behind, and when, in milliseconds.
    faults: &'static [(u64, Fault)],
    /// When the victim is restarted, when it loses power, and when the work is over, in milliseconds.
    restart: u64,
    power_loss: u64,
    end: u64,
}

pub const ALL: &[Cluster] = &[
    single("1x1", 1),
    single("1x2", 2),
    Cluster {
        name: "3x2",
        members: 3,
        shards: 2,
        victim: 1,
        salt: 0,
        faults: &[(1_200, isolated(2, 500)), (2_100, isolated(1, 1_300))],
        restart: 4_000,
        power_loss: 4_500,
        end: 5_000,
    },
    // Executor 1 of the victim and executor 0 of another stand still, each with groups of its own, until the primary is gone:
    // each lacks what the other has.
    Cluster {
        name: "3x2-amended",
        members: 3,
        shards: 2,
        victim: 0,
        salt: 31,
        faults: &[
            (1_200, isolated(0, 300)),
            (2_400, paused(0, 1, 2_400)),
            (2_400, paused(1, 0, 2_400)),
            (4_700, isolated(2, 3_000)),
        ],
        restart: 8_300,
        power_loss: 8_800,
        end: 9_300,
    },
];

const fn single(name: &'static str, shards: u32) -> Cluster {
    Cluster { name, members: 1, shards, victim: 0, salt: 0, faults: &[], restart: 900, power_loss: 1_500, end: 2_000 }
}

const fn isolated(member: usize, milliseconds: u64) -> Fault {
    Fault::Isolate { whom: Whom::Member(member), way: Way::Both, lasts: Duration::from_millis(milliseconds) }
}

const fn paused(member: usize, executor: u16, milliseconds: u64) -> Fault {
    Fault::PauseExecutor { whom: Whom::Member(member), executor, lasts: Duration::from_millis(milliseconds) }
}

impl Cluster {
    /// The cluster of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Cluster> {
        ALL.iter().find(|cluster| cluster.name == name)
    }

    fn plan(&self, seed: u64) -> Plan {
        let mut shape = Shape {
            clients: 3,
            watchers: 2,
            keys: 5,
            safety: Duration::from_millis(self.end),
            checkpoint_transactions: 25,
            announces: true,
            ..Shape::small(self.members, self.shards, EXECUTORS)
        };
        (shape.appetite.leases, shape.appetite.compactions) = (4, 1);
        (shape.bounds.catch_up.group_log_bytes, shape.bounds.catch_up.held_log_bytes) = (0, 100_000);
        shape.bounds.catch_up.part_bytes = 1_500;
        let fault = |(at, fault): &(u64, Fault)| Planned { at: milliseconds(*at), fault: fault.clone() };
        let faults = self.faults.iter().map(fault).collect();
        Plan { seed: seed + self.salt, shape, faults }
    }

    /// A cluster that is about to start, and to be struck.
    #[must_use]
    pub fn world(&self, seed: u64, strike: Option<Strike>, prints: bool) -> World {
        let mut world = World::new(self.plan(seed), Trace::new(prints));
        world.interrupt(self.victim, strike);
        world
    }

    /// The work, up to the moment when the faults stop.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn work(&self, world: &mut World) -> Result<(), Violation> {
        world.run_until(milliseconds(self.restart))?;
        world.plan.shape.executors_min = 1;
        world.plan.shape.executors_max = 1;
        self.end_life(world, Crash::Process)?;
        world.run_until(milliseconds(self.power_loss))?;
        world.plan.shape.executors_min = EXECUTORS;
        world.plan.shape.executors_max = EXECUTORS;
        self.end_life(world, Crash::PowerLosingAll)?;
        world.run_until(milliseconds(self.end))
    }

    /// Ends the victim's life while nothing is on its way to the disk, so that no dice decide what is kept.
    fn end_life(&self, world: &mut World, how: Crash) -> Result<(), Violation> {
        let until = world.now + IDLE;
        while world.members[self.victim].disk.held() > 0 && world.now < until {
            world.run_until(world.now + Duration::from_micros(50))?;
        }
        let fault = Fault::Crash { whom: Whom::Member(self.victim), how, down: DOWN, again: Vec::new() };
        world.inflict(&fault).map(drop)
    }
}

fn milliseconds(milliseconds: u64) -> Moment {
    Moment(0) + Duration::from_millis(milliseconds)
}
