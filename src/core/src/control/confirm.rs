//! Which revision may a linearizable read see? Asked by executors and by other members, answered in batches.
//!
//! On the open primary: the visible revision, taken after a quorum confirmed the leadership, asked after the questions
//! came. On any other member: what the primary says, once this member has it too.

use crate::executor::effect::ExecutorId;
use crate::planted::planted;
use campanile_storage::ids::{Index, MemberId, Revision};

/// Ticks after which an unanswered attempt is made again, with a fresh context.
const ATTEMPT_TICKS: u32 = 2;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    Executor {
        executor: ExecutorId,
        round: u64,
    },
    Member {
        member: MemberId,
        question: u64,
    },
    /// The control executor itself, for a request of its own.
    Control {
        request: u64,
    },
}

#[derive(Debug)]
struct Question {
    asker: Asker,
    ticks: u32,
}

/// An answer that this member does not have itself yet.
#[derive(Debug)]
struct Awaited {
    asker: Asker,
    visible: Revision,
    control_index: Index,
    ticks: u32,
}

/// The questions, those of the attempt under way apart from those that came after it began.
#[derive(Debug)]
pub struct Confirmations {
    waiting: Vec<Question>,
    /// One more is refused.
    waiting_max: usize,
    asked: Vec<Question>,
    awaited: Vec<Awaited>,
    /// The context of the newest attempt; never used twice.
    attempt: u64,
    ticks: u32,
}

impl Confirmations {
    /// Contexts of this run begin at a random place, so that answers to those of an earlier run match none.
    #[must_use]
    pub fn new(first_context: u64, waiting_max: usize) -> Confirmations {
        let (waiting, asked, awaited) = (Vec::new(), Vec::new(), Vec::new());
        Confirmations { waiting, waiting_max, asked, awaited, attempt: first_context, ticks: 0 }
    }

    /// Takes a question; false if too many wait.
    #[must_use]
    pub fn ask(&mut self, asker: Asker) -> bool {
        let room = self.waiting.len() < self.waiting_max;
        if planted!(LateQuestionsJoin) && !self.asked.is_empty() {
            self.asked.push(Question { asker, ticks: 0 });
            return true;
        }
        if room {
            self.waiting.push(Question { asker, ticks: 0 });
        }
        room
    }

    /// Begins an attempt for everything that waits, if none is under way. Returns its context.
    pub fn begin(&mut self) -> Option<u64> {
        if self.waiting.is_empty() || !self.asked.is_empty() {
            return None;
        }
        std::mem::swap(&mut self.waiting, &mut self.asked);
        self.ticks = 0;
        self.attempt = self.attempt.wrapping_add(u64::from(!planted!(ContextReused)));
        Some(self.attempt)
    }

    /// The attempt with this context is confirmed: who asked for it. Empty if it is not the one under way.
    pub fn confirmed(&mut self, context: u64) -> Vec<Asker> {
        if context != self.attempt {
            return Vec::new();
        }
        self.asked.drain(..).map(|question| question.asker).collect()
    }

    /// The primary has answered the attempt with this context: wait until this member has what it saw.
    pub fn answered(&mut self, context: u64, visible: Revision, control_index: Index) {
        let askers = self.confirmed(context);
        self.awaited.extend(askers.into_iter().map(|asker| Awaited { asker, visible, control_index, ticks: 0 }));
    }

    /// Answers that this member can give now.
    pub fn reached(&mut self, visible: Revision, control_index: Index) -> Vec<(Asker, Revision)> {
        let is_applied = |awaited: &Awaited| awaited.control_index <= control_index || planted!(RevisionAlone);
        let has = |awaited: &Awaited| awaited.visible <= visible && is_applied(awaited);
        self.awaited.extract_if(.., |awaited| has(awaited)).map(|awaited| (awaited.asker, awaited.visible)).collect()
    }

    /// The attempt under way leads nowhere (no leader, not open yet): its questions wait again.
    pub fn retry(&mut self) {
        self.waiting.append(&mut self.asked);
    }

    /// Time goes on. Returns the questions that waited too long.
    pub fn tick(&mut self, patience_ticks: u32) -> Vec<Asker> {
        self.ticks += 1;
        if self.ticks > ATTEMPT_TICKS {
            self.retry();
        }
        let mut expired = Vec::new();
        for list in [&mut self.waiting, &mut self.asked] {
            list.iter_mut().for_each(|question| question.ticks += 1);
            expired.extend(list.extract_if(.., |question| question.ticks > patience_ticks).map(|q| q.asker));
        }
        self.awaited.iter_mut().for_each(|awaited| awaited.ticks += 1);
        expired.extend(self.awaited.extract_if(.., |awaited| awaited.ticks > patience_ticks).map(|a| a.asker));
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(round: u64) -> Asker {
        Asker::Executor { executor: 0, round }
    }

    #[test]
    fn a_question_that_came_later_waits_for_the_next_attempt() {
        let mut confirmations = Confirmations::new(0, 10);
        assert!(confirmations.ask(asker(1)));
        let first = confirmations.begin().unwrap();
        assert!(confirmations.ask(asker(2)));
        assert_eq!(confirmations.begin(), None);
        assert_eq!(confirmations.confirmed(first), [asker(1)]);
        let second = confirmations.begin().unwrap();
        assert_ne!(first, second);
        assert_eq!(confirmations.confirmed(first), [], "an old answer confirms nothing");
        assert_eq!(confirmations.confirmed(second), [asker(2)]);
    }

    #[test]
    fn an_attempt_without_an_answer_is_made_again_with_a_fresh_context() {
        let mut confirmations = Confirmations::new(0, 10);
        assert!(confirmations.ask(asker(1)));
        let first = confirmations.begin().unwrap();
        for _ in 0..=ATTEMPT_TICKS {
            assert_eq!(confirmations.tick(100), []);
        }
        let second = confirmations.begin().unwrap();
        assert_eq!(confirmations.confirmed(first), []);
        assert_eq!(confirmations.confirmed(second), [asker(1)]);
    }

    #[test]
    fn a_follower_waits_until_it_has_what_the_primary_saw() {
        let mut confirmations = Confirmations::new(0, 10);
        assert!(confirmations.ask(asker(1)));
        let context = confirmations.begin().unwrap();
        confirmations.answered(context, Revision(5), Index(2));
        assert_eq!(confirmations.reached(Revision(5), Index(1)), []);
        assert_eq!(confirmations.reached(Revision(6), Index(2)), [(asker(1), Revision(5))]);
    }
}
