//! An epoch names one attempt at a reign, of one life of one member, and is never used again.

use super::{Violation, promise};
use campanile_core::clock::Epoch;
use std::collections::{BTreeMap, BTreeSet};

const PROMISE: &str = "an epoch is never used twice";

/// Attempts at a reign, as members begin and end them.
#[derive(Debug, Default)]
pub struct Epochs {
    /// The member that began each, and in which of its lives.
    begun: BTreeMap<Epoch, (usize, u32)>,
    over: BTreeSet<Epoch>,
    /// What each member tries now, or tried last.
    newest: BTreeMap<usize, Epoch>,
}

impl Epochs {
    /// A member begins an attempt, or goes on with it.
    ///
    /// # Errors
    /// If the epoch is another one's, or was over.
    pub fn begin(&mut self, member: usize, life: u32, epoch: Epoch) -> Result<(), Violation> {
        let own = (member, life);
        let first = *self.begun.entry(epoch).or_insert(own);
        promise!(PROMISE, first == own, "epoch {epoch} of member and life {own:?} was that of {first:?}");
        promise!(PROMISE, !self.over.contains(&epoch), "member {member} begins epoch {epoch} again");
        self.newest.insert(member, epoch);
        Ok(())
    }

    /// A member ends its attempt, or its reign.
    pub fn end(&mut self, member: usize) {
        self.over.extend(self.newest.get(&member));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_storage::ids::Term;

    const EPOCH: Epoch = Epoch { term: Term(3), attempt: 0 };

    #[test]
    fn an_epoch_goes_on_until_it_is_over() {
        let mut epochs = Epochs::default();
        assert!(epochs.begin(0, 1, EPOCH).is_ok());
        assert!(epochs.begin(0, 1, EPOCH).is_ok());
        epochs.end(0);
        assert!(epochs.begin(0, 1, EPOCH).is_err());
        assert!(epochs.begin(0, 1, EPOCH.again()).is_ok());
    }

    #[test]
    fn an_epoch_belongs_to_one_life() {
        let mut epochs = Epochs::default();
        assert!(epochs.begin(0, 1, EPOCH).is_ok());
        assert!(epochs.begin(0, 2, EPOCH).is_err());
        assert!(epochs.begin(1, 1, EPOCH).is_err());
    }
}
