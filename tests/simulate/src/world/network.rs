//! Links between members, one for each direction. Messages take their time, overtake each other where the run says so, and
//! may be lost or repeated; a link that is cut lets nothing through, neither what leaves nor what arrives.
//!
//! What is sent on for a client is never repeated, as on a connection of the server; it may be lost.

use crate::dice::{Dice, Part};
use crate::moment::Moment;
use crate::plan::Shape;
use crate::record::{CallId, Counts};
use bytes::Bytes;
use campanile_core::error::UserError;
use campanile_core::request::Request;
use campanile_core::response::Response;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Packet {
    pub from: usize,
    pub to: usize,
    pub load: Load,
}

#[derive(Clone, Debug)]
pub enum Load {
    /// A message of the core, as bytes.
    Peer(Bytes),
    /// A client's request is sent on.
    Ask { call: CallId, request: Request },
    /// The answer comes back.
    Answer { call: CallId, result: Result<Response, UserError> },
}

/// A link and its direction.
pub type Link = (usize, usize);

pub struct Network {
    dice: Dice,
    latency: Range<Duration>,
    is_ordered: bool,
    /// How many faults cut each link.
    cuts: BTreeMap<Link, u32>,
    newest: BTreeMap<Link, Moment>,
    pub lossy_per_mille: u64,
    pub repeating_per_mille: u64,
    /// How many messages come again, of a thousand, and how much later at most.
    pub echoing: (u64, Duration),
    pub slow: u32,
}

impl Network {
    #[must_use]
    pub fn new(seed: u64, shape: &Shape) -> Network {
        Network {
            dice: Dice::of(seed, Part::Network),
            latency: shape.latency.clone(),
            is_ordered: shape.is_ordered,
            cuts: BTreeMap::new(),
            newest: BTreeMap::new(),
            lossy_per_mille: 0,
            repeating_per_mille: 0,
            echoing: (0, Duration::ZERO),
            slow: 1,
        }
    }

    pub fn cut(&mut self, link: Link) {
        *self.cuts.entry(link).or_default() += 1;
    }

    pub fn mend(&mut self, link: Link) {
        if let Some(cuts) = self.cuts.get_mut(&link) {
            *cuts = cuts.saturating_sub(1);
        }
    }

    /// All faults are over.
    pub fn calm(&mut self) {
        self.cuts.clear();
        (self.lossy_per_mille, self.repeating_per_mille, self.slow) = (0, 0, 1);
        self.echoing = (0, Duration::ZERO);
    }

    #[must_use]
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.get(&(from, to)).is_some_and(|cuts| *cuts > 0)
    }

    /// When a packet that is sent now arrives: once, more than once, or never.
    pub fn send(&mut self, packet: &Packet, now: Moment, counts: &mut Counts) -> Vec<Moment> {
        let link = (packet.from, packet.to);
        if self.is_cut(link.0, link.1) || self.dice.per_mille(self.lossy_per_mille) {
            counts.note("message lost");
            return Vec::new();
        }
        let may_repeat = matches!(packet.load, Load::Peer(_));
        let copies = 1 + u64::from(may_repeat && self.dice.per_mille(self.repeating_per_mille));
        counts.add("message repeated", copies - 1);
        let mut arrivals: Vec<Moment> = (0..copies).map(|_| self.arrival(link, now, counts)).collect();
        let (per_mille, later) = self.echoing;
        if may_repeat && per_mille > 0 && self.dice.per_mille(per_mille) {
            counts.note("message repeated");
            arrivals.push(now + self.dice.time(self.latency.end..later));
        }
        arrivals
    }

    fn arrival(&mut self, link: Link, now: Moment, counts: &mut Counts) -> Moment {
        let mut arrival = now + self.dice.time(self.latency.clone()) * self.slow;
        let newest = self.newest.entry(link).or_default();
        if self.is_ordered && self.slow == 1 {
            arrival = arrival.max(*newest);
        }
        counts.add("message overtaken", u64::from(arrival < *newest));
        *newest = arrival.max(*newest);
        arrival
    }
}
