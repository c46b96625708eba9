//! How many unary calls of one connection may be under way: bounded by what they brought, and by what they will be answered.
//!
//! Nobody knows how long an answer becomes. The last ones say what to expect; before the first one, a few are let in. So a
//! client that asks for much and reads nothing is answered little, and one that asks for little is never held up. One that
//! asks for little first and then for much at once gets, beyond its bound, what is taken of a connection in one poll.

use crate::limits::Limits;

/// Calls that are let in before the first answer.
const FIRST_CALLS: usize = 16;
/// How much the last answer weighs in what is expected: one part in so many.
const WEIGHT: usize = 8;

#[derive(Debug)]
pub(super) struct Admission {
    calls: usize,
    message_bytes: usize,
    /// What a call is answered, in bytes, going by the last ones.
    answer_bytes: usize,
    is_first: bool,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Admission {
        Admission { calls: 0, message_bytes: 0, answer_bytes: limits.queued_max_bytes / FIRST_CALLS, is_first: true }
    }

    /// The handler has a call, with a message of so many bytes.
    pub(super) fn begin(&mut self, message_bytes: usize) {
        self.calls += 1;
        self.message_bytes += message_bytes;
    }

    /// That call is over.
    pub(super) fn end(&mut self, message_bytes: usize) {
        self.calls -= 1;
        self.message_bytes -= message_bytes;
    }

    /// A call was answered with so many bytes.
    pub(super) fn answered(&mut self, bytes: usize) {
        if std::mem::take(&mut self.is_first) {
            self.answer_bytes = bytes;
        }
        self.answer_bytes = self.answer_bytes - self.answer_bytes.div_ceil(WEIGHT) + bytes / WEIGHT;
    }

    /// Whether another call may be let in, while so many bytes wait for the client to read them.
    pub(super) fn has_room(&self, queued_bytes: usize, limits: &Limits) -> bool {
        self.message_bytes < limits.in_flight_max_bytes
            && self.calls.saturating_mul(self.answer_bytes).saturating_add(queued_bytes) < limits.queued_max_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that are let in until there is no more room.
    fn let_in(admission: &mut Admission, limits: &Limits) -> usize {
        (0..1_000_000).take_while(|_| admission.has_room(0, limits).then(|| admission.begin(10)).is_some()).count()
    }

    #[test]
    fn as_many_are_let_in_as_their_answers_leave_room() {
        let limits = Limits { in_flight_max_bytes: usize::MAX, ..Limits::default() };
        let mut admission = Admission::new(&limits);
        assert_eq!(let_in(&mut admission, &limits), FIRST_CALLS);
        for _ in 0..FIRST_CALLS {
            admission.end(10);
            admission.answered(1 << 20);
        }
        let large = let_in(&mut admission, &limits);
        assert!((16..=20).contains(&large), "{large} answers of 1 MiB were let in");
        for _ in 0..large {
            admission.end(10);
        }
        // A hundred short answers later nothing is held up.
        (0..100).for_each(|_| admission.answered(50));
        assert!(let_in(&mut admission, &limits) > 100_000);
    }

    #[test]
    fn what_waits_to_be_read_counts() {
        let limits = Limits::default();
        let admission = Admission::new(&limits);
        assert!(admission.has_room(limits.queued_max_bytes - 1, &limits));
        assert!(!admission.has_room(limits.queued_max_bytes, &limits));
    }
}
