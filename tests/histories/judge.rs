//! Holds a history against the simulator's checkers, the same ones in the same order.
//!
//! Not asked: `durability`, `shown` and `memory`, which look into members while they run, and what `record::history` and
//! `record::ledger` say of epochs and logs.

use std::fmt;

use campanile_simulate::check::{
    Violation, answers, hashes,
    leases::{self, Clocks},
    refusals, unanswered, watches,
};

use crate::observe::{Observed, Recorded, Unusable, observe};

const SENSE: &str = "answers are etcd's";

/// What came of a history.
#[derive(Debug)]
pub enum Verdict {
    Holds,
    /// The record is not enough to say.
    Undecided(String),
    Broken(Violation),
}

impl Verdict {
    pub fn is_broken(&self) -> bool {
        matches!(self, Verdict::Broken(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Holds => formatter.write_str("holds"),
            Verdict::Undecided(why) => write!(formatter, "UNDECIDED: {why}"),
            Verdict::Broken(violation) => write!(formatter, "VIOLATION: {violation}"),
        }
    }
}

/// Judges what was recorded.
pub fn judge(recorded: &Recorded) -> Verdict {
    if let Some(nonsense) = recorded.book.nonsense.first() {
        return Verdict::Broken(Violation::new(SENSE, nonsense.clone()));
    }
    match observe(recorded) {
        Ok(observed) => match check(&observed) {
            Ok(()) => Verdict::Holds,
            Err(violation) => Verdict::Broken(violation),
        },
        Err(Unusable::Broken(violation)) => Verdict::Broken(violation),
        Err(unknown @ Unusable::Unknown(_)) => Verdict::Undecided(unknown.to_string()),
    }
}

fn check(observed: &Observed) -> Result<(), Violation> {
    let Observed { history, calls, watches } = observed;
    let unclaimed = answers::check(history, calls)?;
    unanswered::check(&unclaimed)?;
    refusals::check(history, calls)?;
    // All members and clients share the machine's clock.
    leases::check(history, calls, &Clocks::default())?;
    watches::check(history, watches)?;
    hashes::check(history, calls)
}
