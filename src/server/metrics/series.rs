//! The series without labels: one cell for each executor, one row for each name.
//!
//! Names, kinds and meanings are etcd's where the name begins with `etcd_` (see its documentation of metrics); what
//! etcd counts for its one Raft group is here the sum over the member's groups.

use super::cells::{Counter, DISK_BOUNDS, Gauge, Histogram, HistogramSum};
use super::text::Text;

/// One executor's cells.
#[derive(Debug)]
pub struct Cells {
    /// Groups of this member that this executor drives.
    pub groups: Gauge,
    /// Those of them that know a leader.
    pub groups_with_leader: Gauge,
    /// 1 on the executor of the control group while this member is the cluster's primary.
    pub is_primary: Gauge,
    /// 1 on the executor of the control group while this member has no vote.
    pub is_learner: Gauge,
    /// Counted by the executor of the control group.
    pub leader_changes: Counter,
    /// The sum of its groups' commit indexes.
    pub proposals_committed: Gauge,
    /// The sum of its groups' applied indexes.
    pub proposals_applied: Gauge,
    /// Requests that wait for their proposals.
    pub proposals_pending: Gauge,
    pub proposals_failed: Counter,
    pub heartbeat_send_failures: Counter,
    pub slow_applies: Counter,
    pub slow_read_indexes: Counter,
    pub failed_read_indexes: Counter,
    pub health_successes: Counter,
    pub health_failures: Counter,
    /// A durable write of the log, from submission to completion.
    pub wal_sync: Histogram,
    /// A checkpoint's file, from its first write until it is durable.
    pub checkpoint_write: Histogram,
    /// Members that fell behind to which a checkpoint began to be sent.
    pub checkpoints_sent: Counter,
    /// Checkpoints of other members that this one installed.
    pub checkpoints_installed: Counter,
    /// Checkpoints of other members that could not be received or installed.
    pub checkpoint_receive_failures: Counter,
    /// Bytes written to the log, its headers and padding left out. Etcd has it as a gauge.
    pub wal_write_bytes: Gauge,
    /// Bytes that its shards' stores take.
    pub store_bytes: Gauge,
    /// Bytes of them that hold what is not compacted.
    pub store_bytes_in_use: Gauge,
    pub puts: Counter,
    pub deletes: Counter,
    pub ranges: Counter,
    pub transactions: Counter,
    /// Living keys of its shards.
    pub keys: Gauge,
    pub watch_streams: Gauge,
    pub watchers: Gauge,
    /// Watchers that read history, because they are behind.
    pub slow_watchers: Gauge,
    /// Events that were handed to watchers.
    pub watch_events: Counter,
    /// Events that wait for watchers to take them.
    /// Set on the executor of the control group.
    pub visible_revision: Gauge,
    /// Set on the executor of the control group.
    pub compacted_revision: Gauge,
    pub leases_granted: Counter,
    pub leases_revoked: Counter,
    pub leases_renewed: Counter,
    pub leases_expired: Counter,
    pub client_received_bytes: Counter,
    pub client_sent_bytes: Counter,
    pub client_connections: Gauge,
    /// The longest poll of the executor's loop yet, in nanoseconds.
    pub poll_longest_nanoseconds: Gauge,
    /// The executor's thread, by which the kernel knows its CPU time. Set when the cells are claimed.
    pub thread_id: Gauge,
}

impl Default for Cells {
    fn default() -> Cells {
        Cells {
            groups: Gauge::default(),
            groups_with_leader: Gauge::default(),
            is_primary: Gauge::default(),
            is_learner: Gauge::default(),
            leader_changes: Counter::default(),
            proposals_committed: Gauge::default(),
            proposals_applied: Gauge::default(),
            proposals_pending: Gauge::default(),
            proposals_failed: Counter::default(),
            heartbeat_send_failures: Counter::default(),
            slow_applies: Counter::default(),
            slow_read_indexes: Counter::default(),
            failed_read_indexes: Counter::default(),
            health_successes: Counter::default(),
            health_failures: Counter::default(),
            wal_sync: Histogram::new(&DISK_BOUNDS),
            checkpoint_write: Histogram::new(&DISK_BOUNDS),
            checkpoints_sent: Counter::default(),
            checkpoints_installed: Counter::default(),
            checkpoint_receive_failures: Counter::default(),
            wal_write_bytes: Gauge::default(),
            store_bytes: Gauge::default(),
            store_bytes_in_use: Gauge::default(),
            puts: Counter::default(),
            deletes: Counter::default(),
            ranges: Counter::default(),
            transactions: Counter::default(),
            keys: Gauge::default(),
            watch_streams: Gauge::default(),
            watchers: Gauge::default(),
            slow_watchers: Gauge::default(),
            watch_events: Counter::default(),
            visible_revision: Gauge::default(),
            compacted_revision: Gauge::default(),
            leases_granted: Counter::default(),
            leases_revoked: Counter::default(),
            leases_renewed: Counter::default(),
            leases_expired: Counter::default(),
            client_received_bytes: Counter::default(),
            client_sent_bytes: Counter::default(),
            client_connections: Gauge::default(),
            poll_longest_nanoseconds: Gauge::default(),
            thread_id: Gauge::default(),
        }
    }
}

/// How a series comes from the executors' cells.
#[derive(Clone, Copy)]
enum Source {
    /// The sum.
    Counter(fn(&Cells) -> &Counter),
    /// The sum.
    Gauge(fn(&Cells) -> &Gauge),
    /// The sum of each bucket.
    Histogram(fn(&Cells) -> &Histogram),
    /// Whatever is computed from all of them.
    Computed(fn(&[&Cells]) -> i64),
    /// One sample for each executor, in seconds, from nanoseconds.
    ExecutorSeconds(fn(&Cells) -> &Gauge),
}

use Source::{Computed, Counter as Sum, ExecutorSeconds, Gauge as Level, Histogram as Buckets};

const ROWS: &[(&str, &str, Source)] = &[
    ("etcd_server_has_leader", "1 if every group of this member knows a leader.", Computed(has_leader)),
    ("etcd_server_is_leader", "1 if this member is the cluster's primary.", Level(|cells| &cells.is_primary)),
    ("etcd_server_is_learner", "1 if this member has no vote.", Level(|cells| &cells.is_learner)),
    ("etcd_server_leader_changes_seen_total", "Changes of the primary.", Sum(|cells| &cells.leader_changes)),
    (
        "etcd_server_proposals_committed_total",
        "Committed entries, of all groups.",
        Level(|cells| &cells.proposals_committed),
    ),
    ("etcd_server_proposals_applied_total", "Applied entries, of all groups.", Level(|cells| &cells.proposals_applied)),
    ("etcd_server_proposals_pending", "Requests waiting for their entries.", Level(|cells| &cells.proposals_pending)),
    ("etcd_server_proposals_failed_total", "Requests whose entries failed.", Sum(|cells| &cells.proposals_failed)),
    (
        "etcd_server_heartbeat_send_failures_total",
        "Heartbeats that could not be sent in time.",
        Sum(|cells| &cells.heartbeat_send_failures),
    ),
    ("etcd_server_slow_apply_total", "Entries that took long to apply.", Sum(|cells| &cells.slow_applies)),
    (
        "etcd_server_slow_read_indexes_total",
        "Confirmations of leadership for reads that took long.",
        Sum(|cells| &cells.slow_read_indexes),
    ),
    (
        "etcd_server_read_indexes_failed_total",
        "Confirmations of leadership for reads that failed.",
        Sum(|cells| &cells.failed_read_indexes),
    ),
    ("etcd_server_health_success", "Health checks answered well.", Sum(|cells| &cells.health_successes)),
    ("etcd_server_health_failures", "Health checks answered badly.", Sum(|cells| &cells.health_failures)),
    (
        "etcd_disk_wal_fsync_duration_seconds",
        "Durable writes of the log, from submission to completion.",
        Buckets(|cells| &cells.wal_sync),
    ),
    (
        "etcd_disk_backend_commit_duration_seconds",
        "Checkpoints, from the first write until they are durable.",
        Buckets(|cells| &cells.checkpoint_write),
    ),
    ("etcd_disk_wal_write_bytes_total", "Bytes written to the log.", Level(|cells| &cells.wal_write_bytes)),
    ("etcd_mvcc_db_total_size_in_bytes", "Bytes that the stores take.", Level(|cells| &cells.store_bytes)),
    (
        "etcd_mvcc_db_total_size_in_use_in_bytes",
        "Bytes of the stores that hold what is not compacted.",
        Level(|cells| &cells.store_bytes_in_use),
    ),
    ("etcd_mvcc_put_total", "Puts.", Sum(|cells| &cells.puts)),
    ("etcd_mvcc_delete_total", "Deletes.", Sum(|cells| &cells.deletes)),
    ("etcd_mvcc_range_total", "Ranges.", Sum(|cells| &cells.ranges)),
    ("etcd_mvcc_txn_total", "Transactions.", Sum(|cells| &cells.transactions)),
    ("etcd_debugging_mvcc_keys_total", "Living keys.", Level(|cells| &cells.keys)),
    ("etcd_debugging_mvcc_watch_stream_total", "Streams of watchers.", Level(|cells| &cells.watch_streams)),
    ("etcd_debugging_mvcc_watcher_total", "Watchers.", Level(|cells| &cells.watchers)),
    ("etcd_debugging_mvcc_slow_watcher_total", "Watchers that are behind.", Level(|cells| &cells.slow_watchers)),
    ("etcd_debugging_mvcc_events_total", "Events handed to watchers.", Sum(|cells| &cells.watch_events)),
    ("etcd_debugging_mvcc_current_revision", "The visible revision.", Level(|cells| &cells.visible_revision)),
    ("etcd_debugging_mvcc_compact_revision", "The compacted revision.", Level(|cells| &cells.compacted_revision)),
    ("etcd_debugging_lease_granted_total", "Granted leases.", Sum(|cells| &cells.leases_granted)),
    ("etcd_debugging_lease_revoked_total", "Revoked leases.", Sum(|cells| &cells.leases_revoked)),
    ("etcd_debugging_lease_renewed_total", "Renewals of leases.", Sum(|cells| &cells.leases_renewed)),
    ("etcd_debugging_server_lease_expired_total", "Expired leases.", Sum(|cells| &cells.leases_expired)),
    (
        "etcd_network_client_grpc_received_bytes_total",
        "Bytes received from clients.",
        Sum(|cells| &cells.client_received_bytes),
    ),
    ("etcd_network_client_grpc_sent_bytes_total", "Bytes sent to clients.", Sum(|cells| &cells.client_sent_bytes)),
    ("campanile_client_connections", "Open connections of clients.", Level(|cells| &cells.client_connections)),
    (
        "campanile_checkpoints_sent_total",
        "Checkpoints that members which fell behind began to be sent.",
        Sum(|cells| &cells.checkpoints_sent),
    ),
    (
        "campanile_checkpoints_installed_total",
        "Checkpoints of other members that this one installed.",
        Sum(|cells| &cells.checkpoints_installed),
    ),
    (
        "campanile_checkpoint_receive_failures_total",
        "Checkpoints of other members that could not be received or installed.",
        Sum(|cells| &cells.checkpoint_receive_failures),
    ),
    ("campanile_groups", "Raft groups that this member takes part in.", Level(|cells| &cells.groups)),
    (
        "campanile_executor_poll_longest_seconds",
        "The longest poll yet of an executor's loop.",
        ExecutorSeconds(|cells| &cells.poll_longest_nanoseconds),
    ),
];

/// All groups have one: the minimum over groups, as a member is of use only if all of them are.
fn has_leader(executors: &[&Cells]) -> i64 {
    let groups: i64 = executors.iter().map(|cells| cells.groups.get()).sum();
    let led: i64 = executors.iter().map(|cells| cells.groups_with_leader.get()).sum();
    i64::from(groups > 0 && led == groups)
}

/// Writes every row.
pub(super) fn render(text: &mut Text, executors: &[&Cells]) {
    for (name, help, source) in ROWS {
        match source {
            Source::Counter(cell) => {
                text.head(name, "counter", help);
                text.sample(name, &[], executors.iter().fold(0_u64, |sum, cells| sum.wrapping_add(cell(cells).get())));
            }
            Source::Gauge(cell) => {
                text.head(name, "gauge", help);
                text.sample(name, &[], executors.iter().map(|cells| cell(cells).get()).sum::<i64>());
            }
            Source::Computed(compute) => {
                text.head(name, "gauge", help);
                text.sample(name, &[], compute(executors));
            }
            Source::Histogram(cell) => {
                text.head(name, "histogram", help);
                let histograms = executors.iter().map(|cells| cell(cells));
                text.histogram(name, &[], &HistogramSum::of(&DISK_BOUNDS, histograms));
            }
            Source::ExecutorSeconds(cell) => {
                text.head(name, "gauge", help);
                for (executor, cells) in executors.iter().enumerate() {
                    let seconds = cell(cells).get() as f64 / 1e9;
                    text.sample(name, &[("executor", &executor.to_string())], seconds);
                }
            }
        }
    }
}
