//! Flags about watches, compaction and checks.

use crate::flag::{Flag, Kind};

const SLICES: &str = "compaction runs in slices of at most a millisecond of CPU time, beside running traffic";

pub(super) const FLAGS: &[Flag] = &[
    Flag::now(
        "watch-progress-notify-interval",
        Kind::Duration,
        "10m",
        "How often a watcher that asked for it, and saw no event, is told the current revision.",
    ),
    Flag::later("auto-compaction-retention", Kind::Text, "0"),
    Flag::later("auto-compaction-mode", Kind::Text, "periodic").also(&["revision"]),
    Flag::never("compaction-batch-limit", Kind::Integer, "1000", SLICES),
    Flag::never("compaction-sleep-interval", Kind::Duration, "0s", SLICES),
    Flag::later("corrupt-check-time", Kind::Duration, "0s"),
    Flag::later("compact-hash-check-time", Kind::Duration, "1m"),
    Flag::later("downgrade-check-time", Kind::Duration, "5s"),
    Flag::never(
        "bootstrap-defrag-threshold-megabytes",
        Kind::Unsigned,
        "0",
        "a start reads a checkpoint, which holds no free pages to give back",
    ),
    Flag::never(
        "unsafe-no-fsync",
        Kind::Boolean,
        "false",
        "what is acknowledged is durable, on every member that counts towards the quorum",
    ),
    Flag::ignored("v2-deprecation", Kind::Text, "there is no v2 store; etcd 3.7 ignores the flag too"),
];
