//! Effects that are far larger than their requests, and polls that take more than one entry of a log holds: one deletion or
//! one revoked lease removes every key there is, whole, at one revision, on every member, whatever dies meanwhile.
//!
//! | variable | meaning | default | campaign |
//! | --- | --- | --- | --- |
//! | `CAMPANILE_LARGE_KEYS` | keys that one request removes | 60,000 | 1,000,000 |
//! | `CAMPANILE_LARGE_KEY_BYTES` | how long each of them is | 100 | 256 |
//! | `CAMPANILE_SUBJECT` | puts another program in Campanile's place | | |

mod filling;
mod scene;

use campanile_api::etcdserverpb::{DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest};
use campanile_test_support::{Client, Program};
use filling::{Filling, PREFIX, PREFIX_END};
use scene::Scene;
use std::time::{Duration, Instant};

/// A value that leaves room for nothing much else in a request of etcd's default bound, 1.5 MiB.
const LARGE_VALUE_BYTES: usize = 1_400 << 10;
const LARGE_PUTS: usize = 32;
/// A killed server's request is given up after so long.
const PATIENCE: Duration = Duration::from_secs(120);

fn subject() -> Program {
    Program::subject(env!("CARGO_BIN_EXE_campanile"))
}

fn everything() -> DeleteRangeRequest {
    DeleteRangeRequest { key: PREFIX.into(), range_end: PREFIX_END.into(), ..Default::default() }
}

/// Deletes all keys by one request. Answers with the revision.
async fn delete_everything(client: &Client, keys: u64) -> i64 {
    let begun = Instant::now();
    let answer = client.kv().delete_range(everything()).await.expect("a deletion has no bound").into_inner();
    println!("{keys} keys were deleted in {:.2?}", begun.elapsed());
    assert_eq!(answer.deleted, i64::try_from(keys).expect("a number of keys"));
    answer.header.expect("answers have a header").revision
}

async fn deletion(members: usize, shards: usize) {
    let filling = Filling::from_environment();
    let mut scene = Scene::open(&subject(), members, shards).await;
    let before = scene.fill(&filling, 0).await;
    let watched = scene.watch(before + 1).await;
    let client = scene.cluster.client(0);
    let revision = delete_everything(&client, filling.keys).await;
    assert_eq!(revision, before + 1, "one request is one revision");
    assert_eq!(watched.await.expect("the watch ends by itself"), (filling.keys, revision), "it is watched whole");
    scene.cluster.kill_all();
    scene.recover().await;
    scene.holds(0, revision).await;
    scene.agrees(revision).await;
}

/// A deletion that nobody waits for the end of: all members die while it is under way. All of it is there, or nothing.
async fn interrupted_deletion(members: usize, shards: usize) {
    let filling = Filling::from_environment();
    let mut scene = Scene::open(&subject(), members, shards).await;
    let mut before = scene.fill(&filling, 0).await;
    for delay_ms in [0, 5, 20, 80, 200] {
        let client = scene.cluster.client(0);
        let deletion = tokio::spawn(async move { client.kv().delete_range(everything()).await });
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        scene.cluster.kill_all();
        let answered = tokio::time::timeout(PATIENCE, deletion).await.expect("the connection broke").expect("no panic");
        scene.recover().await;
        let revision = scene.cluster.client(0).revision().await.expect("a settled member answers");
        println!("killed after {delay_ms} ms: answered {}, revision {before} became {revision}", answered.is_ok());
        assert!(revision == before || revision == before + 1, "a revision nobody asked for");
        assert!(answered.is_err() || revision == before + 1, "an acknowledged deletion is lost");
        scene.holds(if revision == before { filling.keys } else { 0 }, revision).await;
        scene.agrees(revision).await;
        before = if revision == before { before } else { scene.fill(&filling, 0).await };
    }
}

async fn revoke(members: usize, shards: usize) {
    const LEASE: i64 = 7;
    let filling = Filling::from_environment();
    let mut scene = Scene::open(&subject(), members, shards).await;
    let client = scene.cluster.client(0);
    client.lease().lease_grant(LeaseGrantRequest { ttl: 100_000, id: LEASE }).await.expect("a lease is granted");
    let before = scene.fill(&filling, LEASE).await;
    let begun = Instant::now();
    client.lease().lease_revoke(LeaseRevokeRequest { id: LEASE }).await.expect("a lease is revoked");
    println!("a lease of {} keys was revoked in {:.2?}", filling.keys, begun.elapsed());
    scene.holds(0, before + 1).await;
    scene.cluster.kill_all();
    scene.recover().await;
    scene.holds(0, before + 1).await;
    scene.agrees(before + 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_deletes_everything_on_one_shard() {
    deletion(1, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_deletes_everything_on_four_shards() {
    deletion(1, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_deletes_everything_on_three_members() {
    deletion(3, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_deletes_everything_on_four_shards_of_three_members() {
    deletion(3, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_deletion_is_whole_or_nothing() {
    interrupted_deletion(1, 1).await;
    interrupted_deletion(3, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_takes_all_its_keys_along() {
    revoke(1, 1).await;
    revoke(3, 4).await;
}

/// Requests that one poll takes together are more than an entry holds, and more than a record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_puts_at_once() {
    let mut scene = Scene::open(&subject(), 1, 1).await;
    let client = scene.cluster.client(0);
    let put = |number: usize| {
        let client = client.clone();
        let value = vec![u8::try_from(number).expect("few puts"); LARGE_VALUE_BYTES].into();
        tokio::spawn(async move {
            let put = PutRequest { key: format!("{PREFIX}{number}").into(), value, ..Default::default() };
            client.kv().put(put).await
        })
    };
    for put in (0..LARGE_PUTS).map(put).collect::<Vec<_>>() {
        put.await.expect("no panic").expect("a put within the bound of requests");
    }
    let revision = 1 + i64::try_from(LARGE_PUTS).expect("few puts");
    scene.holds(LARGE_PUTS as u64, revision).await;
    scene.cluster.kill_all();
    scene.recover().await;
    scene.holds(LARGE_PUTS as u64, revision).await;
}
