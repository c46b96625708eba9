//! The faults stop. Within a bound everybody is up, served and of the same mind; then all that was told is compared with
//! what the logs say.

use super::{Asked, World};
use crate::check::progress::{BOUND, Settled};
use crate::check::{Violation, answers, hashes, leases, memory, progress, refusals, unanswered, watches};
use crate::client::operations;
use crate::planted::honestly;
use crate::record::watching::Kind;
use crate::record::{CallId, History};
use campanile_core::request::{KeyRange, Operation, Put, Range, RangeEnd, Request, Txn};
use campanile_core::response::Member;
use campanile_storage::ids::{LeaseId, MemberId, Revision};
use std::time::Duration;

/// From one question to the next, so that none is refused because another one waits.
const TURN: Duration = Duration::from_millis(100);
/// The ids of leases that are granted then: no client draws them.
const SETTLED_LEASES: i64 = 1 << 40;
/// From one attempt to ask everybody to the next.
const ATTEMPT: Duration = Duration::from_secs(1);
/// What watchers get to read what is left.
const READING: Duration = Duration::from_secs(5);

impl World {
    /// Lets the faults stop, and waits until the cluster is settled.
    ///
    /// # Errors
    /// If it is not within the bound.
    pub fn settle(&mut self) -> Result<(), Violation> {
        self.calm();
        let until = self.now + BOUND;
        loop {
            let asked = self.ask_everybody()?;
            self.run_until(self.now + ATTEMPT)?;
            let settled = self.settled(&asked);
            if settled.is_settled() {
                break;
            }
            if self.now >= until {
                return settled.check();
            }
        }
        for member in 0..self.members.len() {
            self.ask(member, Request::HashKv { at: Revision(0) })?;
            self.ask(member, Request::Operation(Operation::Range(everything())))?;
        }
        // Leases go on running out.
        let newest = self.settled(&[]).visible.iter().map(|(_, visible)| *visible).max().unwrap_or(Revision::EMPTY);
        self.run_until(self.now + READING)?;
        self.nobody_waits()?;
        self.nothing_is_left()?;
        for watcher in &self.watchers {
            for (_, place) in watcher.open() {
                let watch = &mut self.watches[place];
                let is_created = matches!(watch.told.first(), Some(told) if matches!(told.kind, Kind::Created));
                watch.read_up_to = is_created.then_some(newest);
            }
        }
        Ok(())
    }

    /// Whoever asked a member that is up was answered by now, if only with an error.
    fn nobody_waits(&self) -> Result<(), Violation> {
        let waits = self.tickets.iter().filter(|((member, _), _)| !self.lame.contains(member));
        let asked = waits.map(|((member, _), asked)| {
            let (Asked::Client(call) | Asked::Relayed { call, .. }) = asked;
            (*member, format!("{:?}", self.calls.list[call.0].request))
        });
        progress::nobody_waits(&asked.collect::<Vec<_>>())
    }

    /// What was held while something was under way is held no more.
    fn nothing_is_left(&self) -> Result<(), Violation> {
        let up = self.members.iter().enumerate().filter(|(number, _)| !self.lame.contains(number));
        for (number, process) in up.filter_map(|(number, member)| Some((number, member.process()?))) {
            memory::look_at_disk(number, self.members[number].disk.used_bytes(), &self.plan.shape)?;
            for seat in &process.seats {
                seat.borrow().core.shards().try_for_each(|shard| memory::look_at_staged(number, shard))?;
            }
        }
        Ok(())
    }

    /// Asks every member that will ever serve to write and to read.
    fn ask_everybody(&mut self) -> Result<Vec<(usize, Option<CallId>)>, Violation> {
        let mut asked = Vec::new();
        let serves = |&member: &usize| !self.members[member].is_gone() && !self.lame.contains(&member);
        for member in (0..self.members.len()).filter(serves).collect::<Vec<_>>() {
            for request in self.what_everybody_can_do(member) {
                asked.push((member, self.ask(member, request)?));
                self.run_until(self.now + TURN)?;
            }
        }
        Ok(asked)
    }

    /// One of each kind that takes a way of its own.
    fn what_everybody_can_do(&self, member: usize) -> [Request; 5] {
        let number = self.calls.list.len();
        let put = |key: usize| {
            Operation::Put(Put {
                key: operations::key(key as u64),
                value: format!("settled {number}").into(),
                lease: LeaseId::NONE,
                previous: false,
                ignore_value: false,
                ignore_lease: false,
            })
        };
        let of_several_shards = Txn { compares: Vec::new(), success: (0..4).map(put).collect(), failure: Vec::new() };
        let id = LeaseId(SETTLED_LEASES + number as i64);
        [
            Request::Operation(put(member)),
            Request::Operation(Operation::Range(everything())),
            Request::Operation(Operation::Txn(of_several_shards)),
            Request::LeaseGrant { id, ttl_seconds: 60 },
            Request::LeaseRevoke { id },
        ]
    }

    fn settled(&self, asked: &[(usize, Option<CallId>)]) -> Settled {
        let answered = |call: &Option<CallId>| call.is_some_and(|call| self.calls.list[call.0].response().is_some());
        let unserved = asked.iter().filter(|(_, call)| !answered(call));
        let told = |&(member, call): &(usize, Option<CallId>)| {
            let answer = call.and_then(|call| self.calls.list[call.0].answer.clone()).map(|answer| answer.result);
            format!("member {member} says {answer:?}")
        };
        let members = self.members.iter().enumerate().filter(|(number, _)| !self.lame.contains(number));
        let visible = members.flat_map(|(number, member)| {
            let seats = member.process().into_iter().flat_map(|process| &process.seats);
            seats.map(move |seat| (number, seat.borrow().core.visible()))
        });
        Settled { visible: visible.collect(), unserved: unserved.map(told).collect(), mistold: self.mistold() }
    }

    /// What members tell of each other, and is not what these say of themselves.
    fn mistold(&self) -> Vec<String> {
        let members = self.members.iter().enumerate().filter(|(number, _)| !self.lame.contains(number));
        let lists: Vec<_> = members
            .filter_map(|(_, member)| Some((member.id, member.process()?.seats[0].borrow().core.members()?)))
            .collect();
        let of = |id: MemberId, list: &[Member]| list.iter().find(|one| one.id == id).cloned();
        let mut mistold = Vec::new();
        for (id, own) in &lists {
            let truth = of(*id, own);
            let others = lists.iter().filter(|(_, list)| of(*id, list) != truth);
            mistold.extend(others.map(|(other, list)| format!("{other} tells {:?}, not {truth:?}", of(*id, list))));
        }
        mistold
    }

    /// Compares everything that clients were told with what the logs say.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn compare(&mut self) -> Result<(), Violation> {
        honestly(|| self.compare_everything())
    }

    fn compare_everything(&mut self) -> Result<(), Violation> {
        let history = History::read(&self.ledger)?;
        self.notice_void(&history.void);
        let calls = &self.calls.list;
        let unclaimed = answers::check(&history, calls)?;
        unanswered::check(&unclaimed)?;
        refusals::check(&history, calls)?;
        leases::check(&history, calls, &self.clocks)?;
        watches::check(&history, &self.watches)?;
        hashes::check(&history, calls)
    }
}

fn everything() -> Range {
    Range {
        keys: KeyRange { start: "a".into(), end: RangeEnd::Unbounded },
        at: None,
        limit: 0,
        sort: None,
        serializable: false,
        keys_only: false,
        count_only: false,
        mod_revision_min: 0,
        mod_revision_max: 0,
        create_revision_min: 0,
        create_revision_max: 0,
    }
}
