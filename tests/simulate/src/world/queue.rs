//! What will happen, by its moment; of one moment in the order in which it was decided.

use super::network::Packet;
use crate::moment::Moment;
use crate::record::CallId;
use std::collections::BTreeMap;

/// One executor of one life of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub member: usize,
    pub life: u32,
    pub executor: u16,
}

#[derive(Debug)]
pub enum Happening {
    /// An executor ends its round.
    Round(Place),
    Tick(Place),
    /// The oldest message from another executor of the member arrives.
    Lane {
        to: Place,
        from: u16,
    },
    /// The disk completes one of the operations under way.
    Disk {
        member: usize,
        life: u32,
    },
    /// An executor looks after its log's spares.
    Maintain(Place),
    Packet(Packet),
    /// A client asks its next request.
    Client(usize),
    /// A client has waited long enough.
    Patience {
        client: usize,
        call: CallId,
    },
    /// A connection was lost on which a request had been sent on.
    Lost {
        call: CallId,
    },
    Watcher(usize),
    /// A fault of the plan strikes.
    Strike(usize),
    /// Something that a fault did is over, by its number.
    Relief(usize),
    Start {
        member: usize,
        life: u32,
    },
}

#[derive(Debug, Default)]
pub struct Queue {
    happenings: BTreeMap<(Moment, u64), Happening>,
    decided: u64,
}

impl Queue {
    pub fn push(&mut self, at: Moment, happening: Happening) {
        self.happenings.insert((at, self.decided), happening);
        self.decided += 1;
    }

    /// The next one, if it happens up to this moment.
    pub fn pop(&mut self, until: Moment) -> Option<(Moment, Happening)> {
        let first = self.happenings.first_entry().filter(|first| first.key().0 <= until)?;
        let ((at, _), happening) = first.remove_entry();
        Some((at, happening))
    }
}
