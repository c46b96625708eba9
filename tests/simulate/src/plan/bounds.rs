//! How much may wait in a run, and how much one poll does. What the server allows is far more than a run asks for, so in a
//! third of the runs every bound may be so low that it is met.

use crate::dice::{Dice, Part};
use campanile_core::bounds::Bounds;
use campanile_core::group::GroupBounds;
use campanile_core::watch::SliceLimits;

/// Lowers bounds, in a third of the runs; also what a record of the log holds, in bytes.
pub fn narrow(seed: u64, bounds: &mut Bounds, record_bytes_max: &mut usize) {
    let dice = &mut Dice::of(seed, Part::Bounds);
    if !dice.one_in(3) {
        return;
    }
    let usual = Bounds::default();
    bounds.slice_keys_max = dice.pick(&[1, 3, usual.slice_keys_max]);
    bounds.hash_entries_max = dice.pick(&[1, 5, usual.hash_entries_max]);
    bounds.compaction_steps_max = dice.pick(&[2, 5, usual.compaction_steps_max]);
    bounds.expired_leases_max = dice.pick(&[1, usual.expired_leases_max]);
    bounds.watched_changes_max = dice.pick(&[1, 3, usual.watched_changes_max]);
    bounds.turns_max = dice.pick(&[1, 2, usual.turns_max]);
    bounds.held_requests_max = dice.pick(&[1, 4, usual.held_requests_max]);
    bounds.reads_max = dice.pick(&[1, 4, usual.reads_max]);
    bounds.questions_max = dice.pick(&[1, 2, usual.questions_max]);
    bounds.transactions_max = dice.pick(&[1, 3, usual.transactions_max]);
    bounds.shared_pause_max = dice.pick(&[1, 2, usual.shared_pause_max]);
    bounds.paused_writes_max = dice.pick(&[1, 4, usual.paused_writes_max]);
    bounds.hashes_max = dice.pick(&[1, usual.hashes_max]);
    bounds.group = GroupBounds {
        message_bytes_max: dice.pick(&[1, 300, usual.group.message_bytes_max]),
        messages_in_flight_max: dice.pick(&[1, 2, usual.group.messages_in_flight_max]),
        committed_bytes_max: dice.pick(&[1, 300, usual.group.committed_bytes_max]),
        uncommitted_bytes_max: dice.pick(&[1, 500, usual.group.uncommitted_bytes_max]),
    };
    bounds.slices = SliceLimits {
        events: dice.pick(&[1, 3, usual.slices.events]),
        bytes: dice.pick(&[1, 200, usual.slices.bytes]),
        registrations: dice.pick(&[1, 2, usual.slices.registrations]),
    };
    bounds.window_revisions = dice.pick(&[1, 4, usual.window_revisions]);
    *record_bytes_max = dice.pick(&[1, 300, *record_bytes_max]);
}
