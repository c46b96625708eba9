//! Hashes of the history at revisions of the past: they must never change, and be the same on every member.

use std::{collections::BTreeMap, time::Duration};

use campanile_test_support::{Client, wait};

/// How many of the older revisions are hashed again after each crash.
const OLDER_MAX: usize = 5;
/// A member may be catching up when it is asked.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(30);

/// The hash that was seen first at each revision.
#[derive(Debug, Default)]
pub struct Hashes(BTreeMap<i64, u32>);

impl Hashes {
    /// Hashes the newest revision and some older ones on every member; panics if one differs.
    pub async fn check(&mut self, addresses: &[String]) {
        let clients: Vec<Client> = addresses.iter().map(|address| Client::new(address)).collect();
        let newest = wait::until("a revision", CATCH_UP_LIMIT, || async { clients[0].revision().await.ok() }).await;
        let older: Vec<i64> = self.0.keys().rev().take(OLDER_MAX).copied().collect();
        for revision in older.into_iter().chain([newest]) {
            for (client, address) in clients.iter().zip(addresses) {
                let what = format!("HashKV of revision {revision} from {address}");
                let answer = wait::until(&what, CATCH_UP_LIMIT, || async { client.hash_kv(revision).await.ok() }).await;
                let hash = *self.0.entry(revision).or_insert(answer.hash);
                assert_eq!(answer.hash, hash, "{address} has another history up to {revision}");
            }
        }
    }
}
