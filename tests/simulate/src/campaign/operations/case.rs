//! One run that is struck at one operation, and how it is told so that it can be had again.

use super::cluster::Cluster;
use crate::campaign::{Outcome, play_by};
use crate::check::{device, promise};
use crate::record::points::Point;
use crate::world::World;
use crate::world::interruption::Strike;
use std::fmt;

const PROMISE: &str = "a run is the same up to the operation that is struck";

/// A cluster of a seed, and the strike that meets it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub cluster: &'static Cluster,
    pub seed: u64,
    pub strike: Strike,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { cluster, seed, strike } = self;
        write!(formatter, "cargo simulate operations --seed {seed} --cluster {}", cluster.name)?;
        write!(formatter, " --at {} --how {}", strike.at, strike.how)?;
        strike.again.map_or(Ok(()), |again| write!(formatter, " --again {again}"))
    }
}

/// A run that nothing interrupts.
#[derive(Debug)]
pub struct Undisturbed {
    pub cluster: &'static Cluster,
    /// Every operation of the victim's disk, up to the moment when the faults stop.
    pub points: Vec<Point>,
    pub outcome: Outcome,
}

impl Undisturbed {
    #[must_use]
    pub fn run(cluster: &'static Cluster, seed: u64) -> Undisturbed {
        let mut world = cluster.world(seed, None, false);
        let mut worked = 0;
        let outcome = play_by(&mut world, |world| {
            cluster.work(world)?;
            worked = points(world).len();
            world.settle()?;
            world.compare()
        });
        let points = points(&world)[..worked].to_vec();
        Undisturbed { cluster, points, outcome }
    }
}

/// How a run ended that was struck.
#[derive(Debug)]
pub struct Struck {
    pub outcome: Outcome,
    /// How many operations the start had that followed.
    pub recovery_operations: u64,
}

impl Case {
    /// Runs it, and holds everything against the promises.
    #[must_use]
    pub fn run(&self, undisturbed: &[Point], prints: bool) -> Struck {
        let mut world = self.cluster.world(self.seed, Some(self.strike), prints);
        let at = self.strike.at as usize;
        let mut outcome = play_by(&mut world, |world| {
            self.cluster.work(world)?;
            let same = points(world).get(..at).is_some_and(|points| points == &undisturbed[..at]);
            promise!(PROMISE, same, "it leaves the undisturbed one before operation {at}");
            let crashes = ["crash within a disk operation", "crash during recovery"].map(|what| world.counts.of(what));
            let strikes = 1 + u64::from(self.strike.again.is_some());
            let is_struck = self.strike.how.crash().is_none() || crashes.iter().sum::<u64>() == strikes;
            promise!(PROMISE, is_struck, "the member was struck {crashes:?} times, while it ran and while it started");
            world.settle()?;
            world.compare()
        });
        if outcome.violation.is_none() && self.strike.how.crash().is_none() {
            outcome.violation = device::check(&undisturbed[at - 1], &outcome.counts).err();
        }
        let recovery_operations = world.interruption.map_or(0, |one| one.recovery_operations);
        Struck { outcome, recovery_operations }
    }
}

fn points(world: &World) -> &[Point] {
    world.interruption.as_ref().map_or(&[], |one| &one.points)
}
