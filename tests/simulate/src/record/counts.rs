//! How often each thing happened in a run or a campaign. A corner that is never reached proves nothing, so a campaign that
//! has a zero fails.

use std::collections::BTreeMap;
use std::fmt;

/// A member installs a checkpoint whose cuts lie before its own logs' beginnings in some groups.
pub const AMENDED: &str = "checkpoint amended";

/// What every campaign of some size must have reached.
pub const CORNERS: &[&str] = &[
    "power lost",
    "process killed",
    "crash, and again during recovery",
    "crash during recovery",
    "crash within a disk operation",
    "member isolated",
    "member isolated one way",
    "network split",
    "link cut",
    "link cut one way",
    "message lost",
    "message repeated",
    "message overtaken",
    "messages slow",
    "executor paused",
    "member paused",
    "disk slow",
    "disk full",
    "disk operation failed",
    "member stopped by its disk",
    "clock jumped",
    "durable data damaged",
    "damage found",
    "checkpoint live",
    "checkpoint installed",
    AMENDED,
    "reign ended",
    "executor ran within another's look at the window",
    "request sent on",
    "not answered",
    "request: put",
    "put: with a lease",
    "put: asks for what was there",
    "put: keeps the value",
    "put: keeps the lease",
    "put: without a key",
    "request: delete a key",
    "request: delete a range",
    "request: transaction",
    "transaction: nested",
    "transaction: nested twice",
    "request: range",
    "range: of several keys",
    "range: at a revision",
    "range: with a limit",
    "range: sorted",
    "range: serializable",
    "range: keys only",
    "range: count only",
    "range: bound by mod revision",
    "range: bound by create revision",
    "request: compact",
    "request: lease grant",
    "request: lease revoke",
    "request: lease keepalive",
    "request: lease time to live",
    "request: leases",
    "request: hash of the keyspace",
    "request: status",
    "watch: from a revision on",
    "watch: with what was there before",
    "watch: filtered",
    "watch: events",
    "watch: progress of a stream",
    "watch: progress notice",
    "watch: ended by a compaction",
    "watch: cancelled",
    "watch: stream closed",
    "watch: stream lost with its member",
    "error: empty key",
    "error: key not found",
    "error: duplicate key",
    "error: compacted",
    "error: future revision",
    "error: lease not found",
    "error: lease exists",
    "error: leader changed",
    "error: timeout, leader failure",
    "error: timeout, connection lost",
    "error: too many requests",
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub fn note(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    pub fn add(&mut self, what: &'static str, number: u64) {
        *self.0.entry(what).or_default() += number;
    }

    pub fn merge(&mut self, other: &Counts) {
        for (what, number) in &other.0 {
            self.add(what, *number);
        }
    }

    /// The corners that were not reached.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        CORNERS.iter().copied().filter(|corner| self.of(corner) == 0)
    }

    #[must_use]
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, number) in &self.0 {
            writeln!(formatter, "{number:>12} {what}")?;
        }
        Ok(())
    }
}
