//! What a seed stands for: the cluster, what its clients like to do, and which faults strike when. Real processes and real
//! time do the rest, so a seed gives the same plan again, not the same history.

use std::{fmt, ops::Range, time::Duration};

use campanile_simulate::{
    dice::{Dice, Part},
    plan::shape::Appetite,
};

pub const MEMBERS: usize = 3;

/// Whom a fault strikes, found out when it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Who says that it leads; the first member if nobody does.
    Leader,
    Member(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// kill -9, and a new start when it is over.
    Crash(Whom),
    /// The same, and once more while it recovers.
    CrashTwice(Whom),
    CrashAll,
    /// SIGSTOP, and SIGCONT when it is over.
    Hold(Whom),
    /// Its card loses its plug.
    Unplug(Whom),
    /// What it says and what is said to it is lost; its card notices nothing.
    Isolate(Whom),
    /// What it says is lost.
    Mute(Whom),
    /// What is said to it is lost.
    Deafen(Whom),
    /// Two members lose each other, and both still have the third one.
    CutLink(usize, usize),
    /// What the first one says to the second one is lost.
    CutOneWay(usize, usize),
    /// No room is left on the member that has a small disk. `crash`: it is killed, too, and finds the disk full again.
    FillDisk {
        crash: bool,
    },
}

impl Fault {
    /// What it is counted as.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Crash(_) => "fault: kill -9",
            Fault::CrashTwice(_) => "fault: kill -9, and again during recovery",
            Fault::CrashAll => "fault: kill -9 of all",
            Fault::Hold(_) => "fault: SIGSTOP",
            Fault::Unplug(_) => "fault: unplugged",
            Fault::Isolate(_) => "fault: isolated",
            Fault::Mute(_) => "fault: not heard",
            Fault::Deafen(_) => "fault: hears nothing",
            Fault::CutLink(..) => "fault: link cut",
            Fault::CutOneWay(..) => "fault: link cut one way",
            Fault::FillDisk { crash: false } => "fault: disk full",
            Fault::FillDisk { crash: true } => "fault: disk full, and kill -9",
        }
    }
}

/// A fault with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    pub at: Duration,
    pub lasts: Duration,
    pub fault: Fault,
}

/// How large a history is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub operations: usize,
    /// Faults strike for so long.
    pub safety: Duration,
    pub faults: FaultCount,
}

/// How many faults a plan has.
#[derive(Clone, Copy, Debug)]
pub struct FaultCount {
    pub least: u64,
    pub most: u64,
}

/// A history of a campaign.
pub const LARGE: Size =
    Size { operations: 5_000, safety: Duration::from_millis(5_500), faults: FaultCount { least: 6, most: 11 } };
/// The one that every run of the tests makes.
pub const SMALL: Size =
    Size { operations: 1_500, safety: Duration::from_millis(3_000), faults: FaultCount { least: 4, most: 5 } };

const FULL_MIN: Duration = Duration::from_millis(1_800);

/// The cluster and its clients.
#[derive(Clone, Debug)]
pub struct Shape {
    pub members: usize,
    pub shards: u32,
    /// Of the server.
    pub flags: Vec<String>,
    /// Which member's disk is small.
    pub small_disk: usize,
    pub clients: u64,
    pub watchers: u64,
    pub keys: u64,
    pub appetite: Appetite,
    /// What a client waits for between an answer and its next request.
    pub think: Range<Duration>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub size: Size,
    pub shape: Shape,
    pub strikes: Vec<Strike>,
}

impl Plan {
    pub fn of(seed: u64, size: Size) -> Plan {
        let shape = Shape::of(&mut Dice::of(seed, Part::Shape));
        let strikes = strikes(&mut Dice::of(seed, Part::Faults), size);
        Plan { seed, size, shape, strikes }
    }

    /// The same without faults.
    pub fn calm(seed: u64, size: Size) -> Plan {
        Plan { strikes: Vec::new(), ..Plan::of(seed, size) }
    }
}

impl Shape {
    fn of(dice: &mut Dice) -> Shape {
        let mut flags = ["--heartbeat-interval=50", "--election-timeout=500", "--wal-segment-bytes=16777216"]
            .map(str::to_owned)
            .to_vec();
        // Checkpoints are taken all the time, and who lags is soon sent one.
        if dice.coin() {
            let often = ["--snapshot-count=300", "--checkpoint-wal-bytes=33554432", "--log-memory-bytes=65536"];
            flags.extend(often.map(str::to_owned));
        }
        // One executor with several shards, or an executor for each core.
        if dice.coin() {
            flags.push("--cpus=0".to_owned());
        }
        let mut weight = |usual: u64| usual * dice.within(1..4);
        let appetite = Appetite {
            puts: weight(4),
            deletes: weight(1),
            transactions: weight(4),
            ranges: weight(4),
            // Leases are asked for by `clients::leases`, which knows how to recognise their end.
            leases: 0,
            compactions: u64::from(weight(1) > 1),
            inspections: 1,
        };
        Shape {
            members: MEMBERS,
            shards: dice.within(1..4) as u32,
            flags,
            small_disk: dice.place(MEMBERS),
            clients: dice.within(10..17),
            watchers: dice.within(3..6),
            keys: dice.pick(&[8, 16, 24]),
            appetite,
            think: Duration::ZERO..Duration::from_micros(dice.pick(&[2_000, 6_000, 10_000])),
        }
    }
}

fn strikes(dice: &mut Dice, size: Size) -> Vec<Strike> {
    let number = dice.within(size.faults.least..size.faults.most + 1);
    let latest = size.safety - size.safety / 8;
    let mut strikes: Vec<Strike> = (0..number)
        .map(|_| {
            let at = Duration::from_micros(dice.below(latest.as_micros() as u64));
            let lasts = dice.time(Duration::from_millis(150)..Duration::from_millis(2_500));
            let fault = fault(dice);
            // A full disk is noticed only by who writes for a while.
            let is_slow = matches!(fault, Fault::FillDisk { .. });
            Strike { at, lasts: if is_slow { lasts.max(FULL_MIN) } else { lasts }, fault }
        })
        .collect();
    strikes.sort_by_key(|strike| strike.at);
    strikes
}

fn fault(dice: &mut Dice) -> Fault {
    let whom = if dice.one_in(2) { Whom::Leader } else { Whom::Member(dice.place(MEMBERS)) };
    let one = dice.place(MEMBERS);
    let other = (one + 1 + dice.place(MEMBERS - 1)) % MEMBERS;
    match dice.below(15) {
        0..2 => Fault::Crash(whom),
        2 => Fault::CrashTwice(whom),
        3 => Fault::CrashAll,
        4..6 => Fault::Hold(whom),
        6 => Fault::Unplug(whom),
        7..9 => Fault::Isolate(whom),
        9 => Fault::Mute(whom),
        10 => Fault::Deafen(whom),
        11 => Fault::CutLink(one, other),
        12 => Fault::CutOneWay(one, other),
        _ => Fault::FillDisk { crash: dice.coin() },
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3} s, for {:.3} s: {:?}", self.at.as_secs_f64(), self.lasts.as_secs_f64(), self.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_again() {
        assert_eq!(Plan::of(7, LARGE).strikes, Plan::of(7, LARGE).strikes);
        assert_ne!(Plan::of(7, LARGE).strikes, Plan::of(8, LARGE).strikes);
        assert!((0..100).all(|seed| Plan::of(seed, LARGE).strikes.len() >= 5));
    }
}
