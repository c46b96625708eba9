//! Flags about what the server says of itself: log, metrics, traces.

use crate::flag::{Flag, Kind};

pub(super) const FLAGS: &[Flag] = &[
    Flag::now("log-level", Kind::Text, "info", "debug, info, warn, error, panic or fatal."),
    Flag::now(
        "log-outputs",
        Kind::List,
        "default",
        "Where the log goes: stderr (which is the default), stdout, or paths of files to append to.",
    ),
    Flag::now("log-format", Kind::Text, "", "json or console.").shown_as("console on a terminal, else json"),
    Flag::later("logger", Kind::Text, "zap"),
    Flag::later("enable-log-rotation", Kind::Boolean, "false"),
    Flag::later(
        "log-rotation-config-json",
        Kind::Text,
        r#"{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}"#,
    ),
    Flag::now("metrics", Kind::Text, "basic", "'extensive' adds histograms of each RPC's duration to /metrics."),
    Flag::now("listen-metrics-urls", Kind::Urls, "", "Where to serve /metrics and /health besides the client URLs."),
    Flag::later("enable-pprof", Kind::Boolean, "false"),
    Flag::later("warning-apply-duration", Kind::Duration, "100ms"),
    Flag::later("warning-unary-request-duration", Kind::Duration, "300ms").also(&["0s"]),
    Flag::later("enable-distributed-tracing", Kind::Boolean, "false"),
    Flag::later("distributed-tracing-address", Kind::Text, "localhost:4317"),
    Flag::later("distributed-tracing-service-name", Kind::Text, "etcd"),
    Flag::later("distributed-tracing-instance-id", Kind::Text, ""),
    Flag::later("distributed-tracing-sampling-rate", Kind::Integer, "0"),
];
