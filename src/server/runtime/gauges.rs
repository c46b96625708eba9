//! What an executor looks up for `/metrics` and for the member's status: once a tick, not on the hot path.

use super::driver::Driver;
use campanile_core::executor::Executor;
use campanile_core::executor::effect::Input;
use campanile_core::group::Role;
use std::time::Duration;

impl Driver {
    /// A heartbeat interval has passed.
    pub fn tick(&self) {
        self.input(Input::Tick);
        self.with_core(|core| self.measure(core));
    }

    /// The time between two ticks. A primary that is late by as much as etcd's leader may be has sent its heartbeats late.
    pub fn note_tick(&self, took: Duration, interval: Duration) {
        if took > interval * 2 && self.with_core(|core| core.is_control() && core.is_serving()) {
            Driver::metrics(self).heartbeat_send_failures.increment();
        }
    }

    fn measure(&self, core: &Executor) {
        let metrics = Driver::metrics(self);
        let (mut bytes, mut bytes_in_use, mut keys, mut groups_led_by_somebody) = (0, 0, 0, 0);
        let (mut watchers, mut slow_watchers, mut committed) = (0, 0, 0);
        let mut groups = 0;
        let (waiting, streams) = self.under_way();
        metrics.proposals_pending.set(signed(waiting));
        metrics.watch_streams.set(signed(streams));
        for shard in core.shards() {
            groups += 1;
            bytes += shard.store.bytes();
            bytes_in_use += shard.store.bytes_in_use();
            keys += shard.store.keys();
            committed += shard.group.commit().0;
            let led = shard.group.leader().is_some() || shard.group.role() == Role::Leader;
            groups_led_by_somebody += i64::from(led);
            let (live, behind) = shard.watches.watchers();
            watchers += live + behind;
            slow_watchers += behind;
        }
        metrics.store_bytes.set(signed(bytes));
        metrics.store_bytes_in_use.set(signed(bytes_in_use));
        metrics.keys.set(signed(keys));
        metrics.watchers.set(signed(watchers));
        metrics.slow_watchers.set(signed(slow_watchers));
        metrics.groups.set(groups + i64::from(core.is_control()));
        metrics
            .groups_with_leader
            .set(groups_led_by_somebody + i64::from(core.is_control() && self.leader().is_some()));
        metrics.proposals_committed.set(committed.cast_signed());
        metrics.proposals_applied.set(committed.cast_signed());
        if core.is_control() {
            metrics.is_primary.set(i64::from(core.is_serving()));
            metrics.visible_revision.set(core.visible().0);
            let compacted = core.shards().map(|shard| shard.store.compacted().0).min();
            metrics.compacted_revision.set(compacted.unwrap_or_default());
        }
    }
}

fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
