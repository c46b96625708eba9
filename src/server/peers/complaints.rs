//! What was complained of already: a cause goes into the log once, not at each attempt, until it is mended.
//!
//! Shared by all executors of the process; connections come and go far from any hot path.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use campanile_storage::ids::MemberId;

use super::bounds::COMPLAINED_OF_MAX;

/// What a complaint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A connection of ours to this member.
    To(MemberId),
    /// A connection of this member to us.
    From(MemberId),
    /// A connection of who knows whom.
    Stranger(IpAddr),
}

/// Clones share what was said.
#[derive(Clone, Debug, Default)]
pub struct Complaints {
    said: Arc<Mutex<BTreeMap<Subject, Said>>>,
}

#[derive(Debug, Default)]
struct Said {
    causes: BTreeSet<&'static str>,
    is_well: bool,
}

impl Complaints {
    /// Whether this is to be said.
    #[must_use]
    pub fn is_new(&self, subject: Subject, cause: &'static str) -> bool {
        self.with(subject, |said| {
            said.is_well = false;
            said.causes.insert(cause)
        })
    }

    /// All is well with the subject: whether that is to be said. What it suffers from later is new.
    #[must_use]
    pub fn is_mended(&self, subject: Subject) -> bool {
        self.with(subject, |said| {
            said.causes.clear();
            !std::mem::replace(&mut said.is_well, true)
        })
    }

    /// When there are too many subjects all are forgotten, so that something is said again, at worst.
    fn with<T>(&self, subject: Subject, look: impl FnOnce(&mut Said) -> T) -> T {
        let mut said = self.said.lock().expect("nobody panics while holding it");
        if said.len() >= COMPLAINED_OF_MAX && !said.contains_key(&subject) {
            said.clear();
        }
        look(said.entry(subject).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject = Subject::To(MemberId(7));

    #[test]
    fn a_cause_is_said_once_until_it_is_mended() {
        let complaints = Complaints::default();
        assert!(complaints.is_new(SUBJECT, "a"));
        assert!(complaints.clone().is_new(SUBJECT, "b"));
        assert!(!complaints.is_new(SUBJECT, "a") && !complaints.is_new(SUBJECT, "b"));
        assert!(complaints.is_new(Subject::From(MemberId(7)), "a"));
        assert!(complaints.is_mended(SUBJECT));
        assert!(!complaints.is_mended(SUBJECT));
        assert!(complaints.is_new(SUBJECT, "a"));
        assert!(complaints.is_mended(SUBJECT));
    }

    #[test]
    fn memory_is_bounded() {
        let complaints = Complaints::default();
        for id in 0..3 * COMPLAINED_OF_MAX as u64 {
            assert!(complaints.is_new(Subject::From(MemberId(id)), "a"));
            assert!(complaints.said.lock().unwrap().len() <= COMPLAINED_OF_MAX);
        }
    }
}
