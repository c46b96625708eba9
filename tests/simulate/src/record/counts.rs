//! How often each thing happened in a run or a campaign. A corner that is never reached proves nothing, so a campaign that
//! has a zero fails.

use std::collections::BTreeMap;
use std::fmt;

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
