//! One fault: what strikes, whom, when and for how long.

use crate::moment::Moment;
use campanile_storage::disk::simulated::Crash;
use std::fmt;
use std::time::Duration;

/// Whom a fault strikes, found out at the moment when it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Who serves an open reign; the first member if nobody does.
    Primary,
    Member(usize),
}

/// Which way a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Both,
    /// What the member says is lost.
    Out,
    /// What is said to the member is lost.
    In,
}

/// What happens to bytes that were durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Bits flip.
    Rot,
    /// The device cannot read a sector.
    Unreadable,
    /// A write of something else landed here.
    Misdirected,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The member ends and starts again after a while. `again`: it ends once more in the middle of so many operations of
    /// the disk of each new start.
    Crash {
        whom: Whom,
        how: Crash,
        down: Duration,
        again: Vec<u64>,
    },
    /// The member ends in the middle of the operation of its disk that comes so many later.
    CrashWithin {
        whom: Whom,
        how: Crash,
        operations: u64,
        down: Duration,
    },
    /// The member reaches nobody, or is not reached.
    Isolate {
        whom: Whom,
        way: Way,
        lasts: Duration,
    },
    /// Members on either side do not reach each other; a bit says on which side each is.
    Split {
        sides: u32,
        lasts: Duration,
    },
    /// Two members do not reach each other, all others do.
    CutLink {
        whom: Whom,
        other: usize,
        way: Way,
        lasts: Duration,
    },
    Lossy {
        per_mille: u64,
        lasts: Duration,
    },
    Repeating {
        per_mille: u64,
        lasts: Duration,
    },
    /// Messages that were delivered come again, up to so much later.
    Echoing {
        per_mille: u64,
        later: Duration,
        lasts: Duration,
    },
    /// Messages take up to so many times as long, and overtake each other.
    Slow {
        factor: u32,
        lasts: Duration,
    },
    PauseExecutor {
        whom: Whom,
        executor: u16,
        lasts: Duration,
    },
    /// An executor stands still to the end of the run, when the other faults are over too: the others must do without the
    /// member.
    StopExecutor {
        whom: Whom,
        executor: u16,
    },
    PauseMember {
        whom: Whom,
        lasts: Duration,
    },
    SlowDisk {
        whom: Whom,
        factor: u32,
        lasts: Duration,
    },
    FullDisk {
        whom: Whom,
        room_bytes: u64,
        lasts: Duration,
    },
    /// An operation of the disk fails.
    FailDisk {
        whom: Whom,
        after: u64,
        down: Duration,
    },
    ClockJump {
        whom: Whom,
        by: Duration,
    },
    /// Power is lost, and what was durable is damaged meanwhile. The member must find it, and stops for good.
    Ruin {
        whom: Whom,
        damage: Damage,
    },
}

impl Fault {
    /// The name under which the report counts it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Crash { again, .. } if !again.is_empty() => "crash, and again during recovery",
            Fault::Crash { how: Crash::Process, .. } => "process killed",
            Fault::Crash { .. } => "power lost",
            Fault::CrashWithin { .. } => "crash within a disk operation",
            Fault::Isolate { way: Way::Both, .. } => "member isolated",
            Fault::Isolate { .. } => "member isolated one way",
            Fault::Split { .. } => "network split",
            Fault::CutLink { way: Way::Both, .. } => "link cut",
            Fault::CutLink { .. } => "link cut one way",
            Fault::Lossy { .. } => "messages lost",
            Fault::Repeating { .. } => "messages repeated",
            Fault::Echoing { .. } => "messages come again",
            Fault::Slow { .. } => "messages slow",
            Fault::PauseExecutor { .. } => "executor paused",
            Fault::StopExecutor { .. } => "executor stopped for good",
            Fault::PauseMember { .. } => "member paused",
            Fault::SlowDisk { .. } => "disk slow",
            Fault::FullDisk { .. } => "disk full",
            Fault::FailDisk { .. } => "disk operation failed",
            Fault::ClockJump { .. } => "clock jumped",
            Fault::Ruin { damage: Damage::Rot, .. } => "durable data rotten",
            Fault::Ruin { damage: Damage::Unreadable, .. } => "durable data unreadable",
            Fault::Ruin { damage: Damage::Misdirected, .. } => "durable data overwritten",
        }
    }
}

/// A fault with its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub at: Moment,
    pub fault: Fault,
}

impl fmt::Display for Planned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?}", self.at, self.fault)
    }
}
