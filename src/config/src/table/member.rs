//! Flags about one member: its name, its directories, its sockets, its limits.

use crate::flag::{Flag, Kind};

pub(super) const FLAGS: &[Flag] = &[
    Flag::now("name", Kind::Text, "default", "Human-readable name of this member."),
    Flag::now("data-dir", Kind::Text, "", "The data directory.").shown_as("${name}.etcd"),
    Flag::now("wal-dir", Kind::Text, "", "A directory of its own for the log, if it is to lie on another device."),
    Flag::now("listen-peer-urls", Kind::Urls, "http://localhost:2380", "Where to listen for other members."),
    Flag::now(
        "listen-client-urls",
        Kind::Urls,
        "http://localhost:2379",
        "Where to listen for clients, gRPC and HTTP on one port.",
    ),
    Flag::later("listen-client-http-urls", Kind::Urls, ""),
    Flag::now(
        "heartbeat-interval",
        Kind::Unsigned,
        "100",
        "Milliseconds between two heartbeats of a leader. About one round trip between members.",
    ),
    Flag::now(
        "election-timeout",
        Kind::Unsigned,
        "1000",
        "Milliseconds without a heartbeat until an election. At least five heartbeat intervals, at most 50000.",
    ),
    Flag::later("initial-election-tick-advance", Kind::Boolean, "true"),
    Flag::now(
        "snapshot-count",
        Kind::Unsigned,
        "10000",
        "A checkpoint is written once this many transactions were committed since the last, and the log has grown by \
         --checkpoint-wal-bytes too.",
    ),
    Flag::later("snapshot-catchup-entries", Kind::Unsigned, "5000"),
    Flag::never(
        "max-snapshots",
        Kind::Unsigned,
        "5",
        "a checkpoint is removed as soon as a newer one is durable and no member is being sent it",
    ),
    Flag::never("max-wals", Kind::Unsigned, "5", "log segments are recycled as soon as a checkpoint covers them"),
    Flag::now(
        "quota-backend-bytes",
        Kind::Integer,
        "0",
        "How large the data may grow before writes are refused. 0 is 2 GiB, a negative number is no quota.",
    ),
    Flag::never("backend-bbolt-freelist-type", Kind::Text, "map", "there is no bbolt behind this server"),
    Flag::never("backend-batch-interval", Kind::Duration, "0s", "there is no bbolt behind this server"),
    Flag::never("backend-batch-limit", Kind::Integer, "0", "there is no bbolt behind this server"),
    Flag::later("memory-mlock", Kind::Boolean, "false"),
    Flag::now("max-txn-ops", Kind::Unsigned, "128", "The most operations of one transaction, nested ones counted."),
    Flag::now("max-request-bytes", Kind::Unsigned, "1572864", "The largest request of a client, at most 3145728."),
    Flag::now(
        "max-concurrent-streams",
        Kind::Unsigned32,
        "4294967295",
        "The most streams that a client may have open on one connection.",
    ),
    Flag::now(
        "grpc-keepalive-min-time",
        Kind::Duration,
        "5s",
        "A client that pings more often than this is disconnected. 0 is gRPC's own default, 5m.",
    ),
    Flag::now(
        "grpc-keepalive-interval",
        Kind::Duration,
        "2h",
        "How long a connection is silent before the server pings the client. 0 is never.",
    ),
    Flag::now(
        "grpc-keepalive-timeout",
        Kind::Duration,
        "20s",
        "How long the answer to such a ping may take before the connection is closed. 0 sends no pings.",
    ),
    Flag::now(
        "socket-reuse-port",
        Kind::Boolean,
        "false",
        "Set SO_REUSEPORT, so that another process may listen on the same port.",
    )
    .key("socket-options.reuse-port"),
    Flag::now(
        "socket-reuse-address",
        Kind::Boolean,
        "false",
        "Set SO_REUSEADDR, so that an address in TIME_WAIT can be listened on.",
    )
    .key("socket-options.reuse-address"),
    Flag::later("raft-read-timeout", Kind::Duration, "5s"),
    Flag::later("raft-write-timeout", Kind::Duration, "5s"),
    Flag::later("enable-grpc-gateway", Kind::Boolean, "true").also(&["false"]),
    Flag::later("feature-gates", Kind::Text, ""),
];
