//! The history of a real cluster as it is seen from outside, for the simulator's checkers.
//!
//! | file | what |
//! | --- | --- |
//! | `keyspace` | what the collectors brought, revision by revision |
//! | `timing` | between which moments each revision was written |
//! | `leases` | which of them ended a lease, and the lives of leases |
//! | `places` | sub-revisions of what clients were told, which no message carries |
//!
//! Nothing is made up. What only a log could say is left out or given as a bound, always so that nobody is accused wrongly:
//!
//! - Epochs, and what is void: left out. No checker that runs here asks for them.
//! - When a revision was written: between the last moment at which a lower one is known to have been asked for and the first
//!   one at which it, or a higher one, was shown to anybody.
//! - What stood in a log when an answer came: at most what had been asked for by then.
//! - Compactions: those that were acknowledged, and those that got no answer, which may have happened.
//! - The end of a lease: see [`crate::clients::leases`]. One that never had a key leaves no trace; it may have ended as soon as
//!   its time was over, or somebody asked to revoke it.

pub mod keyspace;
pub mod leases;
pub mod places;
pub mod timing;

use std::fmt;

use campanile_core::request::Request;
use campanile_simulate::{
    check::Violation,
    record::{Call, History, history::Step, watching::Watched},
};
use campanile_storage::ids::Revision;
use keyspace::Keyspace;
use places::Places;
use timing::Timing;

use crate::record::Book;

/// Everything that one history left behind.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub book: Book,
    /// By member.
    pub collectors: Vec<Vec<Watched>>,
    pub watches: Vec<Watched>,
}

/// A history, and what clients were told in its terms.
#[derive(Debug)]
pub struct Observed {
    pub history: History,
    pub calls: Vec<Call>,
    /// Those of the collectors too.
    pub watches: Vec<Watched>,
}

/// Why there is no history to judge.
#[derive(Debug)]
pub enum Unusable {
    /// The collectors contradict each other or the rules.
    Broken(Violation),
    /// A revision is gone that nobody collected in time.
    Unknown(Revision),
}

impl From<Violation> for Unusable {
    fn from(violation: Violation) -> Unusable {
        Unusable::Broken(violation)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Broken(violation) => violation.fmt(formatter),
            Unusable::Unknown(revision) => {
                write!(formatter, "revision {revision} was compacted before it was collected")
            }
        }
    }
}

/// Puts the history together.
///
/// # Errors
/// If there is none.
pub fn observe(recorded: &Recorded) -> Result<Observed, Unusable> {
    let Recorded { book, collectors, watches } = recorded;
    let mut calls = book.calls.list.clone();
    let compactions = compactions(&calls);
    let keyspace = Keyspace::gather(collectors, &compactions)?;
    let timing = Timing::of(&keyspace, &calls, &book.shown);
    let lives = leases::Lives::of(&keyspace, &calls, &timing)?;
    let steps = keyspace.changes.iter().enumerate().map(|(place, changes)| {
        let revision = Revision(place as i64 + 2);
        let latest = timing.when(revision).latest;
        Step::watched(changes.clone(), lives.ended_at(revision), lives.newest_grant(changes, latest), latest)
    });
    let history = History::watched(steps.collect(), lives.records(), compactions);
    let places = Places::of(&history);
    for call in &mut calls {
        places.name_call(call);
        if let Some(answer) = &mut call.answer {
            answer.written_by_then = timing.asked_by(answer.at);
        }
    }
    let mut watches: Vec<Watched> = collectors.iter().flatten().chain(watches).cloned().collect();
    watches.iter_mut().for_each(|watch| places.name_watch(watch));
    Ok(Observed { history, calls, watches })
}

/// Those that happened, and those that may have.
fn compactions(calls: &[Call]) -> Vec<Revision> {
    let happened = |call: &&Call| call.response().is_some() || call.is_open();
    let at = |call: &Call| match call.request {
        Request::Compact { at, .. } => Some(at),
        _ => None,
    };
    let mut compactions: Vec<Revision> = calls.iter().filter(happened).filter_map(at).collect();
    compactions.sort_unstable();
    compactions.dedup();
    compactions
}
