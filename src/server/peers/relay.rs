//! Requests that were sent on to another member and wait for its answer.
//!
//! Each is answered exactly once: by the remote, or with what is known of its fate when the connection is lost. A
//! request that may have been evaluated is never sent again.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rustc_hash::FxHashMap;

use super::bounds::{ANSWER_BYTES_MAX, RELAYS_MAX};
use super::outbox::Full;

/// A client's unary request, as it is sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayRequest {
    /// The method's place in the table of methods.
    pub method: u32,
    pub message: Bytes,
    /// How much time is left.
    pub deadline: Option<Duration>,
}

/// A remote's refusal: a gRPC code and its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} (code {code})")]
pub struct RelayStatus {
    pub code: u32,
    pub text: String,
}

/// Why a request that was sent on has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// The remote answers with a status.
    #[error(transparent)]
    Status(#[from] RelayStatus),
    /// No answer came, and none will: the request may have been evaluated.
    #[error("the request was sent on, and the connection was lost")]
    Lost,
    /// The request has surely not been evaluated.
    #[error("the request could not be sent on")]
    NotSent,
}

/// What is called with the answer.
pub type Done = Box<dyn FnOnce(Result<Bytes, RelayError>)>;

struct Waiting {
    /// Its number among the frames of its class.
    frame: u64,
    deadline: Option<Instant>,
    /// The beginning of an answer that comes in parts.
    parts: BytesMut,
    done: Done,
}

/// One remote's table. Callbacks are called after the table has been left, so that they may relay again.
#[derive(Default)]
pub struct Relays {
    next: Cell<u64>,
    waiting: RefCell<FxHashMap<u64, Waiting>>,
}

impl Relays {
    /// Takes a request up, which `put` puts where it will leave from; it is given the request's number, and returns the
    /// frame's.
    pub fn start(&self, deadline: Option<Duration>, done: Done, put: impl FnOnce(u64) -> Result<u64, Full>) {
        let number = self.next.get();
        let put = if self.waiting.borrow().len() < RELAYS_MAX { put(number) } else { Err(Full) };
        let Ok(frame) = put else { return done(Err(RelayError::NotSent)) };
        self.next.set(number + 1);
        let deadline = deadline.and_then(|left| Instant::now().checked_add(left));
        let waiting = Waiting { frame, deadline, parts: BytesMut::new(), done };
        self.waiting.borrow_mut().insert(number, waiting);
    }

    /// The beginning of an answer.
    ///
    /// # Errors
    /// If the answer is too large for any client, which the remote knows too.
    pub fn part(&self, number: u64, bytes: &Bytes) -> Result<(), TooLarge> {
        if let Some(waiting) = self.waiting.borrow_mut().get_mut(&number) {
            if waiting.parts.len() + bytes.len() > ANSWER_BYTES_MAX {
                return Err(TooLarge);
            }
            waiting.parts.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// The answer, or its rest. One for a request whose time is up is nobody's.
    pub fn answer(&self, number: u64, result: Result<Bytes, RelayStatus>) {
        let Some(waiting) = self.waiting.borrow_mut().remove(&number) else { return };
        let result = match result {
            Ok(bytes) if waiting.parts.is_empty() => Ok(bytes),
            Ok(bytes) => {
                let mut parts = waiting.parts;
                parts.extend_from_slice(&bytes);
                Ok(parts.freeze())
            }
            Err(status) => Err(status.into()),
        };
        (waiting.done)(result);
    }

    /// Gives up what waits beyond its deadline: who asked has been told already.
    pub fn expire(&self, now: Instant) {
        let is_over = |waiting: &Waiting| waiting.deadline.is_some_and(|deadline| deadline <= now);
        self.give_up(is_over, |_| RelayError::Lost);
    }

    /// Gives up everything, in the order in which it came. The frames below `taken` have left, or part of them.
    pub fn abandon(&self, taken: u64) {
        self.give_up(|_| true, |waiting| if waiting.frame < taken { RelayError::Lost } else { RelayError::NotSent });
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    fn give_up(&self, which: impl Fn(&Waiting) -> bool, error: impl Fn(&Waiting) -> RelayError) {
        let mut given_up: Vec<(u64, Waiting)> =
            self.waiting.borrow_mut().extract_if(|_, waiting| which(waiting)).collect();
        given_up.sort_unstable_by_key(|(number, _)| *number);
        for (_, waiting) in given_up {
            let error = error(&waiting);
            (waiting.done)(Err(error));
        }
    }
}

/// An answer beyond its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    type Answers = Rc<RefCell<Vec<(u64, Result<Bytes, RelayError>)>>>;

    fn start(relays: &Relays, answers: &Answers, name: u64, deadline: Option<Duration>) {
        let answers = Rc::clone(answers);
        let done = move |result| answers.borrow_mut().push((name, result));
        relays.start(deadline, Box::new(done), |number| Ok(number + 100));
    }

    #[test]
    fn parts_come_together() {
        let (relays, answers) = (Relays::default(), Answers::default());
        start(&relays, &answers, 1, None);
        start(&relays, &answers, 2, None);
        relays.part(0, &Bytes::from_static(b"ab")).unwrap();
        relays.answer(1, Err(RelayStatus { code: 5, text: String::new() }));
        relays.answer(0, Ok(Bytes::from_static(b"c")));
        relays.answer(0, Ok(Bytes::from_static(b"again")));
        let status = RelayError::Status(RelayStatus { code: 5, text: String::new() });
        assert_eq!(*answers.borrow(), [(2, Err(status)), (1, Ok(Bytes::from_static(b"abc")))]);
        assert_eq!(relays.len(), 0);
    }

    #[test]
    fn what_has_left_may_have_been_evaluated() {
        let (relays, answers) = (Relays::default(), Answers::default());
        (0..4).for_each(|name| start(&relays, &answers, name, None));
        relays.abandon(102);
        let expected = [
            (0, Err(RelayError::Lost)),
            (1, Err(RelayError::Lost)),
            (2, Err(RelayError::NotSent)),
            (3, Err(RelayError::NotSent)),
        ];
        assert_eq!(*answers.borrow(), expected);
    }

    #[test]
    fn deadlines_are_kept() {
        let (relays, answers) = (Relays::default(), Answers::default());
        start(&relays, &answers, 1, Some(Duration::from_secs(5)));
        start(&relays, &answers, 2, Some(Duration::MAX));
        relays.expire(Instant::now());
        assert_eq!(relays.len(), 2);
        relays.expire(Instant::now() + Duration::from_secs(6));
        assert_eq!(*answers.borrow(), [(1, Err(RelayError::Lost))]);
        assert_eq!(relays.len(), 1);
    }

    #[test]
    fn requests_are_bounded() {
        let (relays, answers) = (Relays::default(), Answers::default());
        (0..=RELAYS_MAX as u64).for_each(|name| start(&relays, &answers, name, None));
        assert_eq!(*answers.borrow(), [(RELAYS_MAX as u64, Err(RelayError::NotSent))]);
    }
}
