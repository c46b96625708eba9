//! This member lacks entries that nobody can send it any more: receives a checkpoint of another member, and makes it live.
//!
//! ```text
//! Idle -> Asking (told that it is behind; asks until the first part comes)
//!      -> Receiving (one part after the other, written beside the member's work) -> Finishing (durable, read again)
//!      -> Halting (every executor stops for good, and says what the checkpoint leaves of its groups' logs)
//!      -> Installing (the manifest names it: the one step that makes it live for all groups) -> the member begins anew
//! ```
//!
//! Until the executors halt, a step that fails gives the checkpoint up and harms nothing. From then on the member goes
//! on as after a crash, whether the step that makes the checkpoint live succeeded or not: recovery finds the one
//! manifest or the other.
//!
//! The member never goes back behind what it has shown: it takes no checkpoint below that. Of any two members one shows
//! no more than the other, so one of them can always be helped, even if each lacks entries of a group of its own: where
//! its log begins behind the checkpoint's cut, it goes on from there, and the checkpoint is amended by that.

use super::Control;
use crate::checkpoint::{GroupCut, Meta};
use crate::executor::effect::{Effect, Event, FileWork};
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::peer::{CatchUp, OfferId, PeerMessage};
use bytes::Bytes;
use campanile_storage::checkpoint::Header;
use campanile_storage::ids::{GroupId, MemberId, Revision};
use campanile_storage::log::Floors;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Ticks after which a part is asked for again.
const ASK_AGAIN_TICKS: u32 = 2;
/// Ticks without an answer after which the member that was asked is given up.
const PATIENCE_TICKS: u32 = 30;
/// Ticks before it is tried again after something failed here.
const RETRY_TICKS: u32 = 100;

/// A part of a checkpoint's file.
#[derive(Debug)]
pub struct Part {
    pub offer: OfferId,
    pub file_bytes: u64,
    pub offset: u64,
    pub bytes: Bytes,
}

/// Whom the checkpoint comes from, and how much of it has come.
#[derive(Debug)]
struct Pull {
    from: MemberId,
    offer: OfferId,
    file_bytes: u64,
    /// Written, but for the part that is being written now.
    received: u64,
    writing_bytes: u64,
    silent_ticks: u32,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Asking {
        from: MemberId,
        refused: Option<OfferId>,
        silent_ticks: u32,
    },
    Receiving(Pull),
    Finishing(Pull),
    Halting {
        revision: Revision,
        meta: Meta,
        missing: u16,
        groups: Floors,
        /// The groups that go on from where they are.
        own: BTreeMap<GroupId, GroupCut>,
    },
    Installing {
        revision: Revision,
    },
    /// The member's life is over.
    Ended,
}

#[derive(Debug, Default)]
pub struct Install {
    stage: Stage,
    retry_in_ticks: u32,
}

/// Why a checkpoint that arrived whole is not installed.
enum Refusal {
    /// A newer one may do.
    TooOld,
    /// This member reigns: it is behind nobody.
    Reigning,
    /// It makes no sense here.
    Foreign,
}

impl Install {
    /// Whether it works on files, so that the member's own checkpoints have to wait.
    #[must_use]
    pub fn needs_files(&self) -> bool {
        !matches!(self.stage, Stage::Idle | Stage::Asking { .. })
    }

    #[must_use]
    pub fn is_asking(&self) -> bool {
        matches!(self.stage, Stage::Asking { .. })
    }

    fn give_up(&mut self) {
        self.stage = Stage::Idle;
    }
}

impl Control {
    /// Another member holds no more what this one lacks.
    pub(super) fn told_behind(&mut self, from: MemberId, out: &mut Outbox) {
        match &mut self.install.stage {
            Stage::Idle if self.install.retry_in_ticks == 0 && self.reign.is_none() => {
                self.install.stage = Stage::Asking { from, refused: None, silent_ticks: 0 };
                self.ask_for_checkpoint(out);
            }
            Stage::Asking { from: asked, silent_ticks, .. } if *asked == from => *silent_ticks = 0,
            _ => {}
        }
    }

    /// Asks for a checkpoint, once this member's own file is out of the way.
    fn ask_for_checkpoint(&mut self, out: &mut Outbox) {
        if let Stage::Asking { from, refused, .. } = self.install.stage
            && self.checkpoints.are_idle()
        {
            let (revision, opened) = (self.visible(), self.counter.opens().newest_epoch());
            out.send(from, PeerMessage::CatchUp(CatchUp::Ask { revision, opened, refused }));
        }
    }

    fn ask_for_part(&mut self, out: &mut Outbox) {
        if let Stage::Receiving(Pull { from, offer, received, writing_bytes: 0, .. }) = self.install.stage {
            out.send(from, PeerMessage::CatchUp(CatchUp::AskPart { offer, offset: received }));
        }
    }

    pub(super) fn tick_install(&mut self, out: &mut Outbox) {
        let install = &mut self.install;
        install.retry_in_ticks = install.retry_in_ticks.saturating_sub(1);
        let (Stage::Asking { silent_ticks, .. } | Stage::Receiving(Pull { silent_ticks, writing_bytes: 0, .. })) =
            &mut install.stage
        else {
            return;
        };
        *silent_ticks += 1;
        if *silent_ticks > PATIENCE_TICKS {
            return install.give_up();
        }
        let asks_for_part = silent_ticks.is_multiple_of(ASK_AGAIN_TICKS);
        self.ask_for_checkpoint(out);
        if asks_for_part {
            self.ask_for_part(out);
        }
    }

    /// A part has come, perhaps not the one that was asked for last.
    pub(super) fn part_arrived(&mut self, from: MemberId, part: Part, out: &mut Outbox) {
        if let Stage::Asking { from: asked, refused, .. } = self.install.stage
            && asked == from
            && refused != Some(part.offer)
            && part.offset == 0
            && self.checkpoints.are_idle()
        {
            let Part { offer, file_bytes, .. } = part;
            out.report(Event::Receiving { from, file_bytes });
            let pull = Pull { from, offer, file_bytes, received: 0, writing_bytes: 0, silent_ticks: 0 };
            self.install.stage = Stage::Receiving(pull);
        }
        let Stage::Receiving(pull) = &mut self.install.stage else { return };
        let length = part.bytes.len() as u64;
        let is_next = (pull.from, pull.offer, pull.file_bytes) == (from, part.offer, part.file_bytes)
            && pull.received == part.offset
            && pull.writing_bytes == 0;
        if is_next && length > 0 && length <= pull.file_bytes - pull.received {
            pull.silent_ticks = 0;
            pull.writing_bytes = length;
            let Part { file_bytes, offset, bytes, .. } = part;
            out.push(Effect::Checkpoint(FileWork::Receive { file_bytes, offset, bytes }));
        }
    }

    /// The checkpoint is offered no more; perhaps a newer one is.
    pub(super) fn offer_withdrawn(&mut self, from: MemberId, offer: OfferId, out: &mut Outbox) {
        if let Stage::Receiving(pull) = &self.install.stage
            && (pull.from, pull.offer, pull.writing_bytes) == (from, offer, 0)
        {
            self.install.stage = Stage::Asking { from, refused: Some(offer), silent_ticks: 0 };
            self.ask_for_checkpoint(out);
        }
    }

    /// The runtime has done its last step of work, or has failed to.
    pub(super) fn install_step(&mut self, done: bool, out: &mut Outbox) {
        match std::mem::take(&mut self.install.stage) {
            Stage::Receiving(_) if !done => self.receiving_failed(out),
            Stage::Receiving(mut pull) => {
                pull.received += std::mem::take(&mut pull.writing_bytes);
                if pull.received == pull.file_bytes {
                    out.push(Effect::Checkpoint(FileWork::FinishReceiving));
                    self.install.stage = Stage::Finishing(pull);
                } else {
                    self.install.stage = Stage::Receiving(pull);
                    self.ask_for_part(out);
                }
            }
            Stage::Installing { revision } => {
                out.report(if done { Event::Installed { revision } } else { Event::NotInstalled });
                self.begin_anew(out);
            }
            stage => unreachable!("no work on a file is under way in {stage:?}"),
        }
    }

    fn receiving_failed(&mut self, out: &mut Outbox) {
        self.install.give_up();
        self.install.retry_in_ticks = RETRY_TICKS;
        out.report(Event::ReceivingFailed);
    }

    /// The file is whole and durable, or it is not.
    pub fn checkpoint_received(&mut self, received: Option<(Header, Bytes)>, out: &mut Outbox) {
        let Stage::Finishing(Pull { from, offer, .. }) = std::mem::take(&mut self.install.stage) else {
            unreachable!("a file is finished once it was received")
        };
        let Some((header, meta)) = received else { return self.receiving_failed(out) };
        match self.judge(&header, meta) {
            Ok(meta) => self.halt_for(&header, meta, out),
            Err(Refusal::TooOld) => {
                self.install.stage = Stage::Asking { from, refused: Some(offer), silent_ticks: 0 };
                self.ask_for_checkpoint(out);
            }
            Err(Refusal::Reigning) => {}
            Err(Refusal::Foreign) => self.receiving_failed(out),
        }
    }

    fn judge(&self, header: &Header, meta: Bytes) -> Result<Meta, Refusal> {
        let meta = Meta::decode(meta).map_err(|_| Refusal::Foreign)?;
        let is_every_group_there = meta.groups.keys().copied().eq((0..=header.shards).map(GroupId));
        if !is_every_group_there || self.shards.is_some_and(|shards| shards != header.shards) {
            return Err(Refusal::Foreign);
        }
        if self.reign.is_some() {
            return Err(Refusal::Reigning);
        }
        let goes_forward = |(group, cut): (&GroupId, &GroupCut)| {
            self.checkpoints.compare_with(*group, cut.place.cut) == Ordering::Less
        };
        let helps = header.revision >= self.visible() && meta.groups.iter().any(goes_forward);
        if helps { Ok(meta) } else { Err(Refusal::TooOld) }
    }

    /// Nothing may be appended between the moment in which the logs say what is left of them and the end.
    fn halt_for(&mut self, header: &Header, meta: Meta, out: &mut Outbox) {
        // The groups must be hosted, so that their terms and votes are known.
        self.learn_shards(header.shards, out);
        let mut cuts = meta.cuts();
        // Each of two members can lack entries of a group that only the other one has. A log is never followed from a
        // cut that lies before its own beginning.
        cuts.retain(|group, cut| self.checkpoints.compare_with(*group, *cut) != Ordering::Greater);
        let (revision, missing) = (header.revision, out.executors());
        self.install.stage = Stage::Halting { revision, meta, missing, groups: Floors::new(), own: BTreeMap::new() };
        out.broadcast(&Message::Halt { cuts: Arc::new(cuts) });
    }

    /// An executor has halted: where its groups' logs begin if the checkpoint is installed.
    pub fn log_replaced(&mut self, floors: Floors, own: Vec<(GroupId, GroupCut)>, out: &mut Outbox) {
        let Stage::Halting { missing, groups, own: all_own, .. } = &mut self.install.stage else {
            unreachable!("executors halt when they were asked to")
        };
        groups.extend(floors);
        all_own.extend(own);
        *missing -= 1;
        if *missing > 0 {
            return;
        }
        let Stage::Halting { revision, mut meta, groups, own, .. } = std::mem::take(&mut self.install.stage) else {
            unreachable!("it was just looked at")
        };
        // What was under way in the poll in which this executor was asked to halt may have moved the visible revision.
        if revision >= self.visible() {
            let is_amended = !own.is_empty();
            if is_amended {
                meta.amend(self.meta(own));
            }
            let amendment = is_amended.then(|| meta.encode().into());
            out.push(Effect::Checkpoint(FileWork::Install { revision, groups, amendment }));
            self.install.stage = Stage::Installing { revision };
        } else {
            out.report(Event::NotInstalled);
            self.begin_anew(out);
        }
    }

    fn begin_anew(&mut self, out: &mut Outbox) {
        self.install.stage = Stage::Ended;
        out.push(Effect::BeginAnew);
    }
}
