//! The first members of a cluster, as `--initial-cluster` lists them.
//!
//! [`Config::bootstrap`] checks them as etcd does, and only when it is asked: a member that has a data directory already
//! takes its membership from there, and whatever its flags still say about the first members is not looked at.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::Config;
use crate::error::ConfigError;
use crate::identity::{cluster_id, member_id};
use crate::url::{Url, join_urls, parse_urls};

/// Whether a new cluster is formed, or this member joins one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterState {
    New,
    Existing,
}

impl fmt::Display for ClusterState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            ClusterState::New => "new",
            ClusterState::Existing => "existing",
        })
    }
}

/// One member of `--initial-cluster`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialMember {
    pub name: String,
    /// In etcd's order; at least one.
    pub peer_urls: Vec<Url>,
}

/// One first member of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapMember {
    /// etcd's id for it.
    pub id: u64,
    pub name: String,
    /// In etcd's order; at least one.
    pub peer_urls: Vec<Url>,
}

/// What a new member knows before it has met anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// etcd's id for the cluster.
    pub cluster_id: u64,
    /// This member's own id, which is one of the members'.
    pub local_id: u64,
    /// All first members, ordered by id.
    pub members: Vec<BootstrapMember>,
}

/// Reads `name=URL,name=URL`; a name may stand several times. The error is the end of a sentence.
pub(crate) fn parse_initial_cluster(text: &str) -> Result<Vec<InitialMember>, String> {
    let mut members: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, url) = part.split_once('=').ok_or_else(|| format!("has no URL in {part:?}; give name=URL"))?;
        let name = name.trim();
        if name.is_empty() {
            return Err(format!("has no name in {part:?}; give name=URL"));
        }
        members.entry(name).or_default().push(url);
    }
    if members.is_empty() {
        return Err("names no member; give name=URL,name=URL".to_owned());
    }
    let member = |(name, urls): (&str, Vec<&str>)| match parse_urls(urls.into_iter()) {
        Ok(peer_urls) => Ok(InitialMember { name: name.to_owned(), peer_urls }),
        Err(error) => Err(error.to_string()),
    };
    members.into_iter().map(member).collect()
}

impl Config {
    /// The first members of the cluster, with their ids. For a member without data alone.
    ///
    /// # Errors
    /// If `--initial-cluster` does not contain this member with exactly its advertised peer URLs (a joining member's
    /// URLs need not agree), or two members share a URL.
    pub fn bootstrap(&self) -> Result<Bootstrap, ConfigError> {
        let refuse = |problem: String| Err(ConfigError::Bootstrap(problem));
        let Some(local) = self.initial_cluster.iter().find(|member| member.name == self.name) else {
            let names: Vec<&str> = self.initial_cluster.iter().map(|member| member.name.as_str()).collect();
            return refuse(format!(
                "couldn't find local name {:?} in the initial cluster configuration, which names {}; set --name or \
                 add it to --initial-cluster",
                self.name,
                names.join(", "),
            ));
        };
        if self.initial_cluster_state == ClusterState::New && local.peer_urls != self.initial_advertise_peer_urls {
            return refuse(self.mismatch(local));
        }
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for member in &self.initial_cluster {
            for url in &member.peer_urls {
                if let Some(owner) = owners.insert(url.to_string(), &member.name) {
                    return refuse(format!(
                        "initial cluster has duplicate url {url}, of {owner} and of {}; give each member its own",
                        member.name,
                    ));
                }
            }
        }
        let mut members: Vec<BootstrapMember> = Vec::with_capacity(self.initial_cluster.len());
        for InitialMember { name, peer_urls } in &self.initial_cluster {
            let id = member_id(peer_urls, &self.initial_cluster_token, None);
            members.push(BootstrapMember { id, name: name.clone(), peer_urls: peer_urls.clone() });
        }
        members.sort_by_key(|member| member.id);
        let ids: Vec<u64> = members.iter().map(|member| member.id).collect();
        assert!(
            ids.windows(2).all(|pair| pair[0] != pair[1]),
            "members of different URLs have different ids: {ids:x?}"
        );
        let local_id = member_id(&local.peer_urls, &self.initial_cluster_token, None);
        Ok(Bootstrap { cluster_id: cluster_id(&ids), local_id, members })
    }

    /// Which of the local member's URLs are in one list and not in the other.
    fn mismatch(&self, local: &InitialMember) -> String {
        let advertised = &self.initial_advertise_peer_urls;
        let missing =
            |from: &[Url], of: &[Url]| -> Vec<Url> { of.iter().filter(|url| !from.contains(url)).cloned().collect() };
        let unadvertised = missing(advertised, &local.peer_urls);
        if !unadvertised.is_empty() {
            let pairs: Vec<String> = unadvertised.iter().map(|url| format!("{}={url}", self.name)).collect();
            return format!(
                "--initial-cluster has {} but missing from --initial-advertise-peer-urls={}; the two must agree",
                pairs.join(","),
                join_urls(advertised),
            );
        }
        let unlisted = missing(&local.peer_urls, advertised);
        format!(
            "--initial-advertise-peer-urls has {} but missing from --initial-cluster={}; the two must agree",
            join_urls(&unlisted),
            local.peer_urls.iter().map(|url| format!("{}={url}", self.name)).collect::<Vec<String>>().join(","),
        )
    }
}
