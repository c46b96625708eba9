//! Members start, end, and start again from what their disks have.

use super::queue::{Happening, Place};
use super::{Asked, World};
use crate::check::Violation;
use crate::member::keeping::{self, Found};
use crate::member::{Member, Process, State, host};
use crate::plan::shape::TICK;
use campanile_core::checkpoint::LoadFailure;
use campanile_storage::disk::simulated::{Crash, run};
use campanile_storage::error::Error;
use std::time::Duration;

const DAMAGE: &str = "damage to what was durable is found, and nothing starts from it";
const DISK: &str = "a disk without faults gives no error";

/// How long somebody waits before a start that failed is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How long a member is down that begins anew.
const BEGIN_ANEW: Duration = Duration::from_millis(20);

impl World {
    /// A member that is down starts; `life` is the one that ended.
    pub(super) fn start(&mut self, member: usize, life: u32) -> Result<(), Violation> {
        if self.members[member].life != life || !matches!(self.members[member].state, State::Down) {
            return Ok(());
        }
        let (least, most) = (self.plan.shape.executors_min, self.plan.shape.executors_max);
        let executors = self.dice.within(least.into()..u64::from(most) + 1) as u16;
        let seed = self.dice.draw();
        let how = if self.dice.coin() { Crash::Power } else { Crash::Process };
        let state = &mut self.members[member];
        state.disk.hold(false);
        if let Some(after) = state.again.pop() {
            state.disk.crash_at(state.disk.operations() + after, how);
        }
        self.lay_strike(member);
        let state = &mut self.members[member];
        let record_bytes_max = self.charter.record_bytes_max;
        let host = |group| host(group, executors);
        let found = run(keeping::open(&state.disk, state.id, executors, seed, record_bytes_max, host));
        let crashed = state.disk.has_crashed();
        state.disk.restart();
        state.disk.hold(true);
        self.notice_start_operations(member);
        self.trace.note(self.now, "start", &[member as u64, executors.into(), u64::from(crashed)], || {
            format!("member {member} with {executors} executors: {:?}", found.as_ref().map(Vec::len).err())
        });
        match found {
            Ok(found) if !crashed => self.begin(member, found, seed),
            _ if crashed => {
                self.counts.note("crash during recovery");
                self.start_again(member, RETRY);
                Ok(())
            }
            Err(failure) => self.refuse_to_start(member, &failure),
            Ok(_) => unreachable!("one of the two cases above"),
        }
    }

    fn begin(&mut self, member: usize, found: Vec<Found>, seed: u64) -> Result<(), Violation> {
        let (id, now) = (self.members[member].id, self.members[member].now(self.now));
        if self.members[member].is_ruined {
            return Err(Violation::new(DAMAGE, format!("member {member} starts from a damaged disk")));
        }
        self.durability.found(member, found.iter().flat_map(|found| &found.start.groups))?;
        self.ledger.forget(member);
        if self.members.len() == 1 {
            self.ledger.lose(|(group, index, term)| self.durability.has(member, group, index, term));
        }
        self.shown.restart(member);
        found.iter().flat_map(|found| found.start.groups.values()).for_each(|start| self.notice_start(start));
        let state = &mut self.members[member];
        state.life += 1;
        (state.is_disk_faulty, state.was_full) = (false, false);
        let process = Process::begin(&state.disk, id, &self.charter, found, seed, now);
        let executors = process.executors();
        let life = state.life;
        state.state = State::Up(process);
        self.lay_strike(member);
        self.counts.note("member started");
        for executor in 0..executors {
            let place = Place { member, life, executor };
            self.apply_pause(place);
            self.call(place);
            self.schedule_tick(place);
            self.queue.push(self.now + RETRY, Happening::Maintain(place));
        }
        Ok(())
    }

    /// A start that failed: rightly so if the disk was ruined or is full.
    fn refuse_to_start(&mut self, member: usize, failure: &LoadFailure) -> Result<(), Violation> {
        let corrupt = !matches!(failure, LoadFailure::Storage(error) if !error.is_corrupt());
        let state = &mut self.members[member];
        if state.is_ruined {
            state.state = State::Gone;
            self.counts.note("damage found");
            return Ok(());
        }
        if corrupt || !(state.is_disk_faulty || state.is_full) {
            return Err(Violation::new(DISK, format!("member {member} cannot start: {failure}")));
        }
        self.counts.note("start refused by the disk");
        self.start_again(member, RETRY);
        Ok(())
    }

    /// A member that is down will start after a while.
    pub(super) fn start_again(&mut self, member: usize, after: Duration) {
        let life = self.members[member].life;
        self.queue.push(self.now + after, Happening::Start { member, life });
    }

    pub(super) fn schedule_tick(&mut self, place: Place) {
        let skew = self.members[place.member].clock.skew_ppm;
        let tick = TICK.as_micros() as u64 * 1_000_000 / (1_000_000 + skew).unsigned_abs();
        let jitter = self.dice.below(1 + tick / 50);
        self.queue.push(self.now + Duration::from_micros(tick + jitter), Happening::Tick(place));
    }

    /// A member ends, here and now.
    pub(super) fn end(&mut self, member: usize, how: Crash) {
        if !self.members[member].is_up() {
            return;
        }
        self.trace.note(self.now, "end", &[member as u64], || format!("member {member}: {how:?}"));
        let state = &mut self.members[member];
        state.disk.crash(how);
        state.state = State::Down;
        state.disk.restart();
        let asked: Vec<_> = self.tickets.extract_if(.., |(at, _), _| *at == member).map(|(_, asked)| asked).collect();
        for asked in asked {
            // Whoever waits for the member notices that the connection is gone.
            let (Asked::Client(call) | Asked::Relayed { call, .. }) = asked;
            let delay = Duration::from_micros(self.dice.below(200_000));
            self.queue.push(self.now + delay, Happening::Lost { call });
        }
        self.end_sessions(member);
        self.forget_situations(member);
    }

    /// A checkpoint of another member is installed, or could not be: the member ends, and goes on from its disk.
    pub(super) fn begin_anew(&mut self, member: usize) {
        self.counts.note("member began anew");
        self.end(member, Crash::Process);
        self.start_again(member, BEGIN_ANEW);
    }

    /// The disk gave an error for which the member stops. It starts again later.
    pub(super) fn stop(&mut self, member: usize, error: &Error) -> Result<(), Violation> {
        let Member { is_disk_faulty, is_full, was_full, .. } = self.members[member];
        if !(is_disk_faulty || is_full || was_full) {
            return Err(Violation::new(DISK, format!("member {member} stops: {error}")));
        }
        self.counts.note("member stopped by its disk");
        self.end(member, Crash::Process);
        self.start_again(member, RETRY);
        Ok(())
    }
}
