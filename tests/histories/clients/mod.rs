//! Clients that ask all the time, each over connections of its own. One that gets no answer goes to another member; what it
//! had asked is open for ever.
//!
//! | file | what |
//! | --- | --- |
//! | `leases` | which leases there are, and how the end of one is recognised |
//! | `bulk` | who writes much while a disk is full |

mod bulk;
pub mod leases;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use campanile_core::{
    error::UserError,
    request::{Operation, Put, Request},
    response::Response,
};
use campanile_simulate::{
    client::draw::{Ground, draw},
    dice::{Dice, Part},
    record::{Counts, calls::is_inconclusive},
};
use campanile_storage::ids::{LeaseId, Revision};
use campanile_test_support::Client as Connection;
use leases::Board;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    plan::Shape,
    record::Recorder,
    wire::{self, Heard},
};

/// Without an answer for so long a request is open, and its client tries another member.
const ANSWER_LIMIT: Duration = Duration::from_millis(1_200);
/// After a failure, so that a cluster that is down is not asked as fast as it can refuse.
const PAUSE: Duration = Duration::from_millis(20);
/// One request in so many is about leases.
const LEASES_ONE_IN: u64 = 14;
/// So far in the future that a compaction there is surely refused.
const FAR: i64 = 1_000_000;

/// What all clients of a history share.
#[derive(Debug)]
pub struct Common {
    pub recorder: Arc<Recorder>,
    pub shape: Shape,
    pub addresses: Vec<String>,
    pub board: Board,
    /// A member's disk is full.
    pub is_full: Arc<AtomicBool>,
    pub stop: AtomicBool,
}

/// Running clients.
#[derive(Debug)]
pub struct Clients {
    tasks: JoinSet<Counts>,
    common: Arc<Common>,
}

impl Clients {
    pub fn start(seed: u64, common: Arc<Common>) -> Clients {
        let mut tasks = JoinSet::new();
        for number in 0..common.shape.clients {
            tasks.spawn(Client::new(seed, number, common.clone()).run());
        }
        tasks.spawn(Client::new(seed, common.shape.clients, common.clone()).write_much());
        Clients { tasks, common }
    }

    /// Lets each finish what it has begun.
    pub async fn stop(self) -> Counts {
        self.common.stop.store(true, Ordering::Relaxed);
        let mut counts = Counts::default();
        self.tasks.join_all().await.iter().for_each(|other| counts.merge(other));
        counts
    }
}

/// One client.
struct Client {
    number: u64,
    dice: Dice,
    common: Arc<Common>,
    connections: Vec<Connection>,
    member: usize,
    asked: u64,
    counts: Counts,
}

impl Client {
    fn new(seed: u64, number: u64, common: Arc<Common>) -> Client {
        let mut dice = Dice::of(seed, Part::Client(number));
        let connections: Vec<Connection> = common.addresses.iter().map(|address| Connection::new(address)).collect();
        let member = dice.place(connections.len());
        Client { number, dice, common, connections, member, asked: 0, counts: Counts::default() }
    }

    async fn run(mut self) -> Counts {
        while !self.common.stop.load(Ordering::Relaxed) {
            if self.dice.one_in(LEASES_ONE_IN) {
                self.care_for_leases().await;
            } else {
                let request = self.draw();
                self.ask(request).await;
            }
            let think = self.common.shape.think.clone();
            if !think.is_empty() {
                let pause = self.dice.time(think);
                tokio::time::sleep(pause).await;
            }
        }
        self.counts
    }

    fn draw(&mut self) -> Request {
        let ground = Ground {
            appetite: self.common.shape.appetite,
            keys: self.common.shape.keys,
            number: self.number * FAR.cast_unsigned() + self.asked,
            shown: self.common.recorder.shown(),
            drawn_leases: &[],
        };
        let mut request = draw(&ground, &mut self.dice, &mut self.counts);
        match &mut request {
            Request::Operation(operation) => self.common.board.name_leases(operation),
            Request::Compact { at, .. } => *at = self.compaction(*at),
            _ => {}
        }
        request
    }

    /// Where to compact: never above what has been collected, since what is compacted can't be collected any more. Mostly all
    /// collectors are waited for, so that each has the whole history of its member.
    fn compaction(&mut self, wished: Revision) -> Revision {
        let (all, one) = self.common.recorder.collected();
        match self.dice.below(8) {
            0 => Revision(wished.0 + FAR),
            1 => wished.min(one),
            _ => wished.min(all),
        }
    }

    /// Asks the member that it is with, and writes down what comes of it.
    async fn ask(&mut self, request: Request) -> Heard {
        self.asked += 1;
        let call = self.common.recorder.ask(request.clone(), self.member);
        let asked = timeout(ANSWER_LIMIT, wire::ask(&self.connections[self.member], &request));
        let heard = asked.await.unwrap_or(Heard::Nothing);
        self.common.recorder.hear(call, &heard);
        let is_open = match &heard {
            Heard::Answer(Ok(_)) => false,
            Heard::Answer(Err(error)) => is_inconclusive(*error),
            Heard::Nothing | Heard::Nonsense(_) => true,
        };
        if is_open {
            self.counts.note("not answered");
            self.member = (self.member + 1 + self.dice.place(self.connections.len() - 1)) % self.connections.len();
            tokio::time::sleep(PAUSE).await;
        }
        heard
    }

    async fn care_for_leases(&mut self) {
        let published = self.common.board.published(self.dice.place(leases::SLOTS));
        let Some(id) = published else { return self.grant(self.common.board.draw()).await };
        match self.dice.below(10) {
            0..3 => self.grant(self.common.board.draw()).await,
            3..5 => self.revoke(id).await,
            5..8 => drop(self.ask(Request::LeaseKeepAlive { id }).await),
            8 => {
                let keys = self.dice.coin();
                drop(self.ask(Request::LeaseTimeToLive { id, keys }).await);
            }
            _ => drop(self.ask(Request::LeaseLeases).await),
        }
    }

    /// Grants a lease, puts its mark, and shows it to the others. Where one of these gets no answer it is forgotten.
    async fn grant(&mut self, id: LeaseId) {
        self.counts.note("request: lease grant");
        let ttl_seconds = self.dice.within(0..5).cast_signed();
        let id = if self.dice.one_in(6) { LeaseId::NONE } else { id };
        let heard = self.ask(Request::LeaseGrant { id, ttl_seconds }).await;
        let Heard::Answer(Ok(Response::LeaseGrant { id, .. })) = heard else { return };
        let mark = Put {
            key: leases::mark(id),
            value: format!("{}", self.number).into(),
            lease: id,
            previous: self.dice.coin(),
            ignore_value: false,
            ignore_lease: false,
        };
        if let Heard::Answer(Ok(_)) = self.ask(Request::Operation(Operation::Put(mark))).await {
            let slot = self.dice.place(leases::SLOTS);
            self.common.board.publish(slot, id);
        }
    }

    /// Revokes a lease. Whoever did so alone may grant it again.
    async fn revoke(&mut self, id: LeaseId) {
        if !self.common.board.begin_revoke(id) {
            return;
        }
        self.counts.note("request: lease revoke");
        let heard = self.ask(Request::LeaseRevoke { id }).await;
        let revoked = matches!(heard, Heard::Answer(Ok(_)));
        let is_gone = revoked || matches!(heard, Heard::Answer(Err(UserError::LeaseNotFound)));
        let was_alone = is_gone && self.common.board.retire(id);
        if revoked && was_alone && self.dice.one_in(3) {
            self.counts.note("lease: granted again");
            self.grant(id).await;
        }
    }
}
