//! Members that lack entries which are in this member's memory no more: tells them so, takes a checkpoint for them, and
//! hands it over in parts.
//!
//! Told by whoever leads a group in which the member lags, primary or not: a checkpoint holds only what is final, and
//! where a bare majority is up, nobody may be able to become the primary before the one that lags has caught up.
//!
//! One checkpoint is offered at a time, to whoever lags. It is taken when somebody asks, and what follows its cuts stays
//! in memory meanwhile (`executor::held_logs`); so whoever installs it finds the rest of every log here.

use super::Control;
use crate::executor::effect::{Effect, Event};
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::peer::{CatchUp, OfferId, PeerMessage};
use bytes::Bytes;
use campanile_storage::ids::{MemberId, Revision};
use std::collections::{BTreeMap, BTreeSet};

/// Ticks after which a member of which no group complained again does not count as behind.
const LAGGING_TICKS: u32 = 100;
/// Ticks after which an offer ends that nobody has asked for a part of. A member that has the whole file still has to
/// read it, and to begin anew from it.
const OFFER_TICKS: u32 = 600;

#[derive(Debug)]
struct Offer {
    id: OfferId,
    revision: Revision,
    /// Who is being sent a part of it: one at a time for each.
    reading: BTreeSet<MemberId>,
    silent_ticks: u32,
}

#[derive(Debug)]
pub struct Behind {
    /// Members that lag, each with the ticks since a group last noticed.
    lagging: BTreeMap<MemberId, u32>,
    offer: Option<Offer>,
    /// The offer does not help somebody, or there is none.
    is_wanted: bool,
    /// The checkpoint that is being taken will be offered.
    is_taken: bool,
    next: OfferId,
}

impl Behind {
    /// `run` differs from that of every other start of this member.
    #[must_use]
    pub fn new(run: u64) -> Behind {
        let next = OfferId { run, number: 1 };
        Behind { lagging: BTreeMap::new(), offer: None, is_wanted: false, is_taken: false, next }
    }

    /// Whether a checkpoint is to be taken for a member that lags.
    #[must_use]
    pub fn is_checkpoint_wanted(&self) -> bool {
        self.is_wanted
    }

    pub fn checkpoint_begins(&mut self, offered: bool) {
        self.is_taken = offered;
    }

    pub fn checkpoint_is_given_up(&mut self) {
        self.is_taken = false;
    }

    fn helps(&self, revision: Revision, refused: Option<OfferId>) -> bool {
        let is_refused = |id: OfferId| refused.is_some_and(|refused| id.run == refused.run && id <= refused);
        self.offer.as_ref().is_some_and(|offer| offer.revision >= revision && !is_refused(offer.id))
    }
}

impl Control {
    /// Groups that this member leads lack what these members need.
    pub(super) fn members_behind(&mut self, members: Vec<MemberId>, out: &mut Outbox) {
        for member in members {
            // Several groups may notice in one tick; the member is told once.
            if self.behind.lagging.insert(member, 0) != Some(0) {
                out.send(member, PeerMessage::CatchUp(CatchUp::Behind));
            }
        }
    }

    /// A member that lags wants a checkpoint.
    pub(super) fn asked_for_checkpoint(
        &mut self,
        from: MemberId,
        revision: Revision,
        refused: Option<OfferId>,
        out: &mut Outbox,
    ) {
        if !self.behind.lagging.contains_key(&from) {
            return;
        }
        if self.behind.helps(revision, refused) {
            self.read_offer(from, 0, out);
        } else if self.visible() >= revision {
            // One below would not be taken, and taking it would be in the way of what this member may have to install:
            // each of two members can lag in a group of its own.
            self.behind.is_wanted = true;
            out.send(from, PeerMessage::CatchUp(CatchUp::Behind));
        }
    }

    pub(super) fn asked_for_part(&mut self, from: MemberId, offer: OfferId, offset: u64, out: &mut Outbox) {
        if self.behind.offer.as_ref().is_some_and(|offered| offered.id == offer) {
            self.read_offer(from, offset, out);
        } else {
            out.send(from, PeerMessage::CatchUp(CatchUp::Withdrawn { offer }));
        }
    }

    fn read_offer(&mut self, to: MemberId, offset: u64, out: &mut Outbox) {
        let Some(offer) = &mut self.behind.offer else { return };
        offer.silent_ticks = 0;
        if offer.reading.insert(to) {
            if offset == 0 {
                out.report(Event::Sending { to, revision: offer.revision });
            }
            let bytes_max = self.config.bounds.catch_up.part_bytes;
            out.push(Effect::ReadOffer { to, offer: offer.id, offset, bytes_max });
        }
    }

    /// A part of the offered checkpoint was read, or cannot be: whoever asks then needs another one.
    pub fn offer_read(&mut self, to: MemberId, id: OfferId, offset: u64, read: Option<(u64, Bytes)>, out: &mut Outbox) {
        let Some(offer) = self.behind.offer.as_mut().filter(|offer| offer.id == id) else { return };
        offer.reading.remove(&to);
        match read {
            Some((file_bytes, bytes)) => {
                out.send(to, PeerMessage::CatchUp(CatchUp::Part { offer: id, file_bytes, offset, bytes }));
            }
            None => self.end_offer(out),
        }
    }

    /// A checkpoint is live. If it was taken for members that lag, it is offered to them.
    pub(super) fn begin_offer(&mut self, revision: Revision, out: &mut Outbox) {
        if !std::mem::take(&mut self.behind.is_taken) {
            return;
        }
        let id = self.behind.next;
        self.behind.next.number += 1;
        self.behind.is_wanted = false;
        self.behind.offer = Some(Offer { id, revision, reading: BTreeSet::new(), silent_ticks: 0 });
        out.push(Effect::BeginOffer);
    }

    fn end_offer(&mut self, out: &mut Outbox) {
        if self.behind.offer.take().is_some() {
            out.push(Effect::EndOffer);
        }
        out.broadcast(&Message::OfferEnded { taken: !self.behind.is_taken });
    }

    /// More was written than is held for a member that lags: what is offered helps nobody any more, nor does what is
    /// being taken to be offered.
    pub(super) fn hold_exceeded(&mut self, out: &mut Outbox) {
        self.behind.is_taken = false;
        self.end_offer(out);
    }

    pub(super) fn tick_behind(&mut self, out: &mut Outbox) {
        self.behind.lagging.retain(|_, ticks| {
            *ticks += 1;
            *ticks <= LAGGING_TICKS
        });
        self.behind.is_wanted &= !self.behind.lagging.is_empty();
        if let Some(offer) = &mut self.behind.offer {
            offer.silent_ticks += 1;
            if offer.silent_ticks > OFFER_TICKS {
                self.end_offer(out);
            }
        }
    }
}
