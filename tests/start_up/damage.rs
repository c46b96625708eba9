//! Files that are damaged or half-written. What was durable and is gone is told, with the file; what never was is no loss.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use campanile_test_support::{Cluster, wait};

use crate::{member, outcome, put};

const CHECKPOINT_LIMIT: Duration = Duration::from_secs(30);
const MIB: u64 = 1 << 20;

/// All files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn data(cluster: &Cluster) -> PathBuf {
    cluster.folder().join("m0")
}

/// Where the files of the log hold anything but zeros: each with the offset of its last byte.
fn written(cluster: &Cluster) -> Vec<(PathBuf, u64)> {
    let logs = files(&data(cluster)).into_iter().filter(|path| {
        path.components().any(|part| part.as_os_str() == "wal" || part.as_os_str().to_string_lossy().contains("log"))
    });
    let last = |path: PathBuf| {
        let bytes = fs::read(&path).expect("it can be read");
        bytes.iter().rposition(|byte| *byte != 0).map(|at| (path, at as u64))
    };
    logs.filter_map(last).collect()
}

/// A record of the log begins with a block, and the rest of its last block is nobody's.
const BLOCK_BYTES: u64 = 4096;
const WITHIN_A_RECORD: u64 = 40;

fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("it can be opened");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("it is that long");
    file.write_all_at(&[!byte[0]], offset).expect("it can be written");
}

async fn fill(cluster: &Cluster, puts: usize) {
    let client = cluster.client(0);
    for number in 0..puts {
        assert!(put(&client, &format!("k/{number}"), 4_096).await.is_some(), "put {number} is acknowledged");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_midst_of_the_log() {
    let mut cluster = member(&[]).await;
    fill(&cluster, 100).await;
    cluster.kill_all();
    let (log, end) = written(&cluster).into_iter().max_by_key(|(_, end)| *end).expect("a log");
    let middle = end / 2 / BLOCK_BYTES * BLOCK_BYTES + WITHIN_A_RECORD;
    flip(&log, middle);
    let name = log.file_name().expect("a name").to_string_lossy().into_owned();
    outcome::start_again(&mut cluster, &[]).is_refusal(&[&name, "is damaged at byte"]);
    // The file is as it was found: mended, it starts, and has everything.
    flip(&log, middle);
    cluster.start_all().await;
    assert_eq!(cluster.client(0).revision().await.expect("it serves"), 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail() {
    let mut cluster = member(&[]).await;
    fill(&cluster, 50).await;
    cluster.kill_all();
    // What a write leaves that was cut off by a power loss: garbage behind the end that was durable.
    for (log, end) in written(&cluster) {
        let file = OpenOptions::new().write(true).open(&log).expect("it can be opened");
        let behind = (end / 4_096 + 1) * 4_096;
        if behind + 4_096 < file.metadata().expect("its size").len() {
            file.write_all_at(&[0xa5; 700], behind).expect("it can be written");
        }
    }
    cluster.start_all().await;
    assert_eq!(cluster.client(0).revision().await.expect("it serves"), 51);
    fill(&cluster, 10).await;
    cluster.kill_all();
    cluster.start_all().await;
    assert_eq!(cluster.client(0).revision().await.expect("it serves"), 61);
}

fn checkpoints(cluster: &Cluster) -> Vec<PathBuf> {
    let all = files(&data(cluster));
    all.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "checkpoint")).collect()
}

fn frequent_checkpoints() -> Vec<String> {
    ["--snapshot-count=100", "--checkpoint-wal-bytes=33554432", "--wal-segment-bytes=16777216"]
        .map(str::to_owned)
        .into()
}

/// Writes until so many checkpoints stand.
async fn until_checkpoints(cluster: &Cluster, count: usize) {
    let client = cluster.client(0);
    wait::until("checkpoints", CHECKPOINT_LIMIT, || async {
        for number in 0..8 {
            put(&client, &format!("c/{number}"), MIB as usize).await.expect("a put is acknowledged");
        }
        (checkpoints(cluster).len() >= count).then_some(())
    })
    .await;
}

/// The newest checkpoint that the member would start from, once none is being written. They are numbered from one, and a
/// file that was finished is not yet live.
async fn newest_live_checkpoint(cluster: &Cluster) -> PathBuf {
    wait::until("no checkpoint is being written", CHECKPOINT_LIMIT, || async {
        let live = cluster.members[0].said("a checkpoint is live");
        let newest = checkpoints(cluster).pop().filter(|path| path.ends_with(format!("{live:016x}.checkpoint")));
        let unfinished =
            files(&data(cluster)).iter().any(|path| path.extension().is_some_and(|end| end == "unfinished"));
        newest.filter(|_| !unfinished)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn half_written_checkpoints_and_manifests() {
    let mut cluster = member(&frequent_checkpoints()).await;
    until_checkpoints(&cluster, 1).await;
    let revision = cluster.client(0).revision().await.expect("it serves");
    cluster.kill_all();
    let whole = checkpoints(&cluster).pop().expect("a checkpoint");
    let bytes = fs::read(&whole).expect("it can be read");
    let unfinished = whole.with_file_name("00000000000000ff.unfinished");
    fs::write(&unfinished, &bytes[..bytes.len() / 2]).expect("half a checkpoint");
    fs::write(data(&cluster).join("manifest.unfinished"), b"half a manifest").expect("half a manifest");
    cluster.start_all().await;
    assert_eq!(cluster.client(0).revision().await.expect("it serves"), revision);
    assert!(!unfinished.exists(), "what is half-written goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_newest_checkpoint() {
    let mut cluster = member(&frequent_checkpoints()).await;
    until_checkpoints(&cluster, 2).await;
    let revision = cluster.client(0).revision().await.expect("it serves");
    let newest = newest_live_checkpoint(&cluster).await;
    cluster.kill_all();
    let middle = fs::metadata(&newest).expect("its size").len() / 2;
    flip(&newest, middle);
    // The log behind the newest one may be gone; then it refuses, names the file that is damaged, and touches nothing.
    let name = newest.file_name().expect("a name").to_string_lossy().into_owned();
    let before = outcome::start_again(&mut cluster, &[]);
    before.is_refusal(&[&name, "is damaged at byte", "the one before", "from a backup"]);
    flip(&newest, middle);
    cluster.start_all().await;
    assert_eq!(cluster.client(0).revision().await.expect("it serves"), revision);
}
