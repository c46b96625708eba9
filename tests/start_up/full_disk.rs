//! A full disk, on a file system of its own: nothing is acknowledged that is not durable, nothing acknowledged is lost.

use std::{fs, path::Path, time::Duration};

use campanile_api::etcdserverpb::{PutRequest, RangeRequest};
use campanile_test_support::{Client, Cluster, Seed, disk::Disk, metrics, wait};
use rand::RngCore;

use crate::{member, put};

const SEGMENT_BYTES: u64 = 16 << 20;
const VALUE_BYTES: usize = 256 << 10;
const END_LIMIT: Duration = Duration::from_secs(20);
const CHECKPOINT_LIMIT: Duration = Duration::from_secs(60);
/// So much more log makes a checkpoint due.
const CHECKPOINT_LOG_BYTES: u64 = 2 * SEGMENT_BYTES;
/// Written before: more bytes than the checkpoint then finds room for.
const VALUES: u64 = 640;
/// The counter of finished checkpoints.
const CHECKPOINTS: &str = "etcd_disk_backend_commit_duration_seconds_count";

async fn member_on(data: &Path) -> Cluster {
    let flags = [
        format!("--data-dir={}", data.display()),
        format!("--wal-segment-bytes={SEGMENT_BYTES}"),
        format!("--checkpoint-wal-bytes={}", 1_u64 << 30),
        "--snapshot-count=10".to_owned(),
    ];
    member(&flags).await
}

/// Everything that was acknowledged is there.
async fn has_all(cluster: &Cluster, acknowledged: &[(String, i64)]) {
    let range = RangeRequest { key: "k".into(), range_end: "l".into(), keys_only: true, ..Default::default() };
    let found = cluster.client(0).kv().range(range).await.expect("it serves").into_inner();
    let found: Vec<(String, i64)> =
        found.kvs.iter().map(|kv| (String::from_utf8_lossy(&kv.key).into_owned(), kv.mod_revision)).collect();
    for put in acknowledged {
        assert!(found.contains(put), "{put:?} was acknowledged and is lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_no_room() {
    let Some(disk) = Disk::of(256) else { return };
    let mut cluster = member_on(&disk.path().join("data")).await;
    let client = cluster.client(0);
    let mut acknowledged = Vec::new();
    let ballast = disk.fill_but(SEGMENT_BYTES);
    let mut failed = 0;
    for number in 0..2_000 {
        let key = format!("k/{number}");
        match tokio::time::timeout(Duration::from_secs(5), put(&client, &key, VALUE_BYTES)).await {
            Ok(Some(revision)) => acknowledged.push((key, revision)),
            Ok(None) | Err(_) => failed += 1,
        }
        if failed > 2 {
            break;
        }
    }
    assert!(failed > 0, "{} puts fit on a full disk", acknowledged.len());
    let process = cluster.members[0].process();
    let status = process.ends_within(END_LIMIT).expect("a member that cannot write stops");
    let log = process.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("the log cannot be written") && log.contains("no space left on the device"), "{log}");
    println!("{} puts were acknowledged before the disk was full", acknowledged.len());
    cluster.members[0].bury();
    fs::remove_file(ballast).expect("the ballast goes");
    cluster.start_all().await;
    has_all(&cluster, &acknowledged).await;
    assert!(put(&cluster.client(0), "k/again", VALUE_BYTES).await.is_some(), "there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_has_no_room() {
    let Some(disk) = Disk::of(1024) else { return };
    let mut random = Seed::take("a_checkpoint_has_no_room").part(0);
    let mut cluster = member_on(&disk.path().join("data")).await;
    let mut acknowledged = Vec::new();
    let mut write = async |client: &Client, key: String| {
        let mut value = vec![0; VALUE_BYTES];
        random.fill_bytes(&mut value);
        let put = PutRequest { key: key.clone().into(), value: value.into(), ..Default::default() };
        let answer = client.kv().put(put).await.expect("the log has room").into_inner();
        (key, answer.header.expect("every answer has one").revision)
    };
    for number in 0..VALUES {
        acknowledged.push(write(&cluster.client(0), format!("k/{number}")).await);
    }
    cluster.kill_all();
    // The log's growth since the start makes a checkpoint due: less than the ballast leaves.
    let ballast = disk.fill_but(CHECKPOINT_LOG_BYTES + 4 * SEGMENT_BYTES);
    cluster.members[0].arguments().push(format!("--checkpoint-wal-bytes={CHECKPOINT_LOG_BYTES}"));
    cluster.start_all().await;
    let client = cluster.client(0);
    let member = &cluster.members[0];
    for _ in 0..CHECKPOINT_LOG_BYTES / VALUE_BYTES as u64 {
        write(&client, "overwritten".to_owned()).await;
    }
    wait::until("a checkpoint that fails", CHECKPOINT_LIMIT, async || {
        (member.said("cannot write a checkpoint") > 0).then_some(())
    })
    .await;
    assert!(member.said("leave room for the logs beside") > 0, "it says why");
    acknowledged.push(write(&client, "k/later".to_owned()).await);
    let finished = async || metrics::sample(&member.address, CHECKPOINTS).await.filter(|&finished| finished > 0);
    assert_eq!(finished().await, None, "the checkpoint does not fit");
    fs::remove_file(ballast).expect("the ballast goes");
    // One that is durable is not live before the manifest names it.
    wait::until("a checkpoint that succeeds", CHECKPOINT_LIMIT, async || {
        (member.said("a checkpoint is live") > 0).then_some(())
    })
    .await;
    cluster.kill_all();
    cluster.start_all().await;
    assert!(cluster.members[0].said("loaded a checkpoint") > 0, "it starts from the checkpoint");
    has_all(&cluster, &acknowledged).await;
}
