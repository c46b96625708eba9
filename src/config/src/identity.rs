//! The ids that etcd gives clusters and members, so that those of one cluster are the same whichever server forms it.
//!
//! etcd takes the first eight bytes, big-endian, of a SHA-1: of the member's sorted peer URLs and the cluster's token
//! for a member, of all members' sorted ids for the cluster (`server/etcdserver/api/membership/{member,cluster}.go`).

use sha1::{Digest, Sha1};

use crate::url::{Url, sort_urls};

/// The id of a member with these peer URLs. One that is added to a running cluster also gets the time of its addition,
/// in seconds since 1970, so that a member can be removed and added again; a first member has none.
#[must_use]
pub fn member_id(peer_urls: &[Url], token: &str, added_at_seconds: Option<u64>) -> u64 {
    let mut urls = peer_urls.to_vec();
    sort_urls(&mut urls);
    let mut hash = Sha1::new();
    for url in &urls {
        hash.update(url.to_string());
    }
    hash.update(token);
    if let Some(seconds) = added_at_seconds {
        hash.update(seconds.to_string());
    }
    first_eight_bytes(hash)
}

/// The id of a cluster that begins with these members.
#[must_use]
pub fn cluster_id(member_ids: &[u64]) -> u64 {
    let mut ids = member_ids.to_vec();
    ids.sort_unstable();
    let mut hash = Sha1::new();
    for id in ids {
        hash.update(id.to_be_bytes());
    }
    first_eight_bytes(hash)
}

fn first_eight_bytes(hash: Sha1) -> u64 {
    let digest = hash.finalize();
    let (first, _) = digest.split_first_chunk::<8>().expect("a SHA-1 has twenty bytes");
    u64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(texts: &[&str]) -> Vec<Url> {
        texts.iter().map(|text| Url::parse(text).unwrap()).collect()
    }

    /// From the log of etcd 3.5.1, started with its defaults.
    #[test]
    fn a_lone_member_has_etcds_ids() {
        let id = member_id(&urls(&["http://localhost:2380"]), "etcd-cluster", None);
        assert_eq!(format!("{id:x}"), "8e9e05c52164694d");
        assert_eq!(format!("{:x}", cluster_id(&[id])), "cdf818194e3a8c32");
    }

    /// From the log of etcd 3.5.1, member a of
    /// `--initial-cluster c=http://10.1.2.3:2380,a=http://127.0.0.1:39180,b=http://[::1]:2380,a=http://localhost:39180`
    /// with `--initial-cluster-token tkn`.
    #[test]
    fn members_of_several_urls_have_etcds_ids() {
        let a = member_id(&urls(&["http://localhost:39180", "http://127.0.0.1:39180"]), "tkn", None);
        let b = member_id(&urls(&["http://[::1]:2380"]), "tkn", None);
        let c = member_id(&urls(&["http://10.1.2.3:2380"]), "tkn", None);
        assert_eq!(format!("{a:x} {b:x} {c:x}"), "2791e767a994b949 490f3fc3448b7eb8 ec0d09c99356cd99");
        assert_eq!(format!("{:x}", cluster_id(&[c, a, b])), "ef1364fd5724df9d");
    }

    #[test]
    fn an_added_member_has_an_id_of_its_own() {
        let urls = urls(&["http://localhost:2380"]);
        let ids = [None, Some(1), Some(2)].map(|at| member_id(&urls, "etcd-cluster", at));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    }
}
