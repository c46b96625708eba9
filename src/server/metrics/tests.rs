//! A scrape as Prometheus sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use campanile_config::MetricsDetail;
use campanile_rpc::{Code, Kind, Meter, Method};

use super::{Identity, Registry};

static METHODS: [Method; 2] = [
    Method { service: "etcdserverpb.KV", name: "Range", kind: Kind::Unary, index: 0 },
    Method { service: "etcdserverpb.Watch", name: "Watch", kind: Kind::BidirectionalStream, index: 1 },
];

fn identity(detail: MetricsDetail) -> Identity {
    Identity { member_id: 0x8e9e_05c5_2164_694d, quota_bytes: Some(2 << 30), detail }
}

/// The samples by name and labels. Fails if the text breaks the format's rules.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut current = String::new();
    let mut described = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && described.insert(name.to_owned()), "{name} is described once");
            name.clone_into(&mut current);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(&current), "{line} stands below {current}");
            assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{name} stands twice");
        }
    }
    samples
}

#[test]
fn what_dashboards_ask_for_is_there() {
    let registry = Registry::new(identity(MetricsDetail::Extensive), 2, &METHODS);
    let metrics = registry.claim(0);
    let _ = metrics.peer_slot(7);
    let samples = samples(&registry.render());
    for name in [
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_start_time_seconds",
        "process_open_fds",
        "process_max_fds",
        "os_fd_used",
        "os_fd_limit",
        "etcd_server_has_leader",
        "etcd_server_is_leader",
        "etcd_server_is_learner",
        "etcd_server_leader_changes_seen_total",
        "etcd_server_proposals_committed_total",
        "etcd_server_proposals_applied_total",
        "etcd_server_proposals_pending",
        "etcd_server_proposals_failed_total",
        "etcd_server_quota_backend_bytes",
        "etcd_server_health_success",
        "etcd_server_health_failures",
        "etcd_server_heartbeat_send_failures_total",
        "etcd_server_slow_apply_total",
        "etcd_server_slow_read_indexes_total",
        "etcd_server_id{server_id=\"8e9e05c52164694d\"}",
        "etcd_server_version{server_version=\"3.5.21\"}",
        "etcd_cluster_version{cluster_version=\"3.5\"}",
        "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"}",
        "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"8.192\"}",
        "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"}",
        "etcd_disk_backend_commit_duration_seconds_sum",
        "etcd_mvcc_db_total_size_in_bytes",
        "etcd_mvcc_db_total_size_in_use_in_bytes",
        "etcd_mvcc_put_total",
        "etcd_mvcc_delete_total",
        "etcd_mvcc_range_total",
        "etcd_mvcc_txn_total",
        "etcd_network_client_grpc_received_bytes_total",
        "etcd_network_client_grpc_sent_bytes_total",
        "etcd_network_peer_sent_bytes_total{To=\"7\"}",
        "etcd_network_peer_received_bytes_total{From=\"7\"}",
        "etcd_network_peer_sent_failures_total{To=\"7\"}",
        "etcd_network_peer_round_trip_time_seconds_bucket{To=\"7\",le=\"0.0001\"}",
        "grpc_server_started_total{grpc_service=\"etcdserverpb.KV\",grpc_method=\"Range\",grpc_type=\"unary\"}",
        "grpc_server_handling_seconds_count{grpc_service=\"etcdserverpb.Watch\",grpc_method=\"Watch\",grpc_type=\"bidi_stream\"}",
        "campanile_executor_cpu_seconds_total{executor=\"0\"}",
    ] {
        assert!(samples.contains_key(name), "{name} is missing");
    }
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(samples["process_start_time_seconds"] > 1.7e9);
}

#[test]
fn executors_are_added_up() {
    let registry = Registry::new(identity(MetricsDetail::Basic), 2, &METHODS);
    let threads: Vec<_> = (0..2)
        .map(|executor| {
            let registry = std::sync::Arc::clone(&registry);
            std::thread::spawn(move || {
                let metrics = registry.claim(executor);
                for _ in 0..1_000 {
                    metrics.puts.increment();
                    metrics.wal_sync.observe(Duration::from_micros(90));
                }
                metrics.keys.set(5 - 7 * i64::try_from(executor).unwrap());
                metrics.peer(metrics.peer_slot(3)).sent_bytes.add(10);
                metrics.started(&METHODS[0]);
                metrics.handled(&METHODS[0], Code::Unavailable, Duration::from_secs(1));
                metrics.transferred(3, 4);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let samples = samples(&registry.render());
    let range = "grpc_service=\"etcdserverpb.KV\",grpc_method=\"Range\",grpc_type=\"unary\"";
    for (name, expected) in [
        ("etcd_mvcc_put_total", 2_000.0),
        ("etcd_debugging_mvcc_keys_total", 3.0),
        ("etcd_disk_wal_fsync_duration_seconds_count", 2_000.0),
        ("etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.0000625\"}", 0.0),
        ("etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.000125\"}", 2_000.0),
        ("etcd_disk_wal_fsync_duration_seconds_sum", 0.18),
        ("etcd_network_peer_sent_bytes_total{To=\"3\"}", 20.0),
        ("etcd_network_client_grpc_sent_bytes_total", 8.0),
        (&format!("grpc_server_started_total{{{range}}}"), 2.0),
        (&format!("grpc_server_handled_total{{grpc_code=\"Unavailable\",{range}}}"), 2.0),
        (&format!("grpc_server_handled_total{{grpc_code=\"OK\",{range}}}"), 0.0),
    ] {
        assert_eq!(samples[name], expected, "{name}");
    }
    assert!(!samples.keys().any(|name| name.starts_with("grpc_server_handling_seconds")), "only in detail");
}

#[test]
fn a_member_has_a_leader_if_all_its_groups_have() {
    let registry = Registry::new(identity(MetricsDetail::Basic), 2, &METHODS);
    let (first, second) = (registry.claim(0), registry.claim(1));
    let has_leader = || samples(&registry.render())["etcd_server_has_leader"];
    assert_eq!(has_leader(), 0.0, "no group is no leader");
    first.groups.set(2);
    first.groups_with_leader.set(2);
    assert_eq!(has_leader(), 1.0);
    second.groups.set(1);
    assert_eq!(has_leader(), 0.0);
    second.groups_with_leader.set(1);
    assert_eq!(has_leader(), 1.0);
}

#[test]
#[should_panic(expected = "claims its metrics once")]
fn cells_have_one_owner() {
    let registry = Registry::new(identity(MetricsDetail::Basic), 1, &METHODS);
    let _first = registry.claim(0);
    let _second = registry.claim(0);
}
