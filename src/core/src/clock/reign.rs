//! What the executors of an open primary share: the revision counter and the completion window of one epoch.
//!
//! Everything else between executors is a message. Both belong to one object of the epoch: a revision taken from a dead
//! reign's counter is dead too. The core sees it through [`Reign`], so that a simulator can let other executors run
//! between any two calls; `interleavings.rs` lets loom run them between any two accesses.

use super::Epoch;
use campanile_storage::ids::Revision;
use std::fmt::Debug;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Executors of one member.
pub const EXECUTORS_MAX: usize = 256;

/// The shared memory of one open reign.
pub trait Reign: Debug + Send + Sync {
    fn epoch(&self) -> Epoch;
    /// Takes the next revision for a transaction over so many groups; `None` if the window is full or the reign over.
    fn take(&self, groups: u32) -> Option<Revision>;
    /// One group's fragment of this revision is committed. Says whether the visible revision moved.
    fn fill(&self, revision: Revision) -> bool;
    /// Every revision up to this one is complete.
    fn visible(&self) -> Revision;
    /// The newest revision taken.
    fn newest(&self) -> Revision;
    /// Ends the reign: the visible revision moves no more, and none is taken. Returns where it stays.
    fn close(&self) -> Revision;
    fn is_closed(&self) -> bool;
    /// This executor waits for the visible revision to move, and wants to be told.
    fn wait(&self, executor: usize);
    /// Whether this executor waits; it is told once.
    fn wake(&self, executor: usize) -> bool;
}

/// [`Reign`] on atomics.
///
/// A slot of the ring holds `revision << 16 | groups still missing`, so a slot that was not written yet for a revision
/// can never be taken for a complete one. The visible revision moves by compare-and-swap alone, with a flag for the end
/// in the same word: after [`Reign::close`] nobody can move it.
pub struct AtomicReign {
    epoch: Epoch,
    newest: AtomicU64,
    /// `revision << 1 | closed`.
    visible: AtomicU64,
    slots: Box<[AtomicU64]>,
    waiting: Box<[AtomicBool]>,
}

const GROUPS_BITS: u32 = 16;
const GROUPS_MASK: u64 = (1 << GROUPS_BITS) - 1;
const CLOSED: u64 = 1;

impl AtomicReign {
    /// A reign that opens with this base: the first revision taken is the one after it. So many may be taken and not yet
    /// visible.
    #[must_use]
    pub fn new(epoch: Epoch, base: Revision, window_revisions: u64) -> AtomicReign {
        AtomicReign::with_room(epoch, base, window_revisions, EXECUTORS_MAX)
    }

    fn with_room(epoch: Epoch, base: Revision, revisions: u64, executors: usize) -> AtomicReign {
        let base = u64::try_from(base.0).expect("a base is at least 1");
        AtomicReign {
            epoch,
            newest: AtomicU64::new(base),
            visible: AtomicU64::new(base << 1),
            slots: (0..revisions).map(|_| AtomicU64::new(0)).collect(),
            waiting: (0..executors).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    fn slot(&self, revision: u64) -> &AtomicU64 {
        &self.slots[(revision % self.slots.len() as u64) as usize]
    }

    fn advance(&self) -> bool {
        let mut moved = false;
        loop {
            total_order();
            let visible = self.visible.load(Ordering::SeqCst);
            let next = (visible >> 1) + 1;
            let complete = self.slot(next).load(Ordering::SeqCst) == next << GROUPS_BITS;
            if visible & CLOSED != 0 || !complete {
                return moved;
            }
            moved |= self.visible.compare_exchange(visible, next << 1, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        }
    }
}

impl Reign for AtomicReign {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn take(&self, groups: u32) -> Option<Revision> {
        assert!(groups > 0 && u64::from(groups) <= GROUPS_MASK, "a transaction touches 1 to 65535 groups");
        let mut newest = self.newest.load(Ordering::SeqCst);
        loop {
            let visible = self.visible.load(Ordering::SeqCst);
            if visible & CLOSED != 0 || newest + 1 - (visible >> 1).min(newest) > self.slots.len() as u64 {
                return None;
            }
            match self.newest.compare_exchange_weak(newest, newest + 1, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => break,
                Err(now) => newest = now,
            }
        }
        let revision = newest + 1;
        self.slot(revision).store(revision << GROUPS_BITS | u64::from(groups), Ordering::SeqCst);
        Some(Revision(revision.cast_signed()))
    }

    fn fill(&self, revision: Revision) -> bool {
        let number = revision.0.cast_unsigned();
        let before = self.slot(number).fetch_sub(1, Ordering::SeqCst);
        assert_eq!(before >> GROUPS_BITS, number, "revision {revision} is not in the window");
        assert_ne!(before & GROUPS_MASK, 0, "revision {revision} was filled more often than it has groups");
        before & GROUPS_MASK == 1 && self.advance()
    }

    fn visible(&self) -> Revision {
        Revision((self.visible.load(Ordering::SeqCst) >> 1).cast_signed())
    }

    fn newest(&self) -> Revision {
        Revision(self.newest.load(Ordering::SeqCst).cast_signed())
    }

    fn close(&self) -> Revision {
        Revision((self.visible.fetch_or(CLOSED, Ordering::SeqCst) >> 1).cast_signed())
    }

    fn is_closed(&self) -> bool {
        self.visible.load(Ordering::SeqCst) & CLOSED != 0
    }

    fn wait(&self, executor: usize) {
        self.waiting[executor].store(true, Ordering::SeqCst);
        total_order();
    }

    fn wake(&self, executor: usize) -> bool {
        total_order();
        self.waiting[executor].load(Ordering::SeqCst) && self.waiting[executor].swap(false, Ordering::SeqCst)
    }
}

/// Between a write and the look for what another executor wrote, where one of the two must see the other: the fill of a
/// slot and the move of the visible revision, "I wait" and the move. The one order of all SeqCst accesses sees to it; with
/// AcqRel ones a complete revision stays invisible, as loom shows. loom takes SeqCst accesses for AcqRel, and knows the
/// order of SeqCst fences alone.
fn total_order() {
    #[cfg(loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

impl Debug for AtomicReign {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "reign {} visible {} newest {}", self.epoch, self.visible(), self.newest())
    }
}

#[cfg(all(test, loom))]
mod interleavings;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn reign(window: u64) -> AtomicReign {
        AtomicReign::with_room(Epoch::NONE, Revision::EMPTY, window, 1)
    }

    #[test]
    fn the_visible_revision_waits_for_every_lower_one() {
        let reign = reign(8);
        let first = reign.take(2).unwrap();
        let second = reign.take(1).unwrap();
        assert_eq!((first, second), (Revision(2), Revision(3)));
        assert!(!reign.fill(second));
        assert!(!reign.fill(first));
        assert_eq!(reign.visible(), Revision(1));
        assert!(reign.fill(first));
        assert_eq!(reign.visible(), Revision(3));
    }

    #[test]
    fn a_full_window_refuses_before_a_revision_is_taken() {
        let reign = reign(2);
        let first = reign.take(1).unwrap();
        reign.take(1).unwrap();
        assert_eq!(reign.take(1), None);
        assert_eq!(reign.newest(), Revision(3));
        assert!(reign.fill(first));
        assert_eq!(reign.take(1), Some(Revision(4)));
    }

    #[test]
    fn nothing_moves_after_the_end() {
        let reign = reign(8);
        let revision = reign.take(1).unwrap();
        assert_eq!(reign.close(), Revision(1));
        assert!(!reign.fill(revision));
        assert_eq!(reign.visible(), Revision(1));
        assert_eq!(reign.take(1), None);
    }

    #[test]
    fn threads_together_leave_no_gap() {
        const TAKEN_EACH: u64 = 20_000;
        let reign = reign(64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut taken = 0;
                    while taken < TAKEN_EACH {
                        if let Some(revision) = reign.take(2) {
                            reign.fill(revision);
                            reign.fill(revision);
                            taken += 1;
                        }
                    }
                });
            }
        });
        assert_eq!(reign.visible(), reign.newest());
        assert_eq!(reign.newest().0.cast_unsigned(), 1 + 4 * TAKEN_EACH);
    }
}
