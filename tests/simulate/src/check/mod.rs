//! The promises of "One clock, many logs", one file each. Some are checked while a run goes on, by everything that any
//! member does; the others at its end, by comparing what clients were told with what the logs say.
//!
//! | file | promise | when |
//! | --- | --- | --- |
//! | [`record::ledger`](crate::record::ledger) | members agree on what is committed | running |
//! | [`record::history`](crate::record::history) | revisions are dense, whole and decided once; an epoch opens once | end |
//! | `durability` | nothing leaves before what it attests is durable; nothing durable is lost | running |
//! | `epochs` | an epoch is never used twice | running |
//! | `shown` | nothing is shown before it is final; the visible revision never goes back | running |
//! | `memory` | memory and the log are bounded | running, and end |
//! | `answers` | answers are linearizable, and no acknowledged write is lost | end |
//! | `unanswered` | a request that was not answered was carried out once at most | end |
//! | `refusals` | errors are true | end |
//! | `leases` | no lease ends early, no key is on a dead lease | end |
//! | `watches` | watches are in order, exactly once, complete, and truthful about their progress | end |
//! | `hashes` | members have the same state at the same revision | end |
//! | `device` | an error of the disk is answered as the design says | end |
//! | `progress` | when the faults stop, everybody is served within a bound | end |

pub mod answers;
pub mod device;
pub mod durability;
pub mod epochs;
pub mod hashes;
pub mod leases;
pub mod memory;
pub mod progress;
pub mod reference;
pub mod refusals;
pub mod shown;
pub mod unanswered;
pub mod watches;

use std::fmt;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub promise: &'static str,
    pub what: String,
}

impl Violation {
    #[must_use]
    pub fn new(promise: &'static str, what: impl Into<String>) -> Violation {
        Violation { promise, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.promise, self.what)
    }
}

/// Fails with a violation unless it holds.
macro_rules! promise {
    ($promise:expr, $holds:expr, $($what:tt)*) => {
        if !$holds {
            return Err($crate::check::Violation::new($promise, format!($($what)*)));
        }
    };
}
pub(crate) use promise;
