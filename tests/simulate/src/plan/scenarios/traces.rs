//! The scenarios of the traces, by their numbers.

use super::{PRIMARY, STEP, Scenario, crash, isolate, milliseconds, one_busy_key, shape};
use crate::plan::Shape;
use crate::plan::fault::{Fault, Way, Whom};
use crate::record::situations as trace;
use crate::world::ambush::Occasion;
use campanile_storage::disk::simulated::Crash;
use std::time::Duration;

/// The primary's control executor stands still and the member hears nothing, while its other executors go on: it serves,
/// and does not know that another one has been elected.
fn deaf() -> [Fault; 2] {
    [Fault::PauseExecutor { whom: PRIMARY, executor: 0, lasts: milliseconds(1_900) }, isolate(Way::In, 1_900)]
}

pub fn trace_1() -> Scenario {
    Scenario::strike(trace::WRITES_BEHIND_A_LATER_FENCE, shape(3, 2, 2), &deaf())
}

/// The primary's control executor stands still, and another member is elected: meanwhile the executor that serves stops for
/// a moment, and takes requests and the news of its end in one round.
pub fn trace_1_again() -> Scenario {
    let pause = Fault::PauseExecutor { whom: PRIMARY, executor: 0, lasts: milliseconds(1_900) };
    let stop = |_| vec![Fault::PauseExecutor { whom: PRIMARY, executor: 1, lasts: milliseconds(35) }];
    Scenario::lie_in_wait(trace::LED_BY_ANOTHER, one_busy_key(), Occasion::Elected, Duration::ZERO, stop)
        .with(vec![(Duration::ZERO, pause)])
}

pub fn trace_2() -> Scenario {
    let isolate = |whom| vec![Fault::Isolate { whom, way: Way::Both, lasts: milliseconds(1_900) }];
    Scenario::lie_in_wait(
        trace::ELECTED_WITH_AN_UNSETTLED_OPEN,
        shape(3, 2, 2),
        Occasion::Opened,
        milliseconds(1),
        isolate,
    )
}

pub fn trace_3() -> Scenario {
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

pub fn trace_4() -> Scenario {
    let busy = |whom| vec![Fault::PauseExecutor { whom, executor: 1, lasts: milliseconds(1_300) }];
    Scenario::lie_in_wait(trace::BEGAN_AGAIN, shape(3, 3, 2), Occasion::Elected, Duration::ZERO, busy)
}

pub fn trace_5() -> Scenario {
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let crash = (milliseconds(250), crash(900));
    Scenario::in_order(trace::WHOLE_AND_VOID, shape(3, 4, 2), vec![lossy, crash])
}

pub fn trace_6() -> Scenario {
    let mut shape = Shape { checkpoint_transactions: 6, ..shape(3, 3, 2) };
    (shape.bounds.catch_up.group_log_bytes, shape.bounds.catch_up.held_log_bytes) = (0, 100_000);
    let lag = Fault::Isolate { whom: Whom::Member(1), way: Way::Both, lasts: milliseconds(1_500) };
    Scenario::strike(trace::KEPT_ITS_LOG, shape, &[lag])
}

pub fn trace_7() -> Scenario {
    let within = Fault::CrashWithin { whom: PRIMARY, how: Crash::Power, operations: 4, down: milliseconds(20) };
    Scenario::strike(trace::STARTED_BEHIND_A_CUT, Shape { checkpoint_transactions: 4, ..shape(1, 3, 3) }, &[within])
}

/// Followers take checkpoints while primaries change, and start from them.
pub fn trace_7_again() -> Scenario {
    let shape = Shape { checkpoint_transactions: 3, ..shape(3, 2, 2) };
    let crash = |after, whom| {
        let fault = Fault::Crash { whom, how: Crash::Power, down: milliseconds(200), again: Vec::new() };
        (milliseconds(after), fault)
    };
    let slow = (Duration::ZERO, Fault::Slow { factor: 20, lasts: milliseconds(1_800) });
    let all = [crash(100, PRIMARY), crash(1_100, Whom::Member(0)), crash(1_250, Whom::Member(1))];
    Scenario::in_order(trace::STARTED_BEHIND_A_CUT, shape, std::iter::once(slow).chain(all).collect())
}

/// An executor of a follower stands still while the primary changes: the checkpoint that waits for it is taken at the
/// revision of before, when the open is known. Power is lost as soon as it is live.
pub fn trace_7_below() -> Scenario {
    let crash_it = |whom| vec![Fault::Crash { whom, how: Crash::Power, down: milliseconds(50), again: Vec::new() }];
    let shape = Shape { checkpoint_transactions: 3, ..shape(5, 2, 2) };
    let pause = Fault::PauseExecutor { whom: Whom::Member(4), executor: 1, lasts: milliseconds(1_500) };
    let faults = vec![(Duration::ZERO, pause), (milliseconds(200), crash(2_000))];
    Scenario::lie_in_wait(
        trace::CHECKPOINT_BELOW_A_BASE,
        shape,
        Occasion::CheckpointBelowBase,
        Duration::ZERO,
        crash_it,
    )
    .with(faults)
}

pub fn trace_8() -> Scenario {
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let isolate = (milliseconds(250), isolate(Way::Both, 1_500));
    Scenario::in_order(trace::COMMITTED_BUT_NOT_VISIBLE, shape(3, 4, 3), vec![lossy, isolate])
}

pub fn trace_9() -> Scenario {
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
pub fn trace_9_again() -> Scenario {
    let mut shape = Shape { keys: 3, ..shape(3, 4, 2) };
    shape.appetite.leases = 30;
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let crash = (milliseconds(250), crash(600));
    Scenario::in_order(trace::RECORD_BEFORE_OLDER_WRITES, shape, vec![lossy, crash])
}

/// What takes the last key off a lease is overtaken by the revoke that finds none, and lost.
pub fn trace_9_keyless() -> Scenario {
    let latency = milliseconds(0)..milliseconds(40);
    let mut shape = Shape { clients: 12, keys: 3, latency, is_ordered: false, ..shape(3, 4, 3) };
    (shape.appetite.leases, shape.appetite.puts) = (16, 12);
    (shape.appetite.ranges, shape.appetite.transactions, shape.appetite.inspections) = (1, 0, 0);
    Scenario::lie_in_wait(trace::KEYS_ON_THEIR_WAY, shape, Occasion::Keyless, milliseconds(8), lose_what_is_sent)
}

pub fn trace_10() -> Scenario {
    let mut shape = shape(3, 3, 3);
    shape.appetite.leases = 10;
    Scenario::strike(trace::RECORD_BEFORE_OLDER_WRITES, shape, &[isolate(Way::Both, 1_200)])
}

pub fn trace_11() -> Scenario {
    let fault = Fault::Crash { whom: PRIMARY, how: Crash::Process, down: milliseconds(2_400), again: vec![3, 9] };
    Scenario::strike(trace::FOLLOWED_THE_DEAD, shape(3, 4, 1), &[fault])
}

pub fn trace_14() -> Scenario {
    Scenario::strike(trace::COMMITTED_BY_ANOTHER, shape(3, 2, 2), &[isolate(Way::In, 1_400)])
}

pub fn trace_14_again() -> Scenario {
    let slow = Fault::SlowDisk { whom: PRIMARY, factor: 20, lasts: milliseconds(1_500) };
    Scenario::strike(trace::COMMITTED_WITHOUT_ITS_OWN_DISK, shape(3, 2, 2), &[slow])
}

/// A member that is asked to win a group for the next primary is asked again when that serves: by a message that was late.
/// The primary's executor of the group stands still, so that it does not notice.
pub fn trace_14_late() -> Scenario {
    let pause = |whom| vec![Fault::PauseExecutor { whom, executor: 1, lasts: milliseconds(1_200) }];
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let echo = Fault::Echoing { per_mille: 700, later: milliseconds(1_500), lasts: milliseconds(1_000) };
    let faults = vec![lossy, (milliseconds(250), crash(600)), (milliseconds(300), echo)];
    let mut shape = Shape { clients: 30, think: milliseconds(0)..milliseconds(250), ..shape(3, 2, 3) };
    (shape.appetite.ranges, shape.appetite.puts, shape.appetite.transactions) = (20, 10, 0);
    Scenario::lie_in_wait(trace::ASKED_TO_WIN_TOO_LATE, shape, Occasion::Opened, milliseconds(50), pause).with(faults)
}

pub fn trace_15() -> Scenario {
    let mut shape = shape(3, 4, 3);
    shape.appetite.transactions = 30;
    let stop = |whom| {
        let lasts = milliseconds(1_900);
        vec![Fault::PauseExecutor { whom, executor: 1, lasts }, Fault::Isolate { whom, way: Way::Both, lasts }]
    };
    Scenario::lie_in_wait(trace::TRANSACTION_CUT_SHORT, shape, Occasion::Gathered, Duration::ZERO, stop)
}

pub fn trace_16() -> Scenario {
    let mut shape = shape(3, 2, 2);
    shape.appetite.transactions = 30;
    Scenario::strike(trace::TRANSACTION_OF_A_STALE_PRIMARY, shape, &deaf())
}

/// The primary is followed by another one, learns what that wrote and, while messages are lost, not what it would confirm, and
/// is elected again: what it wrote last is void then, and its answers still wait.
pub fn trace_16_again() -> Scenario {
    let mut shape = Shape { clients: 60, think: milliseconds(0)..milliseconds(1_500), ..shape(3, 1, 1) };
    (shape.keys, shape.watchers, shape.appetite.deletes) = (2, 0, 10);
    let lossy = Fault::Lossy { per_mille: 600, lasts: milliseconds(500) };
    let faults = vec![
        (Duration::ZERO, isolate(Way::Both, 1_150)),
        (milliseconds(1_100), lossy),
        (milliseconds(1_500), isolate(Way::Both, 900)),
    ];
    Scenario::in_order(trace::BACK_BEHIND_ANOTHER, shape, faults)
}

pub fn trace_19() -> Scenario {
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

/// An executor of a member that is elected stands still for good, and the others are to be served all the same.
pub fn trace_19_lame() -> Scenario {
    let stop = |whom| vec![Fault::StopExecutor { whom, executor: 1 }];
    let shape = Shape { watchers: 0, ..shape(3, 2, 2) };
    Scenario::lie_in_wait(trace::GAVE_UP, shape, Occasion::Elected, Duration::ZERO, stop).once()
}

pub fn trace_20() -> Scenario {
    let mut shape = Shape { clients: 24, ..shape(3, 2, 2) };
    shape.appetite.leases = 30;
    Scenario::strike(trace::KEEPALIVE_OF_A_STALE_PRIMARY, shape, &deaf())
}

pub fn trace_21() -> Scenario {
    let mut shape = shape(3, 2, 2);
    (shape.appetite.leases, shape.appetite.compactions) = (10, 6);
    Scenario::strike(trace::FOLLOWER_LACKS_A_RECORD, shape, &[Fault::Slow { factor: 5, lasts: milliseconds(900) }])
}

/// Only what the control group says is lost: the revisions that are read are there.
pub fn trace_21_again() -> Scenario {
    let mut shape = Shape { clients: 24, think: milliseconds(0)..milliseconds(200), ..shape(3, 2, 2) };
    (shape.appetite.puts, shape.appetite.transactions, shape.appetite.leases) = (4, 0, 0);
    (shape.appetite.compactions, shape.appetite.ranges) = (12, 20);
    let lossy = Fault::Lossy { per_mille: 300, lasts: STEP.saturating_sub(milliseconds(100)) };
    Scenario::strike(trace::FOLLOWER_LACKS_A_RECORD, shape, &[lossy])
}

pub fn trace_22() -> Scenario {
    let mut shape = shape(3, 2, 2);
    (shape.appetite.compactions, shape.appetite.inspections) = (20, 4);
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let crash = (milliseconds(250), crash(600));
    Scenario::in_order(trace::COMPACTION_ABOVE_VISIBLE, shape, vec![lossy, crash])
}

/// The revision of a compaction is overtaken by its record, and lost.
pub fn trace_22_again() -> Scenario {
    let mut shape = Shape { latency: milliseconds(0)..milliseconds(40), is_ordered: false, ..shape(3, 4, 3) };
    (shape.appetite.compactions, shape.appetite.puts) = (6, 12);
    Scenario::lie_in_wait(
        trace::COMPACTION_ABOVE_VISIBLE,
        shape,
        Occasion::CompactsAhead,
        milliseconds(8),
        lose_what_is_sent,
    )
}

/// What the member has sent and nobody has yet, nobody gets.
fn lose_what_is_sent(whom: Whom) -> Vec<Fault> {
    vec![Fault::Isolate { whom, way: Way::Both, lasts: milliseconds(1_900) }]
}
