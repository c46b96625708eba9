//! What kill -9 cannot show: between a write and its acknowledgement the devices of a majority are flushed.
//!
//! It tells the good from the bad: etcd 3.5.1 with a single member acknowledges what no flush has followed (etcd's pull
//! request 14424), 3.7.1 does not. `CAMPANILE_SUBJECT` shows it.
//!
//! Needs root, for devices to which nobody else writes; skipped without, but fails in continuous integration.

use campanile_api::etcdserverpb::PutRequest;
use campanile_test_support::{Cluster, Options, disk::Disk};

use crate::subject;

const DISK_MIB: u64 = 256;
/// Leaves room for the spare segments of a small disk.
const SEGMENT_BYTES: u64 = 16 << 20;
const PUTS: usize = 200;

async fn each_write_is_flushed(members: usize) {
    let Some(disks) = (0..members).map(|_| Disk::of(DISK_MIB)).collect::<Option<Vec<Disk>>>() else { return };
    let program = subject();
    let mut options = Options { members, shards: 2, ..Options::default() };
    options.data_folders = disks.iter().map(|disk| disk.path().join("data")).collect();
    if program.is_campanile() {
        options.flags.push(format!("--wal-segment-bytes={SEGMENT_BYTES}"));
    }
    let cluster = Cluster::start(&program, &options).await;
    let flushes = || disks.iter().map(Disk::flushes).collect::<Vec<u64>>();
    let clients: Vec<_> = (0..members).map(|at| cluster.client(at)).collect();
    for number in 0..PUTS {
        let put = PutRequest { key: format!("k/{number}").into(), value: "v".into(), ..Default::default() };
        let before = flushes();
        clients[number % members].kv().put(put).await.expect("nothing is wrong with the cluster");
        let after = flushes();
        let flushed = before.iter().zip(&after).filter(|(before, after)| after > before).count();
        assert!(flushed > members / 2, "put {number} was acknowledged; flushes {before:?} before, {after:?} behind");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_member_flushes_what_it_acknowledges() {
    each_write_is_flushed(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_majority_flushes_what_is_acknowledged() {
    each_write_is_flushed(3).await;
}
