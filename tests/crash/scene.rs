//! A cluster under writes and a watch, from its start to the audit of all that happened.

use std::time::Duration;

use campanile_api::etcdserverpb::RangeRequest;
use campanile_test_support::{Client, Cluster, Options, Program, Seed, wait};

use crate::{
    attempt::{Attempt, Standing, standing_after},
    audit,
    follower::Follower,
    hashes::Hashes,
    writers::Writers,
};

/// Several shards, so that transactions and history cross groups.
const SHARDS: usize = 3;
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
/// A report lists no more faults than this.
const FAULTS_SHOWN_MAX: usize = 10;

/// The cluster, those who use it, and what is remembered of it.
pub struct Scene {
    pub cluster: Cluster,
    writers: Writers,
    follower: Follower,
    /// Watches that stay with one member, whatever happens to it.
    faithful: Vec<Follower>,
    hashes: Hashes,
    /// Writes besides the writers' own.
    pub attempts: Vec<Attempt>,
}

impl Scene {
    pub async fn open(program: &Program, members: usize, seed: Seed) -> Self {
        Self::open_with(program, members, seed, Vec::new()).await
    }

    /// With flags of its own.
    pub async fn open_with(program: &Program, members: usize, seed: Seed, flags: Vec<String>) -> Self {
        let options = Options { members, shards: SHARDS, flags, ..Options::default() };
        let cluster = Cluster::start(program, &options).await;
        let addresses = cluster.addresses();
        Self {
            writers: Writers::start(&addresses, seed),
            follower: Follower::start(&addresses),
            faithful: Vec::new(),
            hashes: Hashes::default(),
            attempts: Vec::new(),
            cluster,
        }
    }

    /// Watches at this member alone from now on, from the first revision.
    pub fn watch_at(&mut self, member: usize) {
        self.faithful.push(Follower::start(&self.cluster.addresses()[member..=member]));
    }

    /// Starts whoever is down, waits until all serve, and compares hashes.
    pub async fn recover(&mut self) {
        self.cluster.start_all().await;
        self.hashes.check(&self.cluster.addresses()).await;
    }

    /// Stops the writers and holds what the members tell against what was asked of them.
    pub async fn close(mut self, test: &str) {
        self.attempts.extend(self.writers.stop().await);
        let addresses = self.cluster.addresses();
        self.hashes.check(&addresses).await;
        let client = self.cluster.client(0);
        let revision = wait::until("a revision", SETTLE_LIMIT, || async { client.revision().await.ok() }).await;
        let live = self.follower.stop_at(revision).await;
        for follower in self.faithful {
            let followed = follower.stop_at(revision).await;
            assert!(followed.changes == live.changes, "a watch that stayed with its member saw something else");
        }
        for (at, address) in addresses.iter().enumerate() {
            let history = Follower::start(&addresses[at..=at]).stop_at(revision).await.changes;
            assert!(history == live.changes, "the history of {address} is not what was watched");
            assert_eq!(
                standing(&Client::new(address), revision).await,
                standing_after(&history),
                "the keys of {address}"
            );
        }
        let faults = audit::faults(&live.changes, &self.attempts);
        let shown = &faults[..faults.len().min(FAULTS_SHOWN_MAX)];
        assert!(faults.is_empty(), "{} faults, the first of them:\n{}", faults.len(), shown.join("\n"));
        let acknowledged = self.attempts.iter().filter(|attempt| attempt.revision.is_some()).count();
        println!(
            "{test}: revision {revision}, {acknowledged} writes acknowledged, {} unanswered, {} watches resumed",
            self.attempts.len() - acknowledged,
            live.resumptions
        );
    }
}

async fn standing(client: &Client, revision: i64) -> Standing {
    let everything = RangeRequest { key: "\0".into(), range_end: "\0".into(), revision, ..Default::default() };
    let answer = client.kv().range(everything).await.expect("a quiet member answers").into_inner();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let standing = |kv: &campanile_api::mvccpb::KeyValue| {
        (text(&kv.key), (text(&kv.value), kv.create_revision, kv.mod_revision, kv.version))
    };
    answer.kvs.iter().map(standing).collect()
}
