//! Executors take what comes for them, at once or with what comes later, and end their rounds; disks complete operations.

use super::World;
use super::queue::{Happening, Place};
use crate::check::{Violation, memory};
use crate::member::stage::{self, Round, Seat};
use campanile_core::executor::effect::Input;
use campanile_core::time::Instant;
use campanile_storage::disk::simulated::Crash;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const DAMAGED: &str = "what a member reads of its log is what was written";
/// How often an executor looks after its log.
const MAINTENANCE: Duration = Duration::from_millis(200);

impl World {
    /// The executor, if it still lives.
    fn seat(&self, place: Place) -> Option<Rc<RefCell<Seat>>> {
        let member = &self.members[place.member];
        let process = member.process().filter(|_| member.life == place.life)?;
        Some(Rc::clone(&process.seats[usize::from(place.executor)]))
    }

    /// An executor will end its round soon.
    pub(super) fn call(&mut self, place: Place) {
        let Some(seat) = self.seat(place) else { return };
        if !std::mem::replace(&mut seat.borrow_mut().is_called, true) {
            let delay = self.dice.time(self.plan.shape.round.clone());
            self.queue.push(self.now + delay, Happening::Round(place));
        }
    }

    /// Something comes for an executor.
    pub(super) fn arrive(&mut self, place: Place, input: Input) -> Result<(), Violation> {
        let Some(seat) = self.seat(place) else { return Ok(()) };
        let waits = seat.borrow().is_paused || self.dice.coin();
        if waits {
            seat.borrow_mut().inbox.push_back(input);
        } else {
            self.play(place, |now| stage::step(&seat, input, now))?;
        }
        self.call(place);
        Ok(())
    }

    /// An executor ends its round.
    pub(super) fn round(&mut self, place: Place) -> Result<(), Violation> {
        let Some(seat) = self.seat(place) else { return Ok(()) };
        seat.borrow_mut().is_called = false;
        self.trace.note(self.now, "round", &[place.member as u64, place.executor.into()], || format!("{place:?}"));
        self.play(place, |now| stage::end_round(place.executor, &seat, now))
    }

    /// Lets an executor run, others of its member within it, and does what they want done.
    fn play(&mut self, place: Place, act: impl FnOnce(Instant)) -> Result<(), Violation> {
        let member = &self.members[place.member];
        let now = member.now(self.now);
        let seats = &member.process().expect("its seat was just taken").seats;
        let per_mille = self.plan.shape.interleavings_per_mille;
        let (outcome, interleavings) = stage::play(seats, now, &mut self.interleaving, per_mille, || act(now));
        self.counts.add("executor ran within another's look at the window", interleavings);
        let rounds = match outcome {
            Ok(rounds) => rounds,
            Err(malformed) => return Err(Violation::new(DAMAGED, malformed.to_string())),
        };
        for Round { executor, effects, more } in rounds {
            let place = Place { executor, ..place };
            if self.seat(place).is_none() {
                // What an executor before this one wanted done has ended the member.
                return Ok(());
            }
            self.perform(place, effects)?;
            self.look(place)?;
            if more {
                self.call(place);
            }
        }
        Ok(())
    }

    /// Compares what an executor shows, holds and knows to be committed with the promises.
    fn look(&mut self, place: Place) -> Result<(), Violation> {
        let Some(seat) = self.seat(place) else { return Ok(()) };
        let seat = seat.borrow();
        let visible = seat.core.visible();
        for group in seat.core.groups() {
            self.ledger.notice(place.member, group)?;
            self.notice_group(place.member, group);
        }
        self.shown.look(place.member, place.executor, visible)?;
        self.shown.show(visible, &self.ledger, &self.durability)
    }

    pub(super) fn tick(&mut self, place: Place) -> Result<(), Violation> {
        let Some(seat) = self.seat(place) else { return Ok(()) };
        self.schedule_tick(place);
        if seat.borrow().is_paused {
            return Ok(());
        }
        self.arrive(place, Input::Tick)?;
        self.look_at_memory(place)
    }

    /// Looks at what stays in memory of the logs, if the tick in which the executor looks after it was the last that came.
    fn look_at_memory(&self, place: Place) -> Result<(), Violation> {
        let Some(seat) = self.seat(place) else { return Ok(()) };
        let seat = seat.borrow();
        if !seat.inbox.is_empty() || seat.core.is_halting() {
            return Ok(());
        }
        let bounds = &self.plan.shape.bounds.catch_up;
        seat.core.shards().try_for_each(|shard| memory::look_at_log(place.member, shard, bounds))
    }

    /// The oldest message from another executor arrives.
    pub(super) fn lane(&mut self, to: Place, from: u16) -> Result<(), Violation> {
        if self.seat(to).is_none() {
            return Ok(());
        }
        let process = self.members[to.member].process_mut().expect("its seat was just seen");
        let lane = process.lanes.get_mut(&(from, to.executor)).expect("a message was pushed to it");
        let message = lane.pop().expect("each message arrives once");
        self.arrive(to, Input::Message { from, message })
    }

    pub(super) fn maintain(&mut self, place: Place) -> Result<(), Violation> {
        if self.seat(place).is_none() {
            return Ok(());
        }
        self.queue.push(self.now + MAINTENANCE, Happening::Maintain(place));
        let process = self.members[place.member].process_mut().expect("its seat was just seen");
        process.keeping.maintain(place.executor);
        self.run_disk(place.member)
    }

    /// The disk completes one of the operations under way, whichever.
    pub(super) fn complete_disk(&mut self, member: usize, life: u32) -> Result<(), Violation> {
        let state = &mut self.members[member];
        if state.life != life {
            return Ok(());
        }
        let Some(process) = state.process_mut() else { return Ok(()) };
        process.completions -= 1;
        let held = state.disk.held();
        if held > 0 {
            let place = self.dice.place(held);
            self.trace.note(self.now, "disk", &[member as u64, place as u64], || {
                format!("member {member} completes operation {place} of {held}")
            });
            self.members[member].disk.complete(place);
        }
        self.run_disk(member)?;
        self.members[member].was_full &= self.members[member].disk.held() > 0;
        Ok(())
    }

    /// Lets what waits for a member's disk go on.
    pub(super) fn run_disk(&mut self, member: usize) -> Result<(), Violation> {
        let state = &mut self.members[member];
        let (life, slow) = (state.life, state.slow_disk);
        let Some(process) = state.process_mut() else { return Ok(()) };
        let arrivals = process.keeping.run();
        self.notice_operations(member);
        if self.members[member].disk.has_crashed() {
            self.counts.note("crash within a disk operation");
            self.end(member, Crash::Power);
            self.start_again(member, self.members[member].down);
            return Ok(());
        }
        let arrivals = match arrivals {
            Ok(arrivals) => arrivals,
            Err(error) => return self.stop(member, &error),
        };
        let held = self.members[member].disk.held();
        let process = self.members[member].process_mut().expect("it has not ended");
        let missing = held.saturating_sub(process.completions);
        process.completions += missing;
        for _ in 0..missing {
            let delay = self.dice.time(self.plan.shape.disk.clone()) * slow;
            self.queue.push(self.now + delay, Happening::Disk { member, life });
        }
        for (executor, input) in arrivals {
            if let Input::Persisted { batch } = &input {
                self.durability.durable(member, executor, *batch);
            }
            self.arrive(Place { member, life, executor }, input)?;
        }
        Ok(())
    }
}
