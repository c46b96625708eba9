//! The traces that broke an early text of "One clock, many logs", one test each, by their numbers (`plan/scenarios.rs`). Each is
//! played until the run has come into the trace's situation (`record/situations.rs`); the checkers say whether the rule that
//! shuts it held. A test whose situation no longer comes fails, like one whose promise breaks.

use campanile_simulate::campaign::play_world;
use campanile_simulate::plan::scenarios;

/// Seeds that are tried until one comes into the situation.
const SEEDS_MAX: u64 = 12;

fn meet(name: &str) {
    let (_, scenario) = scenarios::ALL.iter().find(|(other, _)| *other == name).expect("it has this name");
    let scenario = scenario();
    for seed in 0..SEEDS_MAX {
        let outcome = play_world(&mut scenario.world(seed));
        assert_eq!(outcome.violation, None, "{name}, seed {seed}");
        assert!(outcome.operations > 100, "{name}, seed {seed}: {} operations", outcome.operations);
        if outcome.counts.of(scenario.situation) > 0 {
            return;
        }
    }
    panic!("no seed below {SEEDS_MAX} comes into the situation of {}", scenario.situation);
}

#[test]
fn trace_1_what_a_deposed_primary_writes_behind_a_fence_is_void() {
    meet("trace-1");
}

#[test]
fn trace_1_what_was_evaluated_before_the_end_is_not_sent_on() {
    meet("trace-1-again");
}

#[test]
fn trace_2_a_base_is_computed_when_the_control_log_is_settled() {
    meet("trace-2");
}

#[test]
fn trace_3_a_primary_that_has_not_opened_answers_no_read() {
    meet("trace-3");
}

#[test]
fn trace_4_a_reign_begins_again_with_an_epoch_of_its_own() {
    meet("trace-4");
}

#[test]
fn trace_5_a_whole_revision_above_a_base_is_void() {
    meet("trace-5");
}

#[test]
fn trace_6_a_log_that_holds_the_cut_is_kept_when_a_checkpoint_is_installed() {
    meet("trace-6");
}

#[test]
fn trace_7_a_start_behind_a_cut_is_like_one_from_the_beginning() {
    meet("trace-7");
}

#[test]
fn trace_7_a_checkpoint_below_a_base_keeps_the_opens_that_it_needs() {
    meet("trace-7-below");
}

#[test]
fn trace_8_what_is_committed_outlives_the_end_of_a_reign() {
    meet("trace-8");
}

#[test]
fn trace_9_a_lease_dies_with_its_keys_or_not_at_all() {
    meet("trace-9");
}

#[test]
fn trace_9_a_revoke_without_keys_waits_for_what_took_them_off() {
    meet("trace-9-keyless");
}

#[test]
fn trace_10_a_record_is_acknowledged_behind_older_writes() {
    meet("trace-10");
}

#[test]
fn trace_11_groups_whose_leader_died_find_another() {
    meet("trace-11");
}

#[test]
fn trace_14_what_a_later_leader_commits_waits_for_the_next_open() {
    meet("trace-14");
}

#[test]
fn trace_14_a_commit_counts_before_its_own_disk_has_it() {
    meet("trace-14-again");
}

#[test]
fn trace_14_nobody_wins_a_group_of_a_reign_that_is_open() {
    meet("trace-14-late");
}

#[test]
fn trace_15_a_reign_ends_while_a_transaction_over_shards_is_written() {
    meet("trace-15");
}

#[test]
fn trace_16_a_transaction_without_effect_is_confirmed() {
    meet("trace-16");
}

#[test]
fn trace_16_an_answer_without_effect_ends_with_its_reign() {
    meet("trace-16-again");
}

#[test]
fn trace_19_a_member_that_cannot_win_every_group_gives_up() {
    meet("trace-19");
}

#[test]
fn trace_19_others_are_served_without_a_member_that_is_lame() {
    meet("trace-19-lame");
}

#[test]
fn trace_20_a_keepalive_is_confirmed() {
    meet("trace-20");
}

#[test]
fn trace_21_a_follower_waits_for_the_control_index_too() {
    meet("trace-21");
}

#[test]
fn trace_22_a_compaction_waits_until_its_revision_is_visible() {
    meet("trace-22");
}

/// A bug that the simulator's checkers had pointed at (seed 184): the epochs of a term that is not durable came twice.
#[test]
fn a_term_that_is_won_twice_has_no_epoch_twice() {
    meet("single-voter");
}

/// A bug that the simulator had found (seed 196): what a primary that was paused wrote down of the next one was told twice.
#[test]
fn a_primary_that_hears_nothing_of_its_end_shows_nothing_of_it() {
    meet("blind");
}

#[test]
fn a_checkpoint_has_what_a_compaction_removes_meanwhile() {
    meet("checkpoint");
}
