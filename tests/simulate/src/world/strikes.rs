//! Faults strike, and end again.

use super::World;
use super::network::Link;
use super::queue::{Happening, Place};
use crate::check::Violation;
use crate::plan::fault::{Fault, Way, Whom};
use std::io;
use std::time::Duration;

/// What is to be undone when a fault ends.
#[derive(Clone, Debug)]
pub enum Relief {
    Nothing,
    Mend(Vec<Link>),
    Lossless,
    Unrepeated,
    Unechoed,
    Unhurried,
    Resume { member: usize, executors: Vec<u16> },
    FastDisk(usize),
    Room(usize),
}

impl World {
    /// The member that a fault is for.
    pub(super) fn whom(&self, whom: Whom) -> usize {
        match whom {
            Whom::Primary => self.primary().unwrap_or(0),
            Whom::Member(member) => member,
        }
    }

    /// A fault of the plan strikes.
    pub(super) fn strike(&mut self, number: usize) -> Result<(), Violation> {
        let fault = self.plan.faults[number].fault.clone();
        if self.is_calm {
            return Ok(());
        }
        self.trace.note(self.now, "fault", &[number as u64], || format!("{number}: {fault:?}"));
        self.counts.note(fault.name());
        self.faults_struck += 1;
        let (relief, lasts) = self.inflict(&fault)?;
        if !matches!(relief, Relief::Nothing) {
            self.reliefs.push(relief);
            self.queue.push(self.now + lasts, Happening::Relief(self.reliefs.len() - 1));
        }
        Ok(())
    }

    /// Inflicts a fault. Answers with what ends it, and when.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn inflict(&mut self, fault: &Fault) -> Result<(Relief, Duration), Violation> {
        let nothing = (Relief::Nothing, Duration::ZERO);
        Ok(match *fault {
            Fault::Crash { whom, how, down, ref again } => {
                let member = self.whom(whom);
                if self.members[member].is_up() {
                    self.end(member, how);
                    self.members[member].again.clone_from(again);
                    self.start_again(member, down);
                }
                nothing
            }
            Fault::CrashWithin { whom, how, operations, down } => {
                let member = self.whom(whom);
                let state = &mut self.members[member];
                state.disk.crash_at(state.disk.operations() + operations, how);
                state.down = down;
                nothing
            }
            Fault::FailDisk { whom, after, .. } => {
                let member = self.whom(whom);
                let state = &mut self.members[member];
                state.disk.fail_at(state.disk.operations() + after, io::ErrorKind::Other);
                state.is_disk_faulty = true;
                nothing
            }
            Fault::ClockJump { whom, by } => {
                let member = self.whom(whom);
                self.members[member].clock.ahead += by;
                self.clocks.jumps.push((self.now, by));
                nothing
            }
            Fault::Ruin { whom, damage } => {
                let member = self.whom(whom);
                self.ruin(member, damage);
                nothing
            }
            Fault::SlowDisk { whom, factor, lasts } => {
                let member = self.whom(whom);
                self.members[member].slow_disk = factor;
                (Relief::FastDisk(member), lasts)
            }
            Fault::FullDisk { whom, room_bytes, lasts } => {
                let member = self.whom(whom);
                let state = &mut self.members[member];
                state.disk.set_capacity(state.disk.used_bytes() + room_bytes);
                state.is_full = true;
                (Relief::Room(member), lasts)
            }
            Fault::PauseExecutor { whom, executor, lasts } => {
                let member = self.whom(whom);
                (self.pause(member, vec![executor]), lasts)
            }
            Fault::StopExecutor { whom, executor } => {
                let member = self.whom(whom);
                self.pause(member, vec![executor]);
                self.lame.insert(member);
                nothing
            }
            Fault::PauseMember { whom, lasts } => {
                let (member, all) = (self.whom(whom), (0..self.plan.shape.executors_max).collect());
                (self.pause(member, all), lasts)
            }
            ref fault => self.disturb(fault),
        })
    }

    /// Faults of the network.
    fn disturb(&mut self, fault: &Fault) -> (Relief, Duration) {
        let members = self.members.len();
        match *fault {
            Fault::Isolate { whom, way, lasts } => {
                let member = self.whom(whom);
                let links = (0..members).filter(|&other| other != member).flat_map(|other| links(member, other, way));
                (self.cut(links.collect()), lasts)
            }
            Fault::Split { sides, lasts } => {
                let side = |member: usize| sides >> member & 1;
                let pairs = (0..members).flat_map(|from| (0..members).map(move |to| (from, to)));
                let links = pairs.filter(|&(from, to)| side(from) != side(to)).collect();
                (self.cut(links), lasts)
            }
            Fault::CutLink { whom, other, way, lasts } => {
                let member = self.whom(whom);
                (self.cut(links(member, other, way)), lasts)
            }
            Fault::Lossy { per_mille, lasts } => {
                self.network.lossy_per_mille = per_mille;
                (Relief::Lossless, lasts)
            }
            Fault::Repeating { per_mille, lasts } => {
                self.network.repeating_per_mille = per_mille;
                (Relief::Unrepeated, lasts)
            }
            Fault::Echoing { per_mille, later, lasts } => {
                self.network.echoing = (per_mille, later);
                (Relief::Unechoed, lasts)
            }
            Fault::Slow { factor, lasts } => {
                self.network.slow = factor;
                (Relief::Unhurried, lasts)
            }
            ref fault => unreachable!("{fault:?} is no fault of the network"),
        }
    }

    fn cut(&mut self, links: Vec<Link>) -> Relief {
        links.iter().for_each(|link| self.network.cut(*link));
        Relief::Mend(links)
    }

    fn pause(&mut self, member: usize, executors: Vec<u16>) -> Relief {
        for &executor in &executors {
            *self.pauses.entry((member, executor)).or_default() += 1;
            let life = self.members[member].life;
            self.apply_pause(Place { member, life, executor });
        }
        Relief::Resume { member, executors }
    }

    /// Pauses an executor, or lets it go on, as the faults that are under way say.
    pub(super) fn apply_pause(&mut self, place: Place) {
        let is_paused = self.pauses.get(&(place.member, place.executor)).is_some_and(|faults| *faults > 0);
        let Some(process) = self.members[place.member].process() else { return };
        if let Some(seat) = process.seats.get(usize::from(place.executor)) {
            seat.borrow_mut().is_paused = is_paused;
            if !is_paused {
                self.call(place);
            }
        }
    }

    /// Something that a fault did is over.
    pub(super) fn relieve(&mut self, number: usize) {
        match std::mem::replace(&mut self.reliefs[number], Relief::Nothing) {
            Relief::Nothing => {}
            Relief::Mend(links) => links.into_iter().for_each(|link| self.network.mend(link)),
            Relief::Lossless => self.network.lossy_per_mille = 0,
            Relief::Unrepeated => self.network.repeating_per_mille = 0,
            Relief::Unechoed => self.network.echoing = (0, Duration::ZERO),
            Relief::Unhurried => self.network.slow = 1,
            Relief::FastDisk(member) => self.members[member].slow_disk = 1,
            Relief::Room(member) => {
                let state = &mut self.members[member];
                state.disk.set_capacity(u64::MAX);
                (state.is_full, state.was_full) = (false, state.disk.held() > 0);
            }
            Relief::Resume { member, executors } => {
                for executor in executors {
                    if let Some(faults) = self.pauses.get_mut(&(member, executor)) {
                        *faults = faults.saturating_sub(1);
                    }
                    let life = self.members[member].life;
                    self.apply_pause(Place { member, life, executor });
                }
            }
        }
    }

    /// All faults are over.
    pub(super) fn calm(&mut self) {
        self.is_calm = true;
        (0..self.reliefs.len()).for_each(|number| self.relieve(number));
        self.network.calm();
        for member in 0..self.members.len() {
            let state = &mut self.members[member];
            state.again.clear();
            state.disk.forgive();
            if !state.is_up() {
                self.start_again(member, Duration::ZERO);
            }
        }
    }
}

fn links(member: usize, other: usize, way: Way) -> Vec<Link> {
    match way {
        Way::Both => vec![(member, other), (other, member)],
        Way::Out => vec![(member, other)],
        Way::In => vec![(other, member)],
    }
}
