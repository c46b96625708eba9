//! Compactions whose records took effect: the newest at or below what is visible, and those above it.
//!
//! A follower may apply the record of a compaction before it shows its revision. A checkpoint at a lower revision holds
//! the shards as the compactions up to that left them, and names the others, since their records lie before its cut.

use campanile_storage::ids::Revision;

#[derive(Debug)]
pub struct Compactions {
    settled: Revision,
    /// Rising.
    ahead: Vec<Revision>,
}

impl Compactions {
    #[must_use]
    pub fn new(settled: Revision, ahead: Vec<Revision>) -> Compactions {
        Compactions { settled, ahead }
    }

    /// The newest of all.
    #[must_use]
    pub fn newest(&self) -> Revision {
        self.ahead.last().copied().unwrap_or(self.settled)
    }

    /// A record took effect. One that is not above the newest changes nothing.
    pub fn push(&mut self, at: Revision) {
        if at > self.newest() {
            self.ahead.push(at);
        }
    }

    /// This revision is visible.
    pub fn settle(&mut self, visible: Revision) {
        let reached = self.ahead.partition_point(|at| *at <= visible);
        if let Some(newest) = self.ahead.drain(..reached).next_back() {
            self.settled = newest;
        }
    }

    /// The newest of those that readers at this revision must heed.
    #[must_use]
    pub fn in_force(&self, visible: Revision) -> Revision {
        let reached = self.ahead.partition_point(|at| *at <= visible);
        self.ahead[..reached].last().copied().unwrap_or(self.settled)
    }

    /// The newest that was visible when [`settle`](Compactions::settle) was last called.
    #[must_use]
    pub fn settled(&self) -> Revision {
        self.settled
    }

    /// Those above it.
    #[must_use]
    pub fn ahead(&self) -> Vec<Revision> {
        self.ahead.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_storage::store::UNCOMPACTED;

    #[test]
    fn what_is_not_visible_yet_stays_ahead() {
        let mut compactions = Compactions::new(UNCOMPACTED, Vec::new());
        for at in [3, 5, 5, 4, 9] {
            compactions.push(Revision(at));
        }
        compactions.settle(Revision(2));
        assert_eq!((compactions.settled(), compactions.newest()), (UNCOMPACTED, Revision(9)));
        compactions.settle(Revision(8));
        assert_eq!((compactions.settled(), compactions.ahead()), (Revision(5), vec![Revision(9)]));
    }
}
