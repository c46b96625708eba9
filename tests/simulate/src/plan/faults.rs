//! Draws the faults of a seed. Each run leaves some kinds out and has others often (swarm testing: Groce et al., 2012),
//! because faults of all kinds at once hide what two kinds alone would show.

use super::fault::{Damage, Fault, Planned, Way, Whom};
use super::shape::Shape;
use crate::dice::{Dice, Part};
use crate::moment::Moment;
use campanile_storage::disk::simulated::Crash;
use std::time::Duration;

/// Kinds of faults, as [`draw_one`] numbers them.
const KINDS: u64 = 15;
/// Time between two faults on the average, by how stormy the run is.
const PACES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(250), Duration::from_millis(600), Duration::from_secs(2)];

pub fn draw(seed: u64, shape: &Shape) -> Vec<Planned> {
    let dice = &mut Dice::of(seed, Part::Faults);
    if dice.one_in(40) {
        return Vec::new();
    }
    let kinds: Vec<u64> = (0..KINDS).filter(|_| dice.below(5) < 3).collect();
    let pace = dice.pick(&PACES);
    let mut faults = Vec::new();
    let mut at = Moment(dice.below(3_000_000));
    while at < Moment(0) + shape.safety && !kinds.is_empty() {
        let kind = dice.pick(&kinds);
        if let Some(fault) = draw_one(kind, shape, dice) {
            faults.push(Planned { at, fault });
        }
        at = at + Duration::from_micros(dice.below(2 * pace.as_micros() as u64));
    }
    faults
}

fn whom(shape: &Shape, dice: &mut Dice) -> Whom {
    if dice.below(5) < 2 { Whom::Primary } else { Whom::Member(dice.place(shape.members)) }
}

fn milliseconds(range: std::ops::Range<u64>, dice: &mut Dice) -> Duration {
    dice.time(Duration::from_millis(range.start)..Duration::from_millis(range.end))
}

fn draw_one(kind: u64, shape: &Shape, dice: &mut Dice) -> Option<Fault> {
    let whom = whom(shape, dice);
    let others = shape.members > 1;
    let way = dice.pick(&[Way::Both, Way::Out, Way::In]);
    Some(match kind {
        0 | 1 if dice.one_in(3) => crash(whom, dice),
        0 | 1 if dice.coin() => Fault::CrashWithin {
            whom,
            how: how(dice),
            operations: dice.within(1..40),
            down: milliseconds(10..3_000, dice),
        },
        2 if others => Fault::Isolate { whom, way, lasts: milliseconds(50..4_000, dice) },
        3 if others => {
            Fault::Split { sides: dice.below(1 << shape.members) as u32, lasts: milliseconds(50..4_000, dice) }
        }
        4 if others => {
            Fault::CutLink { whom, other: dice.place(shape.members), way, lasts: milliseconds(50..6_000, dice) }
        }
        5 if others => Fault::Lossy { per_mille: dice.within(10..500), lasts: milliseconds(50..3_000, dice) },
        6 if others => Fault::Repeating { per_mille: dice.within(10..500), lasts: milliseconds(50..3_000, dice) },
        7 if others => Fault::Slow { factor: dice.within(2..200) as u32, lasts: milliseconds(50..2_000, dice) },
        8 => Fault::PauseExecutor {
            whom,
            executor: dice.below(shape.executors_max.into()) as u16,
            lasts: milliseconds(1..2_000, dice),
        },
        9 => Fault::PauseMember { whom, lasts: milliseconds(1..3_000, dice) },
        10 => Fault::SlowDisk { whom, factor: dice.within(2..300) as u32, lasts: milliseconds(50..2_000, dice) },
        11 if dice.one_in(3) => {
            Fault::FullDisk { whom, room_bytes: dice.below(200_000), lasts: milliseconds(50..3_000, dice) }
        }
        12 if dice.one_in(3) => {
            Fault::FailDisk { whom, after: dice.within(1..20), down: milliseconds(10..2_000, dice) }
        }
        13 => Fault::ClockJump { whom, by: milliseconds(1..5_000, dice) },
        14 if dice.one_in(20) => {
            Fault::Ruin { whom, damage: dice.pick(&[Damage::Rot, Damage::Unreadable, Damage::Misdirected]) }
        }
        _ => return None,
    })
}

fn how(dice: &mut Dice) -> Crash {
    if dice.one_in(4) { Crash::Process } else { Crash::Power }
}

fn crash(whom: Whom, dice: &mut Dice) -> Fault {
    let again = if dice.one_in(3) { (0..dice.within(1..4)).map(|_| dice.within(1..30)).collect() } else { Vec::new() };
    Fault::Crash { whom, how: how(dice), down: milliseconds(10..4_000, dice), again }
}
