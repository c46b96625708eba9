//! A cluster, and what must hold of it: so many keys, at one revision, and the same history on every member.

use crate::filling::{Filling, PREFIX, PREFIX_END};
use campanile_api::etcdserverpb::{RangeRequest, WatchCreateRequest, WatchRequest, watch_request};
use campanile_api::mvccpb::event::EventType;
use campanile_test_support::{Client, Cluster, Options, Program, wait};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;

/// A member may be catching up when it is asked.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(60);

pub struct Scene {
    pub cluster: Cluster,
}

impl Scene {
    pub async fn open(program: &Program, members: usize, shards: usize) -> Scene {
        Scene { cluster: Cluster::start(program, &Options { members, shards, ..Options::default() }).await }
    }

    /// Puts all keys. Answers with the revision then.
    pub async fn fill(&self, filling: &Filling, lease: i64) -> i64 {
        let client = self.cluster.client(0);
        filling.put(&client, lease).await;
        let revision = client.revision().await.expect("a quiet member answers");
        self.holds(filling.keys, revision).await;
        revision
    }

    /// Starts whoever is down, and waits until all serve.
    pub async fn recover(&mut self) {
        let begun = Instant::now();
        self.cluster.start_all().await;
        println!("all members serve again after {:.2?}", begun.elapsed());
    }

    /// Every member says that there are so many keys, at this revision.
    pub async fn holds(&self, keys: u64, revision: i64) {
        for address in self.cluster.addresses() {
            let count = RangeRequest {
                key: PREFIX.into(),
                range_end: PREFIX_END.into(),
                count_only: true,
                ..Default::default()
            };
            let client = Client::new(&address);
            let answer = wait::until("a count of keys", CATCH_UP_LIMIT, || async {
                client.kv().range(count.clone()).await.ok()
            });
            let answer = answer.await.into_inner();
            let found = (answer.count, answer.header.map_or(0, |header| header.revision));
            assert_eq!(found, (i64::try_from(keys).expect("a number of keys"), revision), "{address}");
        }
    }

    /// Every member hashes the history alike, and the one before this revision too.
    pub async fn agrees(&self, revision: i64) {
        for at in [revision - 1, revision] {
            let mut hashes = Vec::new();
            for address in self.cluster.addresses() {
                let client = Client::new(&address);
                let hash = wait::until("a hash", CATCH_UP_LIMIT, || async { client.hash_kv(at).await.ok() }).await;
                hashes.push(hash.hash);
            }
            assert!(hashes.iter().all(|hash| *hash == hashes[0]), "the members differ at {at}: {hashes:?}");
        }
    }

    /// Watches for the next revision. Answers with how many keys it deleted, and its number.
    pub async fn watch(&self, from: i64) -> JoinHandle<(u64, i64)> {
        let mut client = self.cluster.client(0).watch();
        let create = WatchCreateRequest {
            key: PREFIX.into(),
            range_end: PREFIX_END.into(),
            start_revision: from,
            fragment: true,
            ..Default::default()
        };
        let request = WatchRequest { request_union: Some(watch_request::RequestUnion::CreateRequest(create)) };
        let requests = tokio_stream::once(request).chain(tokio_stream::pending());
        let mut stream = client.watch(requests).await.expect("a watch is created").into_inner();
        tokio::spawn(async move {
            let mut deleted = 0;
            loop {
                let answer = stream.message().await.expect("the watch goes on").expect("the watch goes on");
                assert!(!answer.canceled, "{}", answer.cancel_reason);
                for event in &answer.events {
                    assert_eq!(event.r#type(), EventType::Delete);
                    assert_eq!(event.kv.as_ref().map(|kv| kv.mod_revision), Some(from));
                }
                deleted += answer.events.len() as u64;
                if !answer.events.is_empty() && !answer.fragment {
                    return (deleted, from);
                }
            }
        })
    }
}
