//! One scenario for each trace that broke an early text of "One clock, many logs", by their numbers. Each strikes a small busy
//! cluster where its trace needs it, so that runs come into the trace's situation. Tests play them until they do; planted
//! mistakes are looked for with them too.
//!
//! Numbers 12, 13, 17 and 18 are about changes of membership, which there are none of yet.

mod others;
mod traces;

use super::fault::{Fault, Planned, Way, Whom};
use super::shape::Appetite;
use super::{Plan, Shape};
use crate::moment::Moment;
use crate::record::Trace;
use crate::world::World;
use crate::world::ambush::{Ambush, Occasion};
use campanile_storage::disk::simulated::Crash;
use std::time::Duration;

const PRIMARY: Whom = Whom::Primary;
/// A cluster of this shape serves by now.
const SERVING: Duration = Duration::from_secs(3);
/// From one strike of a scenario to the next.
const STEP: Duration = Duration::from_millis(2_500);
const STRIKES: u32 = 4;

/// A cluster, what strikes it again and again, and what is to come of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The situation of its trace.
    pub situation: &'static str,
    pub shape: Shape,
    /// Each so long after the others.
    pub faults: Vec<(Duration, Fault)>,
    pub ambush: Option<Ambush>,
}

impl Scenario {
    fn strike(situation: &'static str, shape: Shape, faults: &[Fault]) -> Scenario {
        let at_once = |fault: &Fault| (Duration::ZERO, fault.clone());
        Scenario::in_order(situation, shape, faults.iter().map(at_once).collect())
    }

    fn in_order(situation: &'static str, shape: Shape, faults: Vec<(Duration, Fault)>) -> Scenario {
        Scenario { situation, shape, faults, ambush: None }
    }

    fn lie_in_wait(
        situation: &'static str,
        shape: Shape,
        on: Occasion,
        after: Duration,
        faults: fn(Whom) -> Vec<Fault>,
    ) -> Scenario {
        let ambush = Ambush { on, after, faults, left: STRIKES, rest: STEP };
        Scenario { situation, shape, faults: Vec::new(), ambush: Some(ambush) }
    }

    /// The same, with one strike from the ambush.
    fn once(mut self) -> Scenario {
        self.ambush.iter_mut().for_each(|ambush| ambush.left = 1);
        self
    }

    /// The same, and these strike too.
    fn with(self, faults: Vec<(Duration, Fault)>) -> Scenario {
        Scenario { faults, ..self }
    }

    /// A cluster that is about to start, and to be struck. Every seed strikes at other moments.
    #[must_use]
    pub fn world(&self, seed: u64) -> World {
        let strikes = (0..STRIKES).flat_map(|number| {
            let at = Moment(seed * 1_700) + SERVING + STEP * number + milliseconds(u64::from(number) * 7);
            self.faults.iter().map(move |(after, fault)| Planned { at: at + *after, fault: fault.clone() })
        });
        let plan = Plan { seed, shape: self.shape.clone(), faults: strikes.collect() };
        let mut world = World::new(plan, Trace::default());
        world.ambush = self.ambush;
        world
    }
}

/// A scenario by its name.
pub type Named = (&'static str, fn() -> Scenario);

pub const ALL: &[Named] = &[
    ("trace-1", traces::trace_1),
    ("trace-1-again", traces::trace_1_again),
    ("trace-2", traces::trace_2),
    ("trace-3", traces::trace_3),
    ("trace-4", traces::trace_4),
    ("trace-5", traces::trace_5),
    ("trace-6", traces::trace_6),
    ("trace-7", traces::trace_7),
    ("trace-7-again", traces::trace_7_again),
    ("trace-7-below", traces::trace_7_below),
    ("trace-8", traces::trace_8),
    ("trace-9", traces::trace_9),
    ("trace-9-again", traces::trace_9_again),
    ("trace-9-keyless", traces::trace_9_keyless),
    ("trace-10", traces::trace_10),
    ("trace-11", traces::trace_11),
    ("trace-14", traces::trace_14),
    ("trace-14-again", traces::trace_14_again),
    ("trace-14-late", traces::trace_14_late),
    ("trace-15", traces::trace_15),
    ("trace-15-again", traces::trace_1_again),
    ("trace-16", traces::trace_16),
    ("trace-16-again", traces::trace_16_again),
    ("trace-19", traces::trace_19),
    ("trace-19-lame", traces::trace_19_lame),
    ("trace-20", traces::trace_20),
    ("trace-21", traces::trace_21),
    ("trace-21-again", traces::trace_21_again),
    ("trace-22", traces::trace_22),
    ("trace-22-again", traces::trace_22_again),
    ("single-voter", others::single_voter),
    ("blind", others::blind),
    ("checkpoint", others::checkpoint),
];

const fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A busy cluster.
fn shape(members: usize, shards: u32, executors: u16) -> Shape {
    Shape {
        clients: 6,
        watchers: 2,
        safety: SERVING + STEP * STRIKES,
        latency: milliseconds(1)..milliseconds(8),
        disk: milliseconds(0)..milliseconds(6),
        interleavings_per_mille: 100,
        keys: 6,
        ..Shape::small(members, shards, executors)
    }
}

fn crash(down: u64) -> Fault {
    Fault::Crash { whom: PRIMARY, how: Crash::Power, down: milliseconds(down), again: Vec::new() }
}

fn isolate(way: Way, lasts: u64) -> Fault {
    Fault::Isolate { whom: PRIMARY, way, lasts: milliseconds(lasts) }
}

/// One key, on another executor than the control group's, that many clients put, each seldom: whatever becomes of that
/// executor, the others hold no revision back, and there is always a client that does not wait for one of them.
fn one_busy_key() -> Shape {
    let appetite =
        Appetite { puts: 1, deletes: 0, transactions: 0, ranges: 0, leases: 0, compactions: 0, inspections: 0 };
    Shape { clients: 60, think: milliseconds(0)..milliseconds(2_000), keys: 1, appetite, ..shape(3, 3, 3) }
}
