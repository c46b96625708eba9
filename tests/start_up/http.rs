//! Plain HTTP beside gRPC: health and version in etcd's form, and the series of metrics that its dashboards ask for.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use campanile_api::etcdserverpb::LeaseGrantRequest;
use campanile_test_support::{Cluster, Options, Program, tools, wait};

use crate::{member, put};

const EXPIRY_LIMIT: Duration = Duration::from_secs(20);
/// Many heartbeat intervals.
const HOLD_UP: Duration = Duration::from_secs(1);
const TICK_LIMIT: Duration = Duration::from_secs(5);

/// What etcd's dashboards and alerts query, as far as this version has it.
const CONTRACT: &[&str] = &[
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
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
    "etcd_server_id",
    "etcd_server_version",
    "etcd_cluster_version",
    "etcd_disk_wal_fsync_duration_seconds",
    "etcd_disk_backend_commit_duration_seconds",
    "etcd_mvcc_db_total_size_in_bytes",
    "etcd_mvcc_db_total_size_in_use_in_bytes",
    "etcd_mvcc_put_total",
    "etcd_mvcc_delete_total",
    "etcd_mvcc_range_total",
    "etcd_mvcc_txn_total",
    "etcd_network_client_grpc_received_bytes_total",
    "etcd_network_client_grpc_sent_bytes_total",
    "grpc_server_started_total",
    "grpc_server_handled_total",
    "grpc_server_msg_received_total",
    "grpc_server_msg_sent_total",
];

/// Status and body.
fn get(address: &str, target: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).expect("the server accepts");
    write!(socket, "GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("a request is sent");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("an answer is read");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (status, if is_chunked { unchunked(body) } else { body.to_owned() })
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a chunk's length");
        whole.push_str(&rest[..length]);
        body = rest[length..].trim_start_matches("\r\n");
    }
    whole
}

/// The type of every series.
fn types(metrics: &str) -> BTreeMap<&str, &str> {
    metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

/// The sum of a series' samples.
fn value(metrics: &str, name: &str) -> f64 {
    let of_series = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    metrics.lines().filter(of_series).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contracts_series_have_etcds_types() {
    let subject = member(&[]).await;
    let (_, ours) = get(&subject.members[0].address, "/metrics");
    let ours = types(&ours);
    let missing: Vec<_> = CONTRACT.iter().filter(|name| !ours.contains_key(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let Some(judge) = tools::judge() else { return };
    let etcd = Cluster::start(&Program::at(&judge.path), &Options::default()).await;
    let (_, theirs) = get(&etcd.members[0].address, "/metrics");
    let theirs = types(&theirs);
    let differing: Vec<_> =
        ours.iter().filter(|(name, kind)| theirs.get(*name).is_some_and(|theirs| theirs != *kind)).collect();
    assert!(differing.is_empty(), "etcd has other types for {differing:?}");
    let unknown: Vec<_> = CONTRACT.iter().filter(|name| !theirs.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "etcd has no {unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let subject = member(&[]).await;
    let address = &subject.members[0].address;
    for number in 0..10 {
        put(&subject.client(0), &format!("k/{number}"), 100).await.expect("a put is acknowledged");
    }
    assert_eq!(get(address, "/health").0, 200);
    // Some are looked up once a tick only.
    let committed = || async {
        let metrics = get(address, "/metrics").1;
        (value(&metrics, "etcd_server_proposals_committed_total") >= 10.0).then_some(metrics)
    };
    let metrics = wait::until("a tick", TICK_LIMIT, committed).await;
    for (name, least) in [
        ("etcd_mvcc_put_total", 10.0),
        ("etcd_mvcc_range_total", 1.0),
        ("etcd_disk_wal_fsync_duration_seconds_count", 10.0),
        ("etcd_disk_wal_fsync_duration_seconds_sum", 1e-6),
        ("etcd_disk_wal_write_bytes_total", 1_000.0),
        ("etcd_server_health_success", 1.0),
        ("etcd_network_client_grpc_received_bytes_total", 1_000.0),
        ("grpc_server_handled_total", 10.0),
        ("campanile_client_connections", 1.0),
        ("process_resident_memory_bytes", 1e6),
    ] {
        let found = value(&metrics, name);
        assert!(found >= least, "{name} is {found}, less than {least}");
    }
    assert_eq!(value(&metrics, "etcd_mvcc_put_total"), 10.0);
    assert_eq!(value(&metrics, "etcd_server_has_leader"), 1.0);
    assert_eq!(value(&metrics, "etcd_server_is_leader"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_by_itself_is_counted() {
    let subject = member(&[]).await;
    let address = &subject.members[0].address;
    let grant = LeaseGrantRequest { ttl: 1, ..Default::default() };
    subject.client(0).lease().lease_grant(grant).await.expect("a lease is granted");
    wait::until("a lease that ran out", EXPIRY_LIMIT, || async {
        let metrics = get(address, "/metrics").1;
        (value(&metrics, "etcd_debugging_server_lease_expired_total") == 1.0).then_some(())
    })
    .await;
}

/// A member that is held up finds, once it goes on, that it was late as a leader.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_is_counted() {
    let subject = member(&[]).await;
    let address = subject.members[0].address.clone();
    let client = subject.client(0);
    let process = subject.members[0].process_id().expect("it runs").cast_signed();
    let signal = |signal| {
        let process = rustix::process::Pid::from_raw(process).expect("a process has a number");
        rustix::process::kill_process(process, signal).expect("it is this test's own");
    };
    signal(rustix::process::Signal::STOP);
    std::thread::sleep(HOLD_UP);
    signal(rustix::process::Signal::CONT);
    client.probe().await.expect("it goes on");
    let late = || async {
        let metrics = get(&address, "/metrics").1;
        (value(&metrics, "etcd_server_heartbeat_send_failures_total") >= 1.0).then_some(())
    };
    wait::until("a late heartbeat", TICK_LIMIT, late).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_version_are_etcds() {
    let subject = member(&[]).await;
    let address = &subject.members[0].address;
    assert_eq!(get(address, "/health"), (200, r#"{"health":"true","reason":""}"#.to_owned()));
    assert_eq!(get(address, "/health?serializable=true").0, 200);
    for path in ["/livez", "/readyz", "/readyz/linearizable_read", "/livez/serializable_read"] {
        assert_eq!(get(address, path), (200, "ok\n".to_owned()), "{path}");
    }
    assert!(get(address, "/readyz?verbose").1.contains("[+]linearizable_read ok\n"));
    let (status, version) = get(address, "/version");
    assert!(status == 200 && version.contains(r#""etcdserver":"3.5.21""#), "{version}");
    assert!(version.contains(r#""etcdcluster":"3.5"#), "{version}");
    let (status, text) = get(address, "/nothing");
    assert_eq!((status, text.as_str()), (404, "404 page not found\n"));
    let Some(judge) = tools::judge() else { return };
    let etcd = Cluster::start(&Program::at(&judge.path), &Options::default()).await;
    for target in ["/health", "/health?serializable=true", "/nothing"] {
        assert_eq!(get(address, target), get(&etcd.members[0].address, target), "{target}");
    }
}
