//! The next request of a client.

use super::operations::{delete, put, range, transaction};
use crate::dice::Dice;
use crate::plan::shape::Appetite;
use crate::record::Counts;
use campanile_core::request::{Operation, Request};
use campanile_storage::ids::{LeaseId, Revision};

/// What a request is drawn from.
pub struct Ground<'a> {
    pub appetite: Appetite,
    pub keys: u64,
    /// Makes values unique.
    pub number: u64,
    /// The newest revision that anybody was shown.
    pub shown: Revision,
    pub drawn_leases: &'a [LeaseId],
}

/// Leases that clients name themselves.
const LEASES: u64 = 5;

impl Ground<'_> {
    pub fn lease(&self, dice: &mut Dice) -> LeaseId {
        if !self.drawn_leases.is_empty() && dice.one_in(4) {
            return dice.pick(self.drawn_leases);
        }
        LeaseId(1 + dice.below(LEASES).cast_signed())
    }

    /// A revision not far below what was shown, seldom above it.
    pub fn revision(&self, dice: &mut Dice) -> Revision {
        let back = if dice.one_in(8) { dice.below(self.shown.0 as u64 + 1) } else { dice.below(12) };
        Revision((self.shown.0 + 2 - back.cast_signed()).max(1))
    }
}

/// Draws a request, and counts what it is.
pub fn draw(ground: &Ground, dice: &mut Dice, counts: &mut Counts) -> Request {
    let Appetite { puts, deletes, transactions, ranges, leases, compactions, inspections } = ground.appetite;
    let mut choice = dice.below(puts + deletes + transactions + ranges + leases + compactions + inspections);
    let mut is = |weight: u64| {
        let chosen = choice < weight;
        choice = choice.wrapping_sub(weight);
        chosen
    };
    if is(puts) {
        Request::Operation(Operation::Put(put(ground, dice, counts)))
    } else if is(deletes) {
        Request::Operation(Operation::DeleteRange(delete(ground, dice, counts)))
    } else if is(transactions) {
        Request::Operation(Operation::Txn(transaction(ground, dice, counts, 0)))
    } else if is(ranges) {
        Request::Operation(Operation::Range(range(ground, dice, counts)))
    } else if is(leases) {
        lease(ground, dice, counts)
    } else if is(compactions) {
        counts.note("request: compact");
        Request::Compact { at: ground.revision(dice), physical: dice.coin() }
    } else {
        inspect(ground, dice, counts)
    }
}

fn lease(ground: &Ground, dice: &mut Dice, counts: &mut Counts) -> Request {
    let id = ground.lease(dice);
    let (what, request) = match dice.below(10) {
        0..3 => {
            let id = if dice.one_in(4) { LeaseId::NONE } else { id };
            ("request: lease grant", Request::LeaseGrant { id, ttl_seconds: dice.within(0..8).cast_signed() })
        }
        3..5 => ("request: lease revoke", Request::LeaseRevoke { id }),
        5..8 => ("request: lease keepalive", Request::LeaseKeepAlive { id }),
        8 => ("request: lease time to live", Request::LeaseTimeToLive { id, keys: dice.coin() }),
        _ => ("request: leases", Request::LeaseLeases),
    };
    counts.note(what);
    request
}

fn inspect(ground: &Ground, dice: &mut Dice, counts: &mut Counts) -> Request {
    let (what, request) = match dice.below(6) {
        0 => ("request: status", Request::Status),
        1 => ("request: hash", Request::Hash),
        2 => ("request: member list", Request::MemberList { linearizable: dice.coin() }),
        _ => {
            let at = if dice.coin() { Revision(0) } else { ground.revision(dice) };
            ("request: hash of the keyspace", Request::HashKv { at })
        }
    };
    counts.note(what);
    request
}
