//! Flags about how members find each other and form a cluster.

use crate::flag::{Flag, Kind};

const PRE_VOTE: &str = "data groups start no elections of their own and a member that rejoins must not disturb any of \
                        them: pre-vote is always on";

pub(super) const FLAGS: &[Flag] = &[
    Flag::now(
        "initial-advertise-peer-urls",
        Kind::Urls,
        "http://localhost:2380",
        "This member's peer URLs, as the other members reach it.",
    ),
    Flag::now(
        "initial-cluster",
        Kind::Text,
        "",
        "All first members of a new cluster: name=URL,name=URL. A member of several URLs stands several times.",
    )
    .shown_as("${name}=${initial-advertise-peer-urls}"),
    Flag::now(
        "initial-cluster-state",
        Kind::Text,
        "new",
        "'new' to form a cluster, 'existing' to join one. Ignored once the data directory has a member in it.",
    ),
    Flag::now(
        "initial-cluster-token",
        Kind::Text,
        "etcd-cluster",
        "Sets clusters apart that were formed from the same URLs.",
    ),
    Flag::now(
        "advertise-client-urls",
        Kind::Urls,
        "http://localhost:2379",
        "This member's client URLs, as clients reach it. Required if --listen-client-urls is given.",
    ),
    Flag::now(
        "strict-reconfig-check",
        Kind::Boolean,
        "true",
        "Refuse changes of membership that would cost the cluster its quorum.",
    ),
    Flag::never("pre-vote", Kind::Boolean, "true", PRE_VOTE),
    Flag::later("max-learners", Kind::Integer, "1"),
    Flag::later("discovery-token", Kind::Text, "").key("discovery-config.token"),
    Flag::later("discovery-endpoints", Kind::List, "").key("discovery-config.client.endpoints"),
    Flag::later("discovery-dial-timeout", Kind::Duration, "2s").key("discovery-config.client.dial-timeout"),
    Flag::later("discovery-request-timeout", Kind::Duration, "5s").key("discovery-config.client.request-timeout"),
    Flag::later("discovery-keepalive-time", Kind::Duration, "2s").key("discovery-config.client.keepalive-time"),
    Flag::later("discovery-keepalive-timeout", Kind::Duration, "6s").key("discovery-config.client.keepalive-timeout"),
    Flag::later("discovery-insecure-transport", Kind::Boolean, "true")
        .key("discovery-config.client.secure.insecure-transport"),
    Flag::later("discovery-insecure-skip-tls-verify", Kind::Boolean, "false")
        .key("discovery-config.client.secure.insecure-skip-tls-verify"),
    Flag::later("discovery-cert", Kind::Text, "").key("discovery-config.client.secure.cert"),
    Flag::later("discovery-key", Kind::Text, "").key("discovery-config.client.secure.key"),
    Flag::later("discovery-cacert", Kind::Text, "").key("discovery-config.client.secure.cacert"),
    Flag::later("discovery-user", Kind::Text, "").key("discovery-config.client.auth.username"),
    Flag::later("discovery-password", Kind::Text, "").key("discovery-config.client.auth.password"),
    Flag::later("discovery-fallback", Kind::Text, "exit"),
    Flag::later("discovery-srv", Kind::Text, ""),
    Flag::later("discovery-srv-name", Kind::Text, ""),
    Flag::later("force-new-cluster", Kind::Boolean, "false"),
];
