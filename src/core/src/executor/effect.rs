//! What goes into an executor's step, and what comes out of it.

use super::message::Message;
use super::watching::WatchCommand;
use crate::error::UserError;
use crate::peer::PeerMessage;
use crate::request::Request;
use crate::response::Response;
use crate::watch::StreamId;
use campanile_storage::log::Update;
use campanile_storage::ids::MemberId;

/// One pinned executor of a member. Executor 0 also hosts the control group.
pub type ExecutorId = u16;

/// The executor that hosts the control group.
pub const CONTROL_EXECUTOR: ExecutorId = 0;

/// A client's request, as the executor that took it from the network knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    pub executor: ExecutorId,
    pub ticket: Ticket,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A client asks. `relayed`: another member sent it on, and it must not be sent on again.
    Request { ticket: Ticket, request: Request, relayed: bool },
    /// A client speaks on a watch stream of this executor.
    Watch { stream: StreamId, command: WatchCommand },
    /// Another executor of this member says.
    Message { from: ExecutorId, message: Message },
    /// Another member says. Messages may be lost, repeated, and come out of order.
    Peer { from: MemberId, message: PeerMessage },
    /// Everything up to this batch is durable.
    Persisted { batch: u64 },
    /// One heartbeat interval has passed.
    Tick,
}

/// What is to be done. Effects are performed in their order.
#[derive(Debug)]
pub enum Effect {
    /// Write one atomic record to this executor's log; [`Input::Persisted`] answers it. One is under way at a time.
    Persist { batch: u64, appends: Vec<Update> },
    Tell { to: ExecutorId, message: Message },
    Send { to: MemberId, message: PeerMessage },
    Respond { ticket: Ticket, result: Result<Response, UserError> },
    /// The stream has responses, and had none before: [`super::Executor::next_watch_response`] until there are none.
    WatchReady(StreamId),
    /// The primary must answer this request: send it on, once.
    Relay { ticket: Ticket, to: MemberId },
    /// Something an operator wants to know.
    Report(Event),
}

/// Something an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The member's view of who leads the control group changed.
    Leader(Option<MemberId>),
    /// This member opened a reign.
    Opened { epoch: crate::clock::Epoch, base: campanile_storage::ids::Revision },
    /// A reign of this member ended.
    Ceased { epoch: crate::clock::Epoch },
    /// The number of shards is known.
    Shards(u32),
}
