//! A fault that waits for its moment: it strikes a member as soon as that does something, or a little later. A scenario lays
//! it where a trace's situation is a few messages long, and no moment that a plan names would meet it.

use super::World;
use super::queue::Happening;
use crate::plan::fault::{Fault, Planned, Whom};
use std::time::Duration;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A member opens a reign.
    Opened,
    /// A member asks for the ends of the logs: it was elected, or begins again.
    Elected,
    /// A member takes the revision of a revoke with keys.
    Condemned,
    /// A member's shards pause for a transaction over several of them.
    Gathered,
    /// A member's checkpoint is live, and its revision is below the newest base.
    CheckpointBelowBase,
    /// A member's checkpoint is live, and a compaction took effect while it was written.
    Compacted,
    /// A revoke finds no keys on an executor where what took the last one off is not visible yet.
    Keyless,
    /// A member is asked for a compaction above what it shows.
    CompactsAhead,
}

#[derive(Clone, Copy, Debug)]
pub struct Ambush {
    pub on: Occasion,
    pub after: Duration,
    /// What strikes the member that comes by.
    pub faults: fn(Whom) -> Vec<Fault>,
    /// So many strike, the next one never before the last one is over by this.
    pub left: u32,
    pub rest: Duration,
}

impl World {
    /// A member does something.
    pub(super) fn come_by(&mut self, member: usize, occasion: Occasion) {
        let Some(ambush) = self.ambush.filter(|ambush| ambush.on == occasion && ambush.left > 0) else { return };
        if self.is_calm || self.now < self.ambush_rests_until {
            return;
        }
        let at = self.now + ambush.after;
        self.ambush_rests_until = at + ambush.rest;
        self.ambush = Some(Ambush { left: ambush.left - 1, ..ambush });
        for fault in (ambush.faults)(Whom::Member(member)) {
            self.plan.faults.push(Planned { at, fault });
            self.queue.push(at, Happening::Strike(self.plan.faults.len() - 1));
        }
    }
}
