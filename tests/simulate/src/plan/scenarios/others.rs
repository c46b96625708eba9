//! Scenarios of bugs that were no trace's.

use super::{PRIMARY, Scenario, crash, isolate, milliseconds, one_busy_key, shape};
use crate::plan::Shape;
use crate::plan::fault::{Fault, Way};
use crate::record::situations as trace;
use crate::world::ambush::Occasion;
use campanile_storage::disk::simulated::Crash;
use std::time::Duration;

/// Power is lost again while the vote of the start before is on its way to the disk.
pub fn single_voter() -> Scenario {
    let shape = Shape { disk: milliseconds(0)..milliseconds(30), ..shape(1, 3, 3) };
    let crash = |after| (milliseconds(after), crash(10));
    Scenario::in_order(trace::WON_TWICE, shape, (0..60).map(|number| crash(number * 37)).collect())
}

/// The primary's control executor stands still, and the others go on: they hear that they lead their groups no more, and
/// what another primary writes, long before they are told that the reign is over. What they wrote last is lost.
pub fn blind() -> Scenario {
    let pause = Fault::PauseExecutor { whom: PRIMARY, executor: 0, lasts: milliseconds(1_900) };
    Scenario::strike(trace::LED_BY_ANOTHER, one_busy_key(), &[pause, isolate(Way::Out, 900)])
}

/// Compactions are carried out while checkpoints are written, and these are started from at once.
pub fn checkpoint() -> Scenario {
    let mut shape = Shape { checkpoint_transactions: 4, ..shape(1, 4, 3) };
    (shape.appetite.compactions, shape.appetite.puts) = (10, 20);
    let crash_it = |whom| vec![Fault::Crash { whom, how: Crash::Power, down: milliseconds(20), again: Vec::new() }];
    let mut scenario = Scenario::lie_in_wait(
        trace::COMPACTED_UNDER_A_CHECKPOINT,
        shape,
        Occasion::Compacted,
        Duration::ZERO,
        crash_it,
    );
    // Each strike is over at once.
    scenario.ambush.iter_mut().for_each(|ambush| (ambush.left, ambush.rest) = (20, milliseconds(400)));
    scenario
}
