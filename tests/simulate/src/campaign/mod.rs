//! Many seeds, one after the other; a failing one is minimised and told with the command that replays it.

pub mod minimise;
pub mod operations;
mod seeds;
pub mod steps;

pub use seeds::{Report, Seeds, run};

use crate::check::Violation;
use crate::plan::Plan;
use crate::record::{Counts, Trace};
use crate::world::World;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How one run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub violation: Option<Violation>,
    pub operations: u64,
    pub faults: u64,
    pub events: u64,
    /// Two runs of one plan have the same.
    pub trace_hash: u64,
    /// How long the run was, in virtual time, in microseconds.
    pub microseconds: u64,
    pub counts: Counts,
}

/// Runs a plan to its end, or to the first promise that is broken. An assertion of the core that fails is one.
#[must_use]
pub fn play(plan: Plan, prints: bool) -> Outcome {
    play_world(&mut World::new(plan, Trace::new(prints)))
}

/// Runs a world to its end, or to the first promise that is broken.
#[must_use]
pub fn play_world(world: &mut World) -> Outcome {
    play_by(world, World::run)
}

/// Lets somebody take a world to its end, or to the first promise that is broken.
pub(crate) fn play_by(world: &mut World, drive: impl FnOnce(&mut World) -> Result<(), Violation>) -> Outcome {
    let result = catch_unwind(AssertUnwindSafe(|| drive(world)));
    let violation = match result {
        Ok(result) => result.err(),
        Err(panic) => Some(Violation::new("the core's own assertions hold", panic_text(&*panic))),
    };
    Outcome {
        violation,
        operations: world.calls.list.len() as u64,
        faults: world.faults_struck,
        events: world.trace.events,
        trace_hash: world.trace.hash(),
        microseconds: world.now.0,
        counts: world.counts.clone(),
    }
}

fn panic_text(panic: &dyn std::any::Any) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
