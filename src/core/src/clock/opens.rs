//! The opened epochs and their bases: the second half of validity.
//!
//! `open(epoch, base)` says: everything up to `base` is final, and revisions above it belong to `epoch` until the next
//! open says otherwise. A fragment above the base of any later opened epoch is void, on every member, for ever.

use super::Epoch;
use crate::codec::{Malformed, Reader, Write};
use crate::planted::planted;
use campanile_storage::ids::{Revision, Term};

/// One opened epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub epoch: Epoch,
    pub base: Revision,
}

/// All opened epochs that still matter, oldest first.
///
/// Epochs rise strictly from one open to the next. Bases may fall: a primary that dies before it acknowledged anything
/// leaves revisions that the next open declares void.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opens {
    opens: Vec<Open>,
}

impl Opens {
    /// Takes note of an open. Opens arrive in the order of the control group's log.
    ///
    /// # Panics
    /// If the epoch is not above every epoch opened before: an epoch is opened once.
    pub fn push(&mut self, open: Open) {
        assert!(open.epoch > self.newest_epoch(), "epoch {} opened after {}", open.epoch, self.newest_epoch());
        self.opens.push(open);
    }

    /// The epoch opened last.
    #[must_use]
    pub fn newest_epoch(&self) -> Epoch {
        self.opens.last().map_or(Epoch::NONE, |open| open.epoch)
    }

    /// The base of the epoch opened last. At or below it, what is committed is final.
    #[must_use]
    pub fn newest_base(&self) -> Revision {
        self.opens.last().map_or(Revision::EMPTY, |open| open.base)
    }

    /// Whether a later open has declared this fragment void.
    #[must_use]
    pub fn is_void(&self, epoch: Epoch, revision: Revision) -> bool {
        !planted!(VoidCounts)
            && self.opens.iter().rev().take_while(|open| open.epoch > epoch).any(|open| revision > open.base)
    }

    /// The only epoch whose fragments may complete this revision: the last opened one with a base below it.
    #[must_use]
    pub fn owner(&self, revision: Revision) -> Option<Epoch> {
        self.opens.iter().rev().find(|open| open.base < revision).map(|open| open.epoch)
    }

    /// Forgets opens that cannot matter above `visible`: all before the last one with a base at or below it.
    pub fn forget_below(&mut self, visible: Revision) {
        if let Some(last) = self.opens.iter().rposition(|open| open.base <= visible) {
            self.opens.drain(..last);
        }
    }

    pub fn encode(&self, buffer: &mut Vec<u8>) {
        buffer.put_count(self.opens.len());
        for open in &self.opens {
            buffer.put_u64(open.epoch.term.0);
            buffer.put_u32(open.epoch.attempt);
            buffer.put_i64(open.base.0);
        }
    }

    pub fn decode(reader: &mut Reader) -> Result<Opens, Malformed> {
        const OPEN_BYTES: usize = 8 + 4 + 8;
        let count = reader.count(OPEN_BYTES, "opens")?;
        let mut opens = Opens::default();
        for _ in 0..count {
            let epoch = Epoch { term: Term(reader.u64("open term")?), attempt: reader.u32("open attempt")? };
            let base = Revision(reader.i64("open base")?);
            if epoch <= opens.newest_epoch() {
                return Err(Malformed("order of opens"));
            }
            opens.push(Open { epoch, base });
        }
        Ok(opens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(list: &[(u64, i64)]) -> Opens {
        let mut opens = Opens::default();
        for &(term, base) in list {
            opens.push(Open { epoch: Epoch::first_of(Term(term)), base: Revision(base) });
        }
        opens
    }

    #[test]
    fn a_fragment_above_a_later_base_is_void() {
        let opens = opens(&[(1, 1), (2, 3)]);
        assert!(!opens.is_void(Epoch::first_of(Term(1)), Revision(3)));
        assert!(opens.is_void(Epoch::first_of(Term(1)), Revision(4)));
        assert!(!opens.is_void(Epoch::first_of(Term(2)), Revision(4)));
        assert!(!opens.is_void(Epoch::first_of(Term(3)), Revision(9)), "not opened yet: not void either");
    }

    #[test]
    fn bases_may_fall_and_the_lowest_later_one_decides() {
        let opens = opens(&[(1, 1), (2, 5), (3, 4)]);
        assert!(opens.is_void(Epoch::first_of(Term(1)), Revision(5)));
        assert_eq!(opens.owner(Revision(5)), Some(Epoch::first_of(Term(3))));
        assert_eq!(opens.owner(Revision(4)), Some(Epoch::first_of(Term(1))));
        assert_eq!(opens.owner(Revision(1)), None);
    }

    #[test]
    fn forgetting_keeps_what_may_still_decide() {
        let mut opens = opens(&[(1, 1), (2, 5), (3, 4)]);
        opens.forget_below(Revision(4));
        assert_eq!(opens.owner(Revision(5)), Some(Epoch::first_of(Term(3))));
        assert!(opens.is_void(Epoch::first_of(Term(2)), Revision(6)));
    }

    #[test]
    fn encoding_round_trips() {
        let before = opens(&[(1, 1), (2, 5), (3, 4)]);
        let mut buffer = Vec::new();
        before.encode(&mut buffer);
        let mut reader = Reader::new(buffer.into());
        assert_eq!(Opens::decode(&mut reader), Ok(before));
        assert!(reader.is_empty());
    }
}
