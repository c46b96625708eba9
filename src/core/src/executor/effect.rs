//! What goes into an executor's step, and what comes out of it.

use super::message::Message;
use super::watching::WatchCommand;
use crate::error::UserError;
use crate::peer::PeerMessage;
use crate::request::Request;
use crate::response::Response;
use crate::watch::StreamId;
use campanile_storage::checkpoint::Chunk;
use campanile_storage::ids::{GroupId, MemberId, Revision, Term};
use campanile_storage::log::{Cut, Floors, Update};
use std::sync::Arc;

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
    /// The last work on a checkpoint's file is done; or it failed, and what there was of the file is removed.
    CheckpointStep { done: bool },
    /// The answer to [`Effect::CutLog`].
    LogCut(Floors),
    /// One heartbeat interval has passed.
    Tick,
}

/// What is to be done. Effects are performed in their order.
#[derive(Debug)]
pub enum Effect {
    /// Write one atomic record to this executor's log; [`Input::Persisted`] answers it. One is under way at a time.
    Persist {
        batch: u64,
        appends: Vec<Update>,
    },
    /// Work on a checkpoint's file; [`Input::CheckpointStep`] answers it. One is under way at a time, on the control
    /// executor only.
    Checkpoint(FileWork),
    /// A durable checkpoint stands for everything up to these cuts: ask this executor's log where the groups begin from
    /// now on. [`Input::LogCut`] answers it.
    CutLog(Vec<(GroupId, Cut)>),
    /// The manifest says that these groups begin here: segments of this executor's log that lie before go.
    ReleaseLog(Arc<Floors>),
    Tell {
        to: ExecutorId,
        message: Message,
    },
    Send {
        to: MemberId,
        message: PeerMessage,
    },
    Respond {
        ticket: Ticket,
        result: Result<Response, UserError>,
    },
    /// The stream has responses, and had none before: [`super::Executor::next_watch_response`] until there are none.
    WatchReady(StreamId),
    /// The primary must answer this request: send it on, once.
    Relay {
        ticket: Ticket,
        to: MemberId,
    },
    /// Something an operator wants to know.
    Report(Event),
}

/// Work on a checkpoint's file.
#[derive(Debug)]
pub enum FileWork {
    /// Begin a file with this header and meta part.
    Begin {
        revision: Revision,
        shards: u32,
        meta: Vec<u8>,
    },
    Write(Chunk),
    /// Make the file durable.
    Finish,
    /// Name it in the manifest, with where every group's log begins now; then remove what is superfluous.
    MakeLive {
        revision: Revision,
        groups: Floors,
    },
}

/// Something an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This executor's view of who leads the control group, and in which term, changed.
    Leader { leader: Option<MemberId>, term: Term },
    /// This member opened a reign.
    Opened { epoch: crate::clock::Epoch, base: Revision },
    /// A reign of this member ended.
    Ceased { epoch: crate::clock::Epoch },
    /// The number of shards is known.
    Shards(u32),
    /// A checkpoint at this revision is live.
    Checkpoint { revision: Revision },
    /// A checkpoint could not be written; it is tried again later.
    CheckpointFailed,
}
