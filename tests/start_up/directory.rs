//! Data directories that are somebody else's, or no place to keep data.

use campanile_test_support::{Cluster, Options, Program, tools};

use crate::{member, outcome, put};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_names_the_first_ones_pid() {
    let mut cluster = member(&[]).await;
    let pid = cluster.members[0].process_id().expect("it runs");
    let second = outcome::start_again(&mut cluster, &[]);
    second.is_refusal(&["is in use", &format!("pid {pid}")]);
    assert!(put(&cluster.client(0), "k", 1).await.is_some(), "the first one serves on");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clusters_or_members_directory() {
    let mut cluster = member(&[]).await;
    assert!(put(&cluster.client(0), "k", 1).await.is_some());
    cluster.kill_all();
    let token = outcome::start_again(&mut cluster, &["--initial-cluster-token=another"]);
    token.is_refusal(&["it belongs to cluster", "not to cluster"]);
    let urls = ["--initial-cluster=m0=http://127.0.0.1:1", "--initial-advertise-peer-urls=http://127.0.0.1:1"];
    outcome::start_again(&mut cluster, &urls).is_refusal(&["it belongs to"]);
    // Nothing has changed: as it was, it starts.
    cluster.start_all().await;
    assert_eq!(cluster.client(0).revision().await.expect("it serves"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_etcds_directory() {
    let Some(judge) = tools::judge() else { return };
    let mut etcd = Cluster::start(&Program::at(&judge.path), &Options::default()).await;
    etcd.kill_all();
    let refused = outcome::start_again(&mut etcd, &[]);
    refused.is_refusal(&["data directory of etcd", "name an empty directory"]);
    etcd.start_all().await;
}

#[test]
fn somebody_elses_directory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("thesis.tex"), "years of work").expect("a file in it");
    let refused = outcome::run(&[format!("--data-dir={}", folder.path().display())]);
    refused.is_refusal(&["thesis.tex", "empty"]);
}

#[test]
fn a_directory_in_memory() {
    let folder = tempfile::Builder::new().prefix("campanile-test-").tempdir_in("/dev/shm").expect("Linux has it");
    let refused = outcome::run(&[format!("--data-dir={}", folder.path().display())]);
    refused.is_refusal(&["tmpfs", "memory", "choose a directory on a disk"]);
}

#[test]
fn a_directory_that_cannot_be_made() {
    let refused = outcome::run(&["--data-dir=/proc/campanile"]);
    refused.is_refusal(&["/proc/campanile", "give --data-dir a directory"]);
}
