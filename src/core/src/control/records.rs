//! A record of the control group is acknowledged when every executor of the primary has it *and* the visible revision has
//! reached the newest one taken before that: no write evaluated under the former state becomes visible afterwards.

use super::Control;
use super::record::{ControlEntry, Record};
use crate::clock::Reign;
use crate::error::UserError;
use crate::executor::effect::Origin;
use crate::executor::outbox::Outbox;
use crate::executor::replies::Reply;
use crate::planted::planted;
use crate::response::Response;
use campanile_storage::ids::{Index, Revision};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who is told when a record is in force.
#[derive(Debug)]
pub enum Then {
    Answer {
        origin: Origin,
        response: Response,
    },
    /// The coordinator goes on.
    Coordinate,
    Nothing,
}

#[derive(Debug)]
struct Adoption {
    /// Executors that do not have it yet.
    missing: u16,
    /// The newest revision taken when it was adopted.
    newest: Revision,
    then: Then,
}

#[derive(Debug, Default)]
pub struct Adoptions {
    /// Proposed by this reign, not committed yet.
    proposed: BTreeMap<Index, Then>,
    adopting: BTreeMap<Index, Adoption>,
}

impl Adoptions {
    pub fn proposed(&mut self, index: Index, then: Then) {
        self.proposed.insert(index, then);
    }

    /// The record at this index takes effect.
    pub fn begin(&mut self, index: Index, reign: Option<&Arc<dyn Reign>>, executors: u16) {
        if let Some(then) = self.proposed.remove(&index)
            && let Some(reign) = reign
        {
            self.adopting.insert(index, Adoption { missing: executors, newest: reign.newest(), then });
        }
    }

    /// One more executor has it. Returns what waited, if it was the last.
    fn adopted(&mut self, index: Index, newest: Revision) -> Option<Adoption> {
        let adoption = self.adopting.get_mut(&index)?;
        adoption.missing -= 1;
        adoption.newest = newest;
        if adoption.missing > 0 { None } else { self.adopting.remove(&index) }
    }

    pub fn drain(&mut self) -> Vec<Then> {
        let proposed = std::mem::take(&mut self.proposed).into_values();
        proposed.chain(std::mem::take(&mut self.adopting).into_values().map(|adoption| adoption.then)).collect()
    }
}

impl Control {
    /// Proposes a record; what is to follow happens once it is in force, or fails with the reign.
    pub(super) fn propose_record(&mut self, record: Record, then: Then, out: &mut Outbox) {
        match self.group.propose(ControlEntry::Record(record).encode()) {
            Ok(index) => self.adoptions.proposed(index, then),
            Err(_) => self.fail(then, out),
        }
    }

    /// An executor has adopted the record at this index.
    pub(super) fn adopted(&mut self, index: Index, out: &mut Outbox) {
        let Some(reign) = &self.reign else { return };
        let Some(adoption) = self.adoptions.adopted(index, reign.newest()) else { return };
        match adoption.then {
            Then::Answer { origin, response } => {
                let response = response.at(adoption.newest);
                if planted!(RecordAnsweredAtOnce) {
                    return out.answer(origin, Ok(response));
                }
                out.reply(Reply { revision: adoption.newest, origin, result: Ok(response) });
            }
            Then::Coordinate => self.record_in_force(adoption.newest, out),
            Then::Nothing => {}
        }
    }

    fn fail(&mut self, then: Then, out: &mut Outbox) {
        match then {
            Then::Answer { origin, .. } => out.answer(origin, Err(UserError::TimeoutDueToLeaderFailure)),
            Then::Coordinate | Then::Nothing => {}
        }
    }

    /// The reign is over: what it had under way is refused.
    pub(super) fn abandon_records(&mut self, out: &mut Outbox) {
        for then in self.adoptions.drain() {
            self.fail(then, out);
        }
    }
}
