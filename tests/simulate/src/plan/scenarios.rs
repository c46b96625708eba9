//! One scenario for each trace that broke an early text of "One clock, many logs", by their numbers. Each strikes a small busy
//! cluster where its trace needs it, so that runs come into the trace's situation. Tests play them until they do; planted
//! mistakes are looked for with them too.
//!
//! Numbers 12, 13, 17 and 18 are about changes of membership, which there are none of yet.

use super::fault::{Fault, Planned, Way, Whom};
use super::{Plan, Shape};
use crate::moment::Moment;
use crate::record::Trace;
use crate::record::situations as trace;
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
    ("trace-1", trace_1),
    ("trace-2", trace_2),
    ("trace-3", trace_3),
    ("trace-4", trace_4),
    ("trace-5", trace_5),
    ("trace-6", trace_6),
    ("trace-7", trace_7),
    ("trace-7-again", trace_7_again),
    ("trace-8", trace_8),
    ("trace-9", trace_9),
    ("trace-9-again", trace_9_again),
    ("trace-10", trace_10),
    ("trace-11", trace_11),
    ("trace-14", trace_14),
    ("trace-14-again", trace_14_again),
    ("trace-15", trace_15),
    ("trace-16", trace_16),
    ("trace-19", trace_19),
    ("trace-20", trace_20),
    ("trace-21", trace_21),
    ("trace-22", trace_22),
    ("single-voter", single_voter),
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

/// The primary's control executor stands still and the member hears nothing, while its other executors go on: it serves,
/// and does not know that another one has been elected.
fn deaf() -> [Fault; 2] {
    [Fault::PauseExecutor { whom: PRIMARY, executor: 0, lasts: milliseconds(1_900) }, isolate(Way::In, 1_900)]
}

fn trace_1() -> Scenario {
    Scenario::strike(trace::WRITES_BEHIND_A_LATER_FENCE, shape(3, 2, 2), &deaf())
}

fn trace_2() -> Scenario {
    let isolate = |whom| vec![Fault::Isolate { whom, way: Way::Both, lasts: milliseconds(1_900) }];
    Scenario::lie_in_wait(
        trace::ELECTED_WITH_AN_UNSETTLED_OPEN,
        shape(3, 2, 2),
        Occasion::Opened,
        milliseconds(1),
        isolate,
    )
}

fn trace_3() -> Scenario {
    let shape = Shape {
        clients: 40,
        think: milliseconds(0)..milliseconds(1_500),
        latency: milliseconds(10)..milliseconds(40),
        ..shape(3, 2, 1)
    };
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let crash = (milliseconds(250), crash(1_400));
    Scenario::in_order(trace::READ_BEFORE_OPEN, shape, vec![lossy, crash])
}

fn trace_4() -> Scenario {
    let busy = |whom| vec![Fault::PauseExecutor { whom, executor: 1, lasts: milliseconds(1_300) }];
    Scenario::lie_in_wait(trace::BEGAN_AGAIN, shape(3, 3, 2), Occasion::Elected, Duration::ZERO, busy)
}

fn trace_5() -> Scenario {
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let crash = (milliseconds(250), crash(900));
    Scenario::in_order(trace::WHOLE_AND_VOID, shape(3, 4, 2), vec![lossy, crash])
}

fn trace_6() -> Scenario {
    let mut shape = Shape { checkpoint_transactions: 6, ..shape(3, 3, 2) };
    (shape.catch_up.group_log_bytes, shape.catch_up.held_log_bytes) = (0, 100_000);
    let lag = Fault::Isolate { whom: Whom::Member(1), way: Way::Both, lasts: milliseconds(1_500) };
    Scenario::strike(trace::KEPT_ITS_LOG, shape, &[lag])
}

fn trace_7() -> Scenario {
    let within = Fault::CrashWithin { whom: PRIMARY, how: Crash::Power, operations: 4, down: milliseconds(20) };
    Scenario::strike(trace::STARTED_BEHIND_A_CUT, Shape { checkpoint_transactions: 4, ..shape(1, 3, 3) }, &[within])
}

/// Followers take checkpoints while primaries change, and start from them.
fn trace_7_again() -> Scenario {
    let shape = Shape { checkpoint_transactions: 3, ..shape(3, 2, 2) };
    let crash = |after, whom| {
        let fault = Fault::Crash { whom, how: Crash::Power, down: milliseconds(200), again: Vec::new() };
        (milliseconds(after), fault)
    };
    let slow = (Duration::ZERO, Fault::Slow { factor: 20, lasts: milliseconds(1_800) });
    let all = [crash(100, PRIMARY), crash(1_100, Whom::Member(0)), crash(1_250, Whom::Member(1))];
    Scenario::in_order(trace::STARTED_BEHIND_A_CUT, shape, std::iter::once(slow).chain(all).collect())
}

fn trace_8() -> Scenario {
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let isolate = (milliseconds(250), isolate(Way::Both, 1_500));
    Scenario::in_order(trace::COMMITTED_BUT_NOT_VISIBLE, shape(3, 4, 3), vec![lossy, isolate])
}

fn trace_9() -> Scenario {
    let mut shape = shape(3, 4, 3);
    shape.appetite.leases = 30;
    let lose = |whom| {
        let lossy = Fault::Lossy { per_mille: 600, lasts: milliseconds(100) };
        let crash = Fault::CrashWithin { whom, how: Crash::Power, operations: 2, down: milliseconds(900) };
        vec![lossy, crash]
    };
    Scenario::lie_in_wait(trace::REVOKE_CUT_SHORT, shape, Occasion::Condemned, Duration::ZERO, lose)
}

/// The keys of leases that end are taken off them by writes that are lost.
fn trace_9_again() -> Scenario {
    let mut shape = Shape { keys: 3, ..shape(3, 4, 2) };
    shape.appetite.leases = 30;
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let crash = (milliseconds(250), crash(600));
    Scenario::in_order(trace::RECORD_BEFORE_OLDER_WRITES, shape, vec![lossy, crash])
}

fn trace_10() -> Scenario {
    let mut shape = shape(3, 3, 3);
    shape.appetite.leases = 10;
    Scenario::strike(trace::RECORD_BEFORE_OLDER_WRITES, shape, &[isolate(Way::Both, 1_200)])
}

fn trace_11() -> Scenario {
    let fault = Fault::Crash { whom: PRIMARY, how: Crash::Process, down: milliseconds(2_400), again: vec![3, 9] };
    Scenario::strike(trace::FOLLOWED_THE_DEAD, shape(3, 4, 1), &[fault])
}

fn trace_14() -> Scenario {
    Scenario::strike(trace::COMMITTED_BY_ANOTHER, shape(3, 2, 2), &[isolate(Way::In, 1_400)])
}

fn trace_14_again() -> Scenario {
    let slow = Fault::SlowDisk { whom: PRIMARY, factor: 20, lasts: milliseconds(1_500) };
    Scenario::strike(trace::COMMITTED_WITHOUT_ITS_OWN_DISK, shape(3, 2, 2), &[slow])
}

fn trace_15() -> Scenario {
    let mut shape = shape(3, 4, 3);
    shape.appetite.transactions = 30;
    let stop = |whom| {
        let lasts = milliseconds(1_900);
        vec![Fault::PauseExecutor { whom, executor: 1, lasts }, Fault::Isolate { whom, way: Way::Both, lasts }]
    };
    Scenario::lie_in_wait(trace::TRANSACTION_CUT_SHORT, shape, Occasion::Gathered, Duration::ZERO, stop)
}

fn trace_16() -> Scenario {
    let mut shape = shape(3, 2, 2);
    shape.appetite.transactions = 30;
    Scenario::strike(trace::TRANSACTION_OF_A_STALE_PRIMARY, shape, &deaf())
}

fn trace_19() -> Scenario {
    // Members 0, 1 and 2 are a majority, and 1 and 2 reach each other through 0 alone. Data logs differ when they are cut
    // off, and the control group's do not: it is won by a member that may lack the end of a data log.
    let links = [(0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4)];
    let lasts = STEP.saturating_sub(milliseconds(100));
    let cut = |&(member, other): &(usize, usize)| {
        let fault = Fault::CutLink { whom: Whom::Member(member), other, way: Way::Both, lasts };
        (milliseconds(250), fault)
    };
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 300, lasts: milliseconds(300) });
    let mut shape = Shape { clients: 16, ..shape(5, 3, 2) };
    (shape.appetite.leases, shape.appetite.compactions, shape.appetite.puts) = (0, 0, 30);
    Scenario::in_order(trace::GAVE_UP, shape, std::iter::once(lossy).chain(links.iter().map(cut)).collect())
}

fn trace_20() -> Scenario {
    let mut shape = Shape { clients: 24, ..shape(3, 2, 2) };
    shape.appetite.leases = 30;
    Scenario::strike(trace::KEEPALIVE_OF_A_STALE_PRIMARY, shape, &deaf())
}

fn trace_21() -> Scenario {
    let mut shape = shape(3, 2, 2);
    (shape.appetite.leases, shape.appetite.compactions) = (10, 6);
    Scenario::strike(trace::FOLLOWER_LACKS_A_RECORD, shape, &[Fault::Slow { factor: 5, lasts: milliseconds(900) }])
}

fn trace_22() -> Scenario {
    let mut shape = shape(3, 2, 2);
    (shape.appetite.compactions, shape.appetite.inspections) = (20, 4);
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let crash = (milliseconds(250), crash(600));
    Scenario::in_order(trace::COMPACTION_ABOVE_VISIBLE, shape, vec![lossy, crash])
}

/// Power is lost again while the vote of the start before is on its way to the disk.
fn single_voter() -> Scenario {
    let shape = Shape { disk: milliseconds(0)..milliseconds(30), ..shape(1, 3, 3) };
    let crash = |after| (milliseconds(after), crash(10));
    Scenario::in_order(trace::WON_TWICE, shape, (0..12).map(|number| crash(number * 37)).collect())
}
