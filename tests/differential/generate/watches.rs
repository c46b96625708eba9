//! Watchers: from history, from now, from the future, from what is compacted; with each option; and their ends.

use campanile_api::etcdserverpb::{WatchCreateRequest, watch_create_request::FilterType};
use rand::Rng;

use super::Generator;
use crate::{
    horizon::Horizon,
    operation::{Operation, STREAMS},
};

/// Beyond this many watchers the oldest one is cancelled.
const WATCHERS_MAX: usize = 14;
/// Ids that the test gives begin here, far above those that a server hands out by itself.
const GIVEN_IDS_FROM: i64 = 1_000_000;
const UNKNOWN_ID: i64 = 999_999;

impl Generator<'_> {
    pub(super) fn watch_operation(&mut self) -> Operation {
        let live = self.horizon.watchers.len();
        if live > WATCHERS_MAX {
            return self.cancel(0);
        }
        match self.random.random_range(0..100) {
            0..60 => Operation::Watch { stream: self.stream(), request: self.watch() },
            60..63 => Operation::CancelWatch { stream: self.stream(), watch_id: UNKNOWN_ID },
            63..85 if live > 0 => {
                let at = self.random.random_range(0..live);
                self.cancel(at)
            }
            _ => Operation::Progress { stream: self.stream() },
        }
    }

    fn cancel(&self, at: usize) -> Operation {
        let (stream, watch_id) = self.horizon.watchers[at];
        Operation::CancelWatch { stream, watch_id }
    }

    fn stream(&mut self) -> usize {
        self.random.random_range(0..STREAMS)
    }

    fn watch(&mut self) -> WatchCreateRequest {
        if self.percent(4) {
            return self.watch_of_all_history();
        }
        let (key, range_end) = self.key_range();
        let mut filters = Vec::new();
        if self.percent(15) {
            filters.push(FilterType::Noput as i32);
        }
        if self.percent(15) {
            filters.push(FilterType::Nodelete as i32);
        }
        // A watcher that is sent nothing at all never shows that it has caught up, so let it start now.
        let start_revision = if filters.len() == 2 { 0 } else { self.start_revision() };
        WatchCreateRequest {
            key,
            range_end,
            start_revision,
            progress_notify: self.percent(20),
            filters,
            prev_kv: self.percent(40),
            watch_id: self.watch_id(),
            fragment: self.percent(30),
        }
    }

    /// The largest answer there is: it comes in fragments.
    fn watch_of_all_history(&mut self) -> WatchCreateRequest {
        WatchCreateRequest {
            key: "\0".into(),
            range_end: "\0".into(),
            start_revision: self.horizon.compacted.max(1),
            prev_kv: true,
            fragment: true,
            ..Default::default()
        }
    }

    fn start_revision(&mut self) -> i64 {
        let Horizon { revision, compacted, .. } = *self.horizon;
        match self.random.random_range(0..100) {
            0..35 => 0,
            35..75 => self.random.random_range(compacted.max(1)..=revision),
            75..80 => compacted,
            80..88 => self.random.random_range(0..=compacted),
            88..92 => revision + 1,
            92..97 => revision + self.random.random_range(2..30),
            _ => -1,
        }
    }

    /// The server's choice, one of ours, or rarely one that is taken.
    fn watch_id(&mut self) -> i64 {
        match self.random.random_range(0..100) {
            0..50 => 0,
            50..95 => GIVEN_IDS_FROM + self.number as i64,
            _ => self.horizon.watchers.last().map_or(0, |&(_, id)| id),
        }
    }
}
