//! Flags that etcd does not have.

use crate::flag::{Flag, Kind};

pub(super) const FLAGS: &[Flag] = &[
    Flag::now(
        "shards",
        Kind::Text,
        "",
        "Into how many shards a new cluster's keys are divided. Its first primary decides, once; other members learn it.",
    )
    .shown_as("one for each executor"),
    Flag::now(
        "cpus",
        Kind::Text,
        "",
        "The CPUs to pin executors to (0,2-3), or 'none' for as many executors that are pinned to nothing.",
    )
    .shown_as("those the process may run on"),
    Flag::now(
        "executor-io-memory-bytes",
        Kind::Unsigned,
        "1048576",
        "I/O memory that each of an executor's three rings registers with the kernel, within the memlock limit.",
    ),
    Flag::now(
        "executor-spin",
        Kind::Duration,
        "0s",
        "How long an idle executor polls before it sleeps: shorter answers for some CPU time. Give 0 where several \
         processes share the CPUs.",
    )
    .shown_as("200us; 50us where two or more fill the machine, 0 with --cpus none"),
    Flag::now("wal-segment-bytes", Kind::Unsigned, "67108864", "The size of one segment of the log, a multiple of 1 MiB, at least 16 MiB."),
    Flag::now(
        "checkpoint-wal-bytes",
        Kind::Unsigned,
        "268435456",
        "How far the log grows between two checkpoints, which bounds the work of a restart.",
    ),
    Flag::now(
        "log-memory-bytes",
        Kind::Unsigned,
        "33554432",
        "How much of each group's log stays in memory for members that lag. One that needs more is sent a checkpoint.",
    ),
    Flag::now(
        "log-hold-bytes",
        Kind::Unsigned,
        "268435456",
        "How much more of the logs, of all groups together, stays in memory while a member is sent a checkpoint.",
    ),
];
