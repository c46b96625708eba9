//! What ends a run: two answers that should be equal, with all that is needed to see it again.

use std::fmt;

/// Two answers to one operation.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The number of the operation being performed; settling in between counts for the operation that asked for it.
    pub number: u64,
    pub operation: String,
    pub judge: String,
    pub subject: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, operation, judge, subject } = self;
        write!(formatter, "operation {number}: {operation}\n  judge:   {judge}\n  subject: {subject}")
    }
}
