//! Changes that are of no use any more: dropped in slices, for a million of them take longer than a poll may.

use crate::clock::Change;
use std::vec::IntoIter;

/// What is still to be dropped, in pieces.
#[derive(Debug, Default)]
pub struct Discarded {
    pieces: Vec<IntoIter<Change>>,
}

impl Discarded {
    pub fn add(&mut self, pieces: impl IntoIterator<Item = IntoIter<Change>>) {
        self.pieces.extend(pieces);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Drops as many as are left of a slice.
    pub fn shed(&mut self, left: &mut usize) {
        while let Some(piece) = self.pieces.last_mut() {
            let before = piece.len();
            piece.by_ref().take(*left).for_each(drop);
            *left -= before - piece.len();
            if piece.len() > 0 {
                return;
            }
            self.pieces.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_drops_so_many_and_no_more() {
        let piece =
            |count| (0..count).map(|sub| Change::Delete { sub, key: "k".into() }).collect::<Vec<_>>().into_iter();
        let mut discarded = Discarded::default();
        discarded.add([piece(3), piece(0), piece(4)]);
        let held = |discarded: &Discarded| discarded.pieces.iter().map(IntoIter::len).sum::<usize>();
        for expected in [5, 3, 1, 0] {
            assert!(!discarded.is_empty());
            discarded.shed(&mut 2);
            assert_eq!(held(&discarded), expected);
        }
        assert!(discarded.is_empty());
    }
}
