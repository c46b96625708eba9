//! Flags of earlier releases of etcd: renamed ones are taken under their new name, so that a command line written for
//! etcd 3.5 goes on working.

use crate::flag::{Flag, Kind};

const NO_PROXY: &str = "the v2 proxy was removed in etcd 3.6";
const NO_V2: &str = "the v2 API was removed in etcd 3.6";
const NO_V2_DISCOVERY: &str = "v2 discovery was removed in etcd 3.7";
const SINCE_LONG: &str = "etcd has accepted and ignored this flag since 2.0";

pub(super) const FLAGS: &[Flag] = &[
    Flag::renamed("experimental-compact-hash-check-time", "compact-hash-check-time"),
    Flag::renamed("experimental-compaction-batch-limit", "compaction-batch-limit"),
    Flag::renamed("experimental-compaction-sleep-interval", "compaction-sleep-interval"),
    Flag::renamed("experimental-corrupt-check-time", "corrupt-check-time"),
    Flag::renamed("experimental-bootstrap-defrag-threshold-megabytes", "bootstrap-defrag-threshold-megabytes"),
    Flag::renamed("experimental-distributed-tracing-address", "distributed-tracing-address"),
    Flag::renamed("experimental-distributed-tracing-instance-id", "distributed-tracing-instance-id"),
    Flag::renamed("experimental-distributed-tracing-sampling-rate", "distributed-tracing-sampling-rate"),
    Flag::renamed("experimental-distributed-tracing-service-name", "distributed-tracing-service-name"),
    Flag::renamed("experimental-downgrade-check-time", "downgrade-check-time"),
    Flag::renamed("experimental-enable-distributed-tracing", "enable-distributed-tracing"),
    Flag::renamed("experimental-max-learners", "max-learners"),
    Flag::renamed("experimental-memory-mlock", "memory-mlock"),
    Flag::renamed("experimental-peer-skip-client-san-verification", "peer-skip-client-san-verification"),
    Flag::renamed("experimental-snapshot-catchup-entries", "snapshot-catchup-entries"),
    Flag::renamed("experimental-warning-apply-duration", "warning-apply-duration"),
    Flag::renamed("experimental-warning-unary-request-duration", "warning-unary-request-duration"),
    Flag::renamed("experimental-watch-progress-notify-interval", "watch-progress-notify-interval"),
    Flag::later("experimental-compact-hash-check-enabled", Kind::Boolean, "false"),
    Flag::later("experimental-enable-lease-checkpoint", Kind::Boolean, "false"),
    Flag::later("experimental-enable-lease-checkpoint-persist", Kind::Boolean, "false"),
    Flag::later("experimental-initial-corrupt-check", Kind::Boolean, "false"),
    Flag::never(
        "experimental-stop-grpc-service-on-defrag",
        Kind::Boolean,
        "false",
        "nothing blocks while space is given back",
    ),
    Flag::never(
        "experimental-txn-mode-write-with-shared-buffer",
        Kind::Boolean,
        "true",
        "there is no bbolt behind this server",
    ),
    Flag::never("enable-v2", Kind::Boolean, "false", NO_V2),
    Flag::never("experimental-enable-v2v3", Kind::Text, "", NO_V2),
    Flag::never("discovery", Kind::Text, "", NO_V2_DISCOVERY),
    Flag::never("discovery-proxy", Kind::Text, "", NO_V2_DISCOVERY),
    Flag::never("proxy", Kind::Text, "off", NO_PROXY),
    Flag::never("proxy-failure-wait", Kind::Unsigned, "5000", NO_PROXY),
    Flag::never("proxy-refresh-interval", Kind::Unsigned, "30000", NO_PROXY),
    Flag::never("proxy-dial-timeout", Kind::Unsigned, "1000", NO_PROXY),
    Flag::never("proxy-write-timeout", Kind::Unsigned, "5000", NO_PROXY),
    Flag::never("proxy-read-timeout", Kind::Unsigned, "0", NO_PROXY),
    Flag::ignored("cluster-active-size", Kind::Boolean, SINCE_LONG),
    Flag::ignored("cluster-remove-delay", Kind::Boolean, SINCE_LONG),
    Flag::ignored("cluster-sync-interval", Kind::Boolean, SINCE_LONG),
    Flag::ignored("config", Kind::Boolean, SINCE_LONG),
    Flag::ignored("force", Kind::Boolean, SINCE_LONG),
    Flag::ignored("max-result-buffer", Kind::Boolean, SINCE_LONG),
    Flag::ignored("max-retry-attempts", Kind::Boolean, SINCE_LONG),
    Flag::ignored("peer-heartbeat-interval", Kind::Boolean, SINCE_LONG),
    Flag::ignored("peer-election-timeout", Kind::Boolean, SINCE_LONG),
    Flag::ignored("retry-interval", Kind::Boolean, SINCE_LONG),
    Flag::ignored("snapshot", Kind::Boolean, SINCE_LONG),
    Flag::ignored("v", Kind::Boolean, SINCE_LONG),
    Flag::ignored("vv", Kind::Boolean, SINCE_LONG),
];
