//! What clients do: requests, one after the other, and watches that are resumed wherever their stream ends.
//!
//! | file | what |
//! | --- | --- |
//! | `draw` | the next request |
//! | `operations` | puts, deletes, ranges, transactions with all their options |
//! | `watcher` | one client that watches |

pub mod draw;
pub mod operations;
pub mod watcher;

use crate::dice::{Dice, Part};
use crate::record::CallId;
use campanile_storage::ids::LeaseId;

/// A client that asks one request after the other.
pub struct Client {
    pub dice: Dice,
    /// The member and executor that it is connected to.
    pub member: usize,
    pub executor: u64,
    pub waits_for: Option<CallId>,
    /// Leases that the server drew for it.
    pub drawn: Vec<LeaseId>,
}

impl Client {
    #[must_use]
    pub fn new(seed: u64, number: usize, members: usize) -> Client {
        let mut dice = Dice::of(seed, Part::Client(number as u64));
        let (member, executor) = (dice.place(members), dice.draw());
        Client { dice, member, executor, waits_for: None, drawn: Vec::new() }
    }

    /// Goes to another member.
    pub fn reconnect(&mut self, members: usize) {
        self.member = self.dice.place(members);
        self.executor = self.dice.draw();
    }
}
