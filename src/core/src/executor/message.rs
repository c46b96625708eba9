//! What executors of one member say to each other. Delivered in order between any two, never lost.

use super::checkpoint::{SliceTaken, SliceWanted};
use super::effect::{ExecutorId, Origin};
use super::inspect::HashPart;
use super::transact::Part;
use crate::checkpoint::GroupCut;
use crate::clock::batch::FragmentHead;
use crate::clock::counter::Committed;
use crate::clock::opens::Open;
use crate::clock::{Change, Epoch, Reign};
use crate::control::record::Record;
use crate::control::succession::Ends;
use crate::error::UserError;
use crate::evaluate::{Found, Need};
use crate::peer::PeerMessage;
use crate::request::{Operation, Request};
use crate::response::Response;
use crate::watch::{FromShard, ToShard};
use bytes::Bytes;
use campanile_storage::ids::{GroupId, Index, LeaseId, MemberId, Position, Revision, ShardId, Term};
use campanile_storage::log::{Cut, Floors};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Message {
    /// Whether one executor asks it of a shard that another hosts. It may come before that one knows that it does: only
    /// what any two executors say to each other is in order, and the control executor tells each of them on its own.
    #[must_use]
    pub fn concerns_a_shard(&self) -> bool {
        matches!(self, Message::Find { .. } | Message::HashAsk { .. } | Message::ToShard { .. })
    }
}

#[derive(Clone, Debug)]
pub enum Message {
    // ---- one shard answers ----
    /// Evaluate a modifying operation on the one shard that it touches.
    Evaluate {
        origin: Origin,
        shard: ShardId,
        operation: Operation,
    },
    /// Hand over what a read needs, at a revision that the member may show.
    Find {
        origin: Origin,
        at: Revision,
        needs: Vec<(ShardId, Need)>,
    },
    /// The answer to [`Message::Find`].
    Found {
        origin: Origin,
        found: Vec<(ShardId, Found)>,
    },
    /// Hand over a part of what HashKV hashes, behind a position.
    HashAsk {
        origin: Origin,
        shard: ShardId,
        at: Revision,
        compacted: Revision,
        after: Option<Position>,
    },
    /// The answer to [`Message::HashAsk`]; nothing if a compaction came between.
    HashPart {
        origin: Origin,
        part: Option<HashPart>,
    },
    /// The answer to a request that another executor took from the network.
    Answer {
        origin: Origin,
        result: Result<Response, UserError>,
    },

    /// Another member says something that concerns a group hosted there.
    Peer {
        from: MemberId,
        message: PeerMessage,
    },

    // ---- asking the control executor ----
    /// A request that the control executor answers, or a transaction over several shards.
    Control {
        origin: Origin,
        request: Request,
    },
    /// A question about the member that needs the control executor.
    Inspect {
        origin: Origin,
        request: Request,
    },
    /// Which keys are attached to this lease?
    AskKeys {
        request: u64,
        lease: LeaseId,
    },
    Keys {
        request: u64,
        keys: Vec<Bytes>,
    },
    /// Which revision may linearizable reads see that came before this question?
    Confirm {
        executor: ExecutorId,
        round: u64,
    },
    /// The revision, and the newest compaction that took effect up to there.
    Confirmed {
        round: u64,
        result: Result<(Revision, Revision), UserError>,
    },

    // ---- a transaction over several shards ----
    /// Stop evaluating, and hand over what the transaction needs; of the keys attached to a lease, if one is named.
    Gather {
        round: u64,
        needs: Vec<(ShardId, Need)>,
        lease: Option<LeaseId>,
    },
    Gathered {
        round: u64,
        part: Part,
    },
    /// Write and log this executor's fragments of a revision, each in pieces.
    Write {
        head: FragmentHead,
        changes: Vec<(ShardId, Vec<Vec<Change>>)>,
    },
    /// A revision was taken at which the lease dies: nothing that is evaluated from now on attaches it.
    Condemn {
        lease: LeaseId,
    },
    /// Go on evaluating.
    Resume,

    // ---- the beginning and the end of a reign ----
    AskEnds {
        asker: MemberId,
        epoch: Epoch,
    },
    Ends {
        asker: MemberId,
        epoch: Epoch,
        ends: Ends,
    },
    Win {
        group: GroupId,
        epoch: Epoch,
    },
    /// Another member wins the group, and hands it over: fence it then.
    AwaitWin {
        group: GroupId,
        epoch: Epoch,
    },
    Fenced {
        group: GroupId,
        epoch: Epoch,
    },
    /// A group that the reign needs is no longer led by this member, or refused a proposal.
    Lost {
        epoch: Epoch,
    },
    Serve {
        reign: Arc<dyn Reign>,
        base: Revision,
    },
    /// The reign ended with this visible revision. `resign`: give the groups up.
    Cease {
        visible: Revision,
        resign: bool,
    },

    // ---- the clock ----
    Committed {
        group: GroupId,
        committed: Vec<Committed>,
    },
    Opened(Open),
    /// The member may show everything up to here.
    Visible(Revision),
    /// The window moved; look at it again.
    WindowMoved,

    // ---- checkpoints ----
    /// The log of the executor that says so has grown.
    LogGrown {
        bytes: u64,
    },
    /// A checkpoint begins: say where the groups' logs may be cut. `offered`: it is for a member that fell behind, and
    /// needs what follows from memory.
    PrepareCheckpoint {
        offered: bool,
    },
    CheckpointPrepared {
        cuts: Vec<(GroupId, GroupCut)>,
    },
    TakeSlice(SliceWanted),
    SliceTaken(SliceTaken),
    /// The checkpoint's file is durable: say where the groups' logs begin from now on.
    CutLogs {
        cuts: Arc<BTreeMap<GroupId, Cut>>,
    },
    LogsCut(Floors),
    /// The checkpoint is live.
    CheckpointLive {
        revision: Revision,
        groups: Arc<Floors>,
    },
    CheckpointGivenUp,

    // ---- members that fell behind ----
    /// These members lack entries that a group hosted there holds no more.
    Behind {
        members: Vec<MemberId>,
    },
    /// What follows the offered checkpoint, or the one that is being taken, is too much to be held in memory.
    HoldExceeded,
    /// The offer has ended. `taken`: and the checkpoint that is being taken will not be offered.
    OfferEnded {
        taken: bool,
    },
    /// Stop for good, and say where the groups begin once a checkpoint is installed: with these cuts, and for the groups
    /// that are not named, whose own logs begin behind the checkpoint's cuts, where they are.
    Halt {
        cuts: Arc<BTreeMap<GroupId, Cut>>,
    },
    LogsReplaced {
        floors: Floors,
        /// The groups that go on from where they are.
        own: Vec<(GroupId, GroupCut)>,
    },

    // ---- watches ----
    ToShard {
        shard: ShardId,
        message: ToShard,
    },
    FromShard(FromShard),

    // ---- control records ----
    /// The number of shards is known: host those that are placed here.
    Shards(u32),
    /// Records of one entry are committed and take effect.
    Adopt {
        index: Index,
        records: Arc<Vec<Record>>,
    },
    Adopted {
        index: Index,
    },
    /// Who leads the control group, as far as this member knows, and its term.
    Leader {
        leader: Option<MemberId>,
        term: Term,
    },
}
