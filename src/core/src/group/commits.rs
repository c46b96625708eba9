//! In which term a group was when this member saw an entry committed.
//!
//! raft-rs hands committed entries out later than it learns of them, and in between the term may have moved on. A shard
//! must know whether an entry was committed while its own term still was the group's.

use campanile_storage::ids::{Index, Term};
use std::collections::VecDeque;

/// Commit indexes as they were noticed, each with the group's term then. The front is handed out first; there is one for
/// each term in which entries were committed that are not handed out yet.
#[derive(Debug)]
pub struct Commits {
    noticed: VecDeque<(Index, Term)>,
}

impl Commits {
    pub fn new(index: Index, term: Term) -> Commits {
        Commits { noticed: VecDeque::from([(index, term)]) }
    }

    /// Takes note of a commit index together with the term of this moment.
    pub fn notice(&mut self, index: Index, term: Term) {
        let newest = self.noticed.back().map_or(Index(0), |&(index, _)| index);
        if index > newest {
            match self.noticed.back_mut() {
                Some(back) if back.1 == term => back.0 = index,
                _ => self.noticed.push_back((index, term)),
            }
        }
    }

    /// The term in which this entry was noticed to be committed. Asked for entries in their order; forgets those before it.
    pub fn noticed_in(&mut self, index: Index) -> Option<Term> {
        while self.noticed.len() > 1 && self.noticed.front().is_some_and(|&(up_to, _)| up_to < index) {
            self.noticed.pop_front();
        }
        self.noticed.front().filter(|&&(up_to, _)| up_to >= index).map(|&(_, term)| term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_the_term_of_the_notice_that_brought_it() {
        let mut commits = Commits::new(Index(3), Term(1));
        commits.notice(Index(4), Term(2));
        commits.notice(Index(6), Term(2));
        commits.notice(Index(6), Term(5));
        commits.notice(Index(7), Term(5));
        let terms: Vec<_> = (3..=8).map(|index| commits.noticed_in(Index(index)).map(|term| term.0)).collect();
        assert_eq!(terms, [Some(1), Some(2), Some(2), Some(2), Some(5), None]);
    }
}
