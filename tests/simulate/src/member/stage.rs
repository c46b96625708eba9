//! Where one executor runs while others of its member may run between any two of its looks at what they share.
//!
//! What executors share is a reign's counter and window, and a real one may be moved by another thread at any moment. So
//! the simulated [`Reign`] gives the dice a turn before and after each call, and lets another executor of the member end
//! its round right there. Whoever is on the stage already, further up the stack, cannot.

use crate::dice::Dice;
use campanile_core::clock::{AtomicReign, Epoch, Reign};
use campanile_core::codec::Malformed;
use campanile_core::executor::Executor;
use campanile_core::executor::effect::{Effect, Input};
use campanile_core::time::Instant;
use campanile_storage::ids::Revision;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// One executor, and what has come for it since it last had a turn.
pub struct Seat {
    pub core: Executor,
    pub inbox: VecDeque<Input>,
    /// Whether inputs were stepped, or more is to be done, and the round has not ended yet.
    pub is_due: bool,
    /// Whether the end of a round is on its way.
    pub is_called: bool,
    /// A paused executor takes nothing.
    pub is_paused: bool,
}

/// A round that ended: what the executor wants done.
pub struct Round {
    pub executor: u16,
    pub effects: Vec<Effect>,
    /// It wants to be called again soon.
    pub more: bool,
}

/// What an executor found in its log that cannot be.
pub type Outcome = Result<Vec<Round>, Malformed>;

struct Stage {
    seats: Vec<Rc<RefCell<Seat>>>,
    now: Instant,
    dice: Dice,
    per_mille: u64,
    ended: Vec<Round>,
    failure: Option<Malformed>,
    interleavings: u64,
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Sets the stage for one member, and lets `act` run one of its executors. Answers with all rounds that ended meanwhile,
/// and how often an executor ran within another.
pub fn play(
    seats: &[Rc<RefCell<Seat>>],
    now: Instant,
    dice: &mut Dice,
    per_mille: u64,
    act: impl FnOnce(),
) -> (Outcome, u64) {
    let dice_here = Dice::clone(dice);
    let stage = Stage {
        seats: seats.to_vec(),
        now,
        dice: dice_here,
        per_mille,
        ended: Vec::new(),
        failure: None,
        interleavings: 0,
    };
    STAGE.set(Some(stage));
    act();
    let stage = STAGE.take().expect("it was just set");
    *dice = stage.dice;
    (stage.failure.map_or(Ok(stage.ended), Err), stage.interleavings)
}

/// Takes an input at once.
pub fn step(seat: &RefCell<Seat>, input: Input, now: Instant) {
    let seat = &mut *seat.borrow_mut();
    seat.inbox.push_back(input);
    drain(seat, now);
}

fn drain(seat: &mut Seat, now: Instant) {
    while let Some(input) = seat.inbox.pop_front() {
        seat.core.step(input, now);
        seat.is_due = true;
    }
}

/// Ends the round of an executor. Nothing happens if it is on the stage already, or paused, or has nothing to do.
pub fn end_round(executor: u16, seat: &RefCell<Seat>, now: Instant) {
    let Ok(mut seat) = seat.try_borrow_mut() else { return };
    if seat.is_paused || (!seat.is_due && seat.inbox.is_empty()) {
        return;
    }
    drain(&mut seat, now);
    seat.is_due = false;
    let mut effects = Vec::new();
    let finished = seat.core.finish(now, &mut effects);
    seat.is_due = matches!(finished, Ok(true));
    drop(seat);
    STAGE.with_borrow_mut(|stage| {
        let stage = stage.as_mut().expect("rounds end on a stage");
        match finished {
            Ok(more) => stage.ended.push(Round { executor, effects, more }),
            Err(malformed) => stage.failure = Some(malformed),
        }
    });
}

/// Perhaps another executor runs here.
fn others_may_run() {
    let chosen = STAGE.with_borrow_mut(|stage| {
        let stage = stage.as_mut()?;
        if stage.per_mille == 0 || !stage.dice.per_mille(stage.per_mille) {
            return None;
        }
        let place = stage.dice.place(stage.seats.len());
        let has_work = stage.seats[place].try_borrow().is_ok_and(|seat| seat.is_due || !seat.inbox.is_empty());
        stage.interleavings += u64::from(has_work);
        has_work.then(|| (place as u16, Rc::clone(&stage.seats[place]), stage.now))
    });
    if let Some((executor, seat, now)) = chosen {
        end_round(executor, &seat, now);
    }
}

/// Makes the shared memory of a reign.
#[must_use]
pub fn reign(epoch: Epoch, base: Revision, window_revisions: u64) -> Arc<dyn Reign> {
    Arc::new(SharedReign(AtomicReign::new(epoch, base, window_revisions)))
}

/// The server's own [`AtomicReign`], with other executors between any two calls.
#[derive(Debug)]
struct SharedReign(AtomicReign);

impl SharedReign {
    fn call<T>(&self, call: impl FnOnce(&AtomicReign) -> T) -> T {
        others_may_run();
        let answer = call(&self.0);
        others_may_run();
        answer
    }
}

impl Reign for SharedReign {
    fn epoch(&self) -> Epoch {
        self.0.epoch()
    }

    fn take(&self, groups: u32) -> Option<Revision> {
        self.call(|reign| reign.take(groups))
    }

    fn fill(&self, revision: Revision) -> bool {
        self.call(|reign| reign.fill(revision))
    }

    fn visible(&self) -> Revision {
        self.call(AtomicReign::visible)
    }

    fn newest(&self) -> Revision {
        self.call(AtomicReign::newest)
    }

    fn close(&self) -> Revision {
        self.call(AtomicReign::close)
    }

    fn is_closed(&self) -> bool {
        self.call(AtomicReign::is_closed)
    }

    fn wait(&self, executor: usize) {
        self.call(|reign| reign.wait(executor));
    }

    fn wake(&self, executor: usize) -> bool {
        self.call(|reign| reign.wake(executor))
    }
}
