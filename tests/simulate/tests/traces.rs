//! The traces that broke an early text of "One clock, many logs", one test each, by their numbers. Each strikes a small busy
//! cluster where its trace needs it, until the run has come into the trace's situation (`record/situations.rs`); the checkers
//! say whether the rule that shuts it held. A test whose situation no longer comes fails, like one whose promise breaks.
//!
//! Numbers 12, 13, 17 and 18 are about changes of membership, which there are none of yet.

use campanile_simulate::campaign::play_world;
use campanile_simulate::moment::Moment;
use campanile_simulate::plan::fault::{Fault, Planned, Way, Whom};
use campanile_simulate::plan::{Plan, Shape};
use campanile_simulate::record::{Trace, situations as trace};
use campanile_simulate::world::World;
use campanile_simulate::world::ambush::{Ambush, Occasion};
use campanile_storage::disk::simulated::Crash;
use std::time::Duration;

const PRIMARY: Whom = Whom::Primary;
/// A cluster of this shape serves by now.
const SERVING: Duration = Duration::from_secs(3);
/// From one strike of a scenario to the next.
const STEP: Duration = Duration::from_millis(2_500);
const STRIKES: u32 = 4;
/// Seeds that are tried until one comes into the situation.
const SEEDS_MAX: u64 = 12;

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

/// Strikes again and again until the situation has come.
fn meet(situation: &str, shape: &Shape, faults: &[Fault]) {
    let at_once = |fault: &Fault| (Duration::ZERO, fault.clone());
    play_until_met(situation, shape, &faults.iter().map(at_once).collect::<Vec<_>>(), None);
}

/// Lies in wait until the situation has come.
fn ambush(situation: &str, shape: &Shape, on: Occasion, after: Duration, faults: fn(Whom) -> Vec<Fault>) {
    let ambush = Ambush { on, after, faults, left: STRIKES, rest: STEP };
    play_until_met(situation, shape, &[], Some(ambush));
}

fn play_until_met(situation: &str, shape: &Shape, faults: &[(Duration, Fault)], ambush: Option<Ambush>) {
    for seed in 0..SEEDS_MAX {
        let strikes = (0..STRIKES).flat_map(|number| {
            let at = Moment(seed * 1_700) + SERVING + STEP * number + milliseconds(u64::from(number) * 7);
            faults.iter().map(move |(after, fault)| Planned { at: at + *after, fault: fault.clone() })
        });
        let plan = Plan { seed, shape: shape.clone(), faults: strikes.collect() };
        let mut world = World::new(plan, Trace::default());
        world.ambush = ambush;
        let outcome = play_world(&mut world);
        assert_eq!(outcome.violation, None, "seed {seed}");
        assert!(outcome.operations > 100, "seed {seed}: {} operations", outcome.operations);
        if outcome.counts.of(situation) > 0 {
            return println!("{situation}: {} times with seed {seed}", outcome.counts.of(situation));
        }
    }
    panic!("no seed below {SEEDS_MAX} comes into the situation of {situation}");
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

#[test]
fn trace_1_what_a_deposed_primary_writes_behind_a_fence_is_void() {
    meet(trace::WRITES_BEHIND_A_LATER_FENCE, &shape(3, 2, 2), &deaf());
}

#[test]
fn trace_2_a_base_is_computed_when_the_control_log_is_settled() {
    let isolate = |whom| vec![Fault::Isolate { whom, way: Way::Both, lasts: milliseconds(1_900) }];
    ambush(trace::ELECTED_WITH_AN_UNSETTLED_OPEN, &shape(3, 2, 2), Occasion::Opened, milliseconds(1), isolate);
}

#[test]
fn trace_3_a_primary_that_has_not_opened_answers_no_read() {
    let shape = Shape {
        clients: 40,
        think: milliseconds(0)..milliseconds(1_500),
        latency: milliseconds(10)..milliseconds(40),
        ..shape(3, 2, 1)
    };
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let crash = (milliseconds(250), crash(1_400));
    play_until_met(trace::READ_BEFORE_OPEN, &shape, &[lossy, crash], None);
}

#[test]
fn trace_4_a_reign_begins_again_with_an_epoch_of_its_own() {
    let busy = |whom| vec![Fault::PauseExecutor { whom, executor: 1, lasts: milliseconds(1_300) }];
    ambush(trace::BEGAN_AGAIN, &shape(3, 3, 2), Occasion::Elected, Duration::ZERO, busy);
}

#[test]
fn trace_5_a_whole_revision_above_a_base_is_void() {
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let crash = (milliseconds(250), crash(900));
    play_until_met(trace::WHOLE_AND_VOID, &shape(3, 4, 2), &[lossy, crash], None);
}

#[test]
fn trace_6_a_log_that_holds_the_cut_is_kept_when_a_checkpoint_is_installed() {
    let mut shape = Shape { checkpoint_transactions: 6, ..shape(3, 3, 2) };
    (shape.catch_up.group_log_bytes, shape.catch_up.held_log_bytes) = (0, 100_000);
    let lag = Fault::Isolate { whom: Whom::Member(1), way: Way::Both, lasts: milliseconds(1_500) };
    meet(trace::KEPT_ITS_LOG, &shape, &[lag]);
}

#[test]
fn trace_7_a_start_behind_a_cut_is_like_one_from_the_beginning() {
    let shape = Shape { checkpoint_transactions: 4, ..shape(1, 3, 3) };
    let within =
        |operations| Fault::CrashWithin { whom: PRIMARY, how: Crash::Power, operations, down: milliseconds(20) };
    (1..12).step_by(3).for_each(|operations| meet(trace::STARTED_BEHIND_A_CUT, &shape, &[within(operations)]));
}

#[test]
fn trace_8_what_is_committed_outlives_the_end_of_a_reign() {
    let lossy = (Duration::ZERO, Fault::Lossy { per_mille: 500, lasts: milliseconds(300) });
    let isolate = (milliseconds(250), isolate(Way::Both, 1_500));
    play_until_met(trace::COMMITTED_BUT_NOT_VISIBLE, &shape(3, 4, 3), &[lossy, isolate], None);
}

#[test]
fn trace_9_a_lease_dies_with_its_keys_or_not_at_all() {
    let mut shape = shape(3, 4, 3);
    shape.appetite.leases = 30;
    let lose = |whom| {
        let lossy = Fault::Lossy { per_mille: 600, lasts: milliseconds(100) };
        let crash = Fault::CrashWithin { whom, how: Crash::Power, operations: 2, down: milliseconds(900) };
        vec![lossy, crash]
    };
    ambush(trace::REVOKE_CUT_SHORT, &shape, Occasion::Condemned, Duration::ZERO, lose);
}

#[test]
fn trace_10_a_record_is_acknowledged_behind_older_writes() {
    let mut shape = shape(3, 3, 3);
    shape.appetite.leases = 10;
    meet(trace::RECORD_BEFORE_OLDER_WRITES, &shape, &[isolate(Way::Both, 1_200)]);
}

#[test]
fn trace_11_groups_whose_leader_died_find_another() {
    let fault = Fault::Crash { whom: PRIMARY, how: Crash::Process, down: milliseconds(2_400), again: vec![3, 9] };
    meet(trace::FOLLOWED_THE_DEAD, &shape(3, 4, 1), &[fault]);
}

#[test]
fn trace_14_what_a_later_leader_commits_waits_for_the_next_open() {
    meet(trace::COMMITTED_BY_ANOTHER, &shape(3, 2, 2), &[isolate(Way::In, 1_400)]);
}

#[test]
fn trace_14_a_commit_counts_before_its_own_disk_has_it() {
    let slow = Fault::SlowDisk { whom: PRIMARY, factor: 20, lasts: milliseconds(1_500) };
    meet(trace::COMMITTED_WITHOUT_ITS_OWN_DISK, &shape(3, 2, 2), &[slow]);
}

#[test]
fn trace_15_a_reign_ends_while_a_transaction_over_shards_is_written() {
    let mut shape = shape(3, 4, 3);
    shape.appetite.transactions = 30;
    let stop = |whom| {
        let lasts = milliseconds(1_900);
        vec![Fault::PauseExecutor { whom, executor: 1, lasts }, Fault::Isolate { whom, way: Way::Both, lasts }]
    };
    ambush(trace::TRANSACTION_CUT_SHORT, &shape, Occasion::Gathered, Duration::ZERO, stop);
}

#[test]
fn trace_16_a_transaction_without_effect_is_confirmed() {
    let mut shape = shape(3, 2, 2);
    shape.appetite.transactions = 30;
    meet(trace::TRANSACTION_OF_A_STALE_PRIMARY, &shape, &deaf());
}

#[test]
fn trace_19_a_member_that_cannot_win_every_group_gives_up() {
    // Members 0, 1 and 2 are a majority, and 1 and 2 reach each other through 0 alone.
    let links = [(0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4)];
    let cut = |&(member, other): &(usize, usize)| {
        let lasts = STEP.saturating_sub(milliseconds(100));
        Fault::CutLink { whom: Whom::Member(member), other, way: Way::Both, lasts }
    };
    meet(trace::GAVE_UP, &shape(5, 2, 2), &links.iter().map(cut).collect::<Vec<_>>());
}

#[test]
fn trace_20_a_keepalive_is_confirmed() {
    let mut shape = Shape { clients: 24, ..shape(3, 2, 2) };
    shape.appetite.leases = 30;
    meet(trace::KEEPALIVE_OF_A_STALE_PRIMARY, &shape, &deaf());
}

#[test]
fn trace_21_a_follower_waits_for_the_control_index_too() {
    let mut shape = shape(3, 2, 2);
    (shape.appetite.leases, shape.appetite.compactions) = (10, 6);
    meet(trace::FOLLOWER_LACKS_A_RECORD, &shape, &[Fault::Slow { factor: 5, lasts: milliseconds(900) }]);
}

#[test]
fn trace_22_a_compaction_waits_until_its_revision_is_visible() {
    let mut shape = shape(3, 2, 2);
    (shape.appetite.compactions, shape.appetite.inspections) = (6, 4);
    meet(trace::COMPACTION_ABOVE_VISIBLE, &shape, &[crash(600)]);
}
