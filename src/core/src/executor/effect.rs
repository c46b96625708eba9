//! What goes into an executor's step, and what comes out of it.

use super::message::Message;
use super::watching::WatchCommand;
use crate::error::UserError;
use crate::peer::{OfferId, PeerMessage};
use crate::request::Request;
use crate::response::Response;
use crate::watch::StreamId;
use bytes::Bytes;
use campanile_storage::checkpoint::{Chunk, Header};
use campanile_storage::ids::{GroupId, LeaseId, MemberId, Revision, Term};
use campanile_storage::log::{Cut, Floors, HardState, Update};
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
    /// The answer to [`FileWork::FinishReceiving`]: what the file says of itself, and its meta part; nothing if it did
    /// not arrive whole.
    CheckpointReceived(Option<(Header, Bytes)>),
    /// The answer to [`Effect::ReadOffer`]: the size of the file, and the part; nothing if it cannot be read.
    OfferRead { to: MemberId, offer: OfferId, offset: u64, read: Option<(u64, Bytes)> },
    /// The answer to [`Effect::CutLog`] and to [`Effect::ReplaceLog`].
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
    /// An installed checkpoint will stand for everything up to these cuts: ask this executor's log where the groups
    /// begin then. [`Input::LogCut`] answers it. Nothing is appended any more.
    ReplaceLog(Vec<(GroupId, Cut, Replacement)>),
    /// The live checkpoint is offered to other members from now on; it stays readable when it is removed.
    BeginOffer,
    /// Read a part of the offered checkpoint; [`Input::OfferRead`] answers it.
    ReadOffer {
        to: MemberId,
        offer: OfferId,
        offset: u64,
        bytes_max: usize,
    },
    EndOffer,
    /// This life of the member is over: begin anew from what the disk holds, as after a crash.
    BeginAnew,
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
    /// Write the next part of a file that another member sends. At offset 0 a new file begins.
    Receive {
        file_bytes: u64,
        offset: u64,
        bytes: Bytes,
    },
    /// Make what was received durable, and read it again; [`Input::CheckpointReceived`] answers it.
    FinishReceiving,
    /// Name what was received in the manifest: the one step that makes it live for all groups.
    Install {
        revision: Revision,
        groups: Floors,
        /// The meta part that counts in place of the file's own.
        amendment: Option<Bytes>,
    },
}

/// What becomes of a group's log when an installed checkpoint stands for everything up to a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// The log holds the cut, or begins behind it: what stands there was acknowledged, and stays.
    Keep,
    /// Nothing of it is left but this.
    Reset(HardState),
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
    /// A lease ran out; this member, the primary, revokes it.
    LeaseExpired(LeaseId),
    /// A checkpoint at this revision is live.
    Checkpoint { revision: Revision },
    /// A checkpoint could not be written; it is tried again later.
    CheckpointFailed,
    /// A member that fell behind is sent the checkpoint at this revision.
    Sending { to: MemberId, revision: Revision },
    /// This member fell behind, and is sent a checkpoint of so many bytes.
    Receiving { from: MemberId, file_bytes: u64 },
    /// What was sent could not be written, or is no checkpoint of this cluster; it is asked for again later.
    ReceivingFailed,
    /// A checkpoint at this revision, sent by another member, is live.
    Installed { revision: Revision },
    /// It could not be made live.
    NotInstalled,
}
