//! Members that are configured to be of different clusters, and find each other at the peers' addresses.

use std::time::Duration;

use campanile_test_support::{Cluster, Options, ports, wait};

use crate::{program, put};

const COMPLAINT_LIMIT: Duration = Duration::from_secs(20);
/// So long the strangers knock again and again.
const KNOCKING: Duration = Duration::from_secs(3);

/// A single member of a cluster of two, whose other member is at `other`, with this token.
fn half(peer: u16, other: u16, at: usize, token: &str) -> Cluster {
    let (names, ports) = (["a", "b"], if at == 0 { [peer, other] } else { [other, peer] });
    let flags = vec![
        format!("--name={}", names[at]),
        format!("--initial-cluster=a=http://127.0.0.1:{},b=http://127.0.0.1:{}", ports[0], ports[1]),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-cluster-token={token}"),
    ];
    Cluster::begin(&program(), &Options { flags, ..Options::default() })
}

fn complaints(cluster: &mut Cluster) -> usize {
    let log = cluster.members[0].process().log();
    log.lines()
        .filter(|line| line.contains("cluster") && (line.contains("\"warn\"") || line.contains("\"error\"")))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_of_another_token_are_refused_and_told_of_once() {
    let (left, right) = (ports::free(), ports::free());
    let mut halves = [half(left, right, 0, "one"), half(right, left, 1, "another")];
    for half in &mut halves {
        wait::until("a complaint", COMPLAINT_LIMIT, || {
            let count = complaints(half);
            async move { (count > 0).then_some(()) }
        })
        .await;
    }
    tokio::time::sleep(KNOCKING).await;
    for half in &mut halves {
        assert!(half.members[0].process().ended().is_none(), "both keep running");
        let log = half.members[0].process().log();
        assert!(complaints(half) <= 2, "once for each direction:\n{log}");
        let asked = tokio::time::timeout(Duration::from_millis(500), put(&half.client(0), "k", 1)).await;
        assert!(!matches!(asked, Ok(Some(_))), "half a cluster acknowledges nothing");
    }
}
