//! The name of one reign.

use campanile_storage::ids::Term;
use std::fmt;

/// One reign of a primary: the control group's term, and how often the primary began anew within it. Never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    pub term: Term,
    pub attempt: u32,
}

impl Epoch {
    /// Before every reign: what a new cluster starts from.
    pub const NONE: Epoch = Epoch { term: Term(0), attempt: 0 };

    /// The first reign of a term.
    #[must_use]
    pub fn first_of(term: Term) -> Epoch {
        Epoch { term, attempt: 0 }
    }

    /// The next reign of the same primary within its term.
    #[must_use]
    pub fn again(self) -> Epoch {
        Epoch { term: self.term, attempt: self.attempt.checked_add(1).expect("a term sees fewer than 2^32 reigns") }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.term, self.attempt)
    }
}
