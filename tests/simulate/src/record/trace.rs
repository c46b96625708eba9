//! A hash over everything that happens in a run, in order: two runs of one seed have the same, or something leaked in that
//! no seed decides. A replay prints the text beside it.

use crate::moment::Moment;
use rustc_hash::FxHasher;
use std::fmt;
use std::hash::Hasher;

#[derive(Default)]
pub struct Trace {
    hasher: FxHasher,
    pub events: u64,
    prints: bool,
}

impl Trace {
    /// `prints`: every event's text goes to standard output.
    #[must_use]
    pub fn new(prints: bool) -> Trace {
        Trace { prints, ..Trace::default() }
    }

    /// Something happened. The text is made only if it is printed, so the numbers must say what is to be the same.
    pub fn note(&mut self, now: Moment, what: &str, numbers: &[u64], text: impl FnOnce() -> String) {
        self.events += 1;
        self.hasher.write_u64(now.0);
        self.hasher.write(what.as_bytes());
        for &number in numbers {
            self.hasher.write_u64(number);
        }
        if self.prints {
            println!("{now} {what} {}", text());
        }
    }

    /// As [`Trace::note`], with the text in the hash.
    pub fn tell(&mut self, now: Moment, what: &str, told: &dyn fmt::Debug) {
        let text = format!("{told:?}");
        self.hasher.write(text.as_bytes());
        self.note(now, what, &[], || text);
    }

    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
