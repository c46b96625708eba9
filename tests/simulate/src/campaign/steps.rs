//! The systematic mode: at each step of an opening, a transaction over several shards, a revoke, a checkpoint and a
//! checkpoint's installation, every order of the next happenings, and one crash of any member anywhere among them, each by a
//! run of its own that is the same up to there.

use super::{Outcome, play_world};
use crate::moment::Moment;
use crate::plan::fault::{Fault, Planned, Way, Whom};
use crate::plan::{Plan, Shape};
use crate::record::Trace;
use crate::world::World;
use crate::world::detour::{Detour, Step};
use campanile_storage::disk::simulated::Crash;
use std::time::Duration;

/// Happenings whose order is varied.
const DEPTH: usize = 3;
/// How long the primary is down whose follower's opening is varied.
const DOWN: Duration = Duration::from_millis(900);

/// What came of it.
#[derive(Debug, Default)]
pub struct Tried {
    pub runs: u64,
    /// Of these, in which the kind of steps that was varied came to an end behind the place where the run went its own way.
    pub ended: u64,
    /// Each with the way that led to it.
    pub violations: Vec<(Step, Detour, Outcome)>,
}

/// The small busy cluster whose steps are varied. One member lags, so that a checkpoint is installed on it, or none.
fn plan(seed: u64, step: Step) -> Plan {
    let members = if step == Step::Checkpoint { 1 } else { 3 };
    let mut shape = Shape { clients: 3, safety: Duration::from_millis(2_500), keys: 4, ..Shape::small(members, 2, 2) };
    // What several shards write is a transaction then, and no revoke.
    shape.appetite.leases = if step == Step::Transaction { 0 } else { 3 };
    if matches!(step, Step::Checkpoint | Step::Installation) {
        shape.checkpoint_transactions = 6;
    }
    let mut plan = Plan::calm(seed, shape);
    if step == Step::Opening {
        let fault = Fault::Crash { whom: Whom::Primary, how: Crash::Power, down: DOWN, again: Vec::new() };
        plan.faults.push(Planned { at: Moment(1_200_000), fault });
    }
    if step == Step::Installation {
        (plan.shape.bounds.catch_up.group_log_bytes, plan.shape.bounds.catch_up.held_log_bytes) = (0, 100_000);
        let lasts = Duration::from_millis(600);
        let fault = Fault::Isolate { whom: Whom::Member(1), way: Way::Both, lasts };
        plan.faults.push(Planned { at: Moment(1_200_000), fault });
    }
    plan
}

impl Tried {
    /// Whether what was to be varied has really happened, and no promise was broken.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.violations.is_empty() && self.ended > 0
    }
}

/// Tries every way from up to so many steps of a kind.
#[must_use]
pub fn vary(seed: u64, step: Step, steps_max: usize) -> Tried {
    let plan = plan(seed, step);
    let mut world = World::new(plan.clone(), Trace::default());
    let undisturbed = play_world(&mut world);
    if undisturbed.violation.is_some() {
        let nowhere = Detour { after: u64::MAX, order: Vec::new(), crash: None };
        return Tried { runs: 1, ended: 0, violations: vec![(step, nowhere, undisturbed)] };
    }
    let marks: Vec<u64> = world.marks.iter().filter(|(kind, _)| *kind == step).map(|(_, at)| *at).collect();
    let stride = marks.len().div_ceil(steps_max.max(1)).max(1);
    let mut tried = Tried::default();
    for after in marks.into_iter().step_by(stride) {
        for detour in ways(after, plan.shape.members) {
            let mut world = World::new(plan.clone(), Trace::default());
            world.detour = Some(detour.clone());
            let outcome = play_world(&mut world);
            tried.runs += 1;
            tried.ended += u64::from(world.ends.iter().any(|(kind, at)| *kind == step && *at > after));
            if outcome.violation.is_some() {
                tried.violations.push((step, detour, outcome));
            }
        }
    }
    tried
}

/// Every order of the next happenings, without a crash and with one of each member at each place.
fn ways(after: u64, members: usize) -> Vec<Detour> {
    let crashes = (0..=DEPTH).flat_map(|place| (0..members).map(move |member| Some((place, member))));
    let crashes: Vec<_> = std::iter::once(None).chain(crashes).collect();
    let orders = orders((0..DEPTH).collect());
    let ways =
        orders.iter().flat_map(|order| crashes.iter().map(|&crash| Detour { after, order: order.clone(), crash }));
    ways.collect()
}

fn orders(places: Vec<usize>) -> Vec<Vec<usize>> {
    if places.is_empty() {
        return vec![Vec::new()];
    }
    let first = |number: usize| {
        let mut rest = places.clone();
        let first = rest.remove(number);
        orders(rest).into_iter().map(move |order| std::iter::once(first).chain(order).collect())
    };
    (0..places.len()).flat_map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_comes_once() {
        let mut all = orders((0..DEPTH).collect());
        assert_eq!(all.len(), 6);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
    }
}
