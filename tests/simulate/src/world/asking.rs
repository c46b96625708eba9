//! Clients ask, are answered, and lose patience. No answer means "perhaps", to the end of the run.

use super::queue::{Happening, Place};
use super::{Asked, World};
use crate::check::Violation;
use crate::client::draw::{Ground, draw};
use crate::record::CallId;
use campanile_core::error::UserError;
use campanile_core::executor::effect::{Input, Ticket};
use campanile_core::request::Request;
use campanile_core::response::Response;
use std::time::Duration;

/// A run has enough of them: comparing more takes longer than it finds.
const OPERATIONS_MAX: usize = 5_000;
/// A client waits so long for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A client that finds nobody tries again after this.
const RETRY: Duration = Duration::from_millis(50);

impl World {
    /// A client's turn.
    pub(super) fn client_asks(&mut self, number: usize) -> Result<(), Violation> {
        let client = &mut self.clients[number];
        if self.is_calm || client.waits_for.is_some() || self.calls.list.len() >= OPERATIONS_MAX {
            return Ok(());
        }
        let (member, executor) = (client.member, client.executor);
        let Some(process) = self.members[member].process() else {
            client.reconnect(self.members.len());
            self.queue.push(self.now + RETRY, Happening::Client(number));
            return Ok(());
        };
        let executor = (executor % u64::from(process.executors())) as u16;
        let ground = Ground {
            appetite: self.plan.shape.appetite,
            keys: self.plan.shape.keys,
            number: self.calls.list.len() as u64,
            shown: self.calls.shown,
            drawn_leases: &client.drawn.clone(),
        };
        let request = draw(&ground, &mut client.dice, &mut self.counts);
        let place = Place { member, life: self.members[member].life, executor };
        let call = self.calls.ask(request.clone(), member, self.now);
        self.clients[number].waits_for = Some(call);
        self.askers.insert(call, number);
        self.queue.push(self.now + PATIENCE, Happening::Patience { client: number, call });
        self.ask_executor(place, Asked::Client(call), request, false)
    }

    /// Asks a member as a client without a number would; the answer is found in the record.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn ask(&mut self, member: usize, request: Request) -> Result<Option<CallId>, Violation> {
        let Some(place) = self.any_executor(member) else { return Ok(None) };
        let call = self.calls.ask(request.clone(), member, self.now);
        self.ask_executor(place, Asked::Client(call), request, false)?;
        Ok(Some(call))
    }

    pub(super) fn ask_executor(
        &mut self,
        place: Place,
        asked: Asked,
        request: Request,
        relayed: bool,
    ) -> Result<(), Violation> {
        let ticket = Ticket(self.tickets_drawn);
        self.tickets_drawn += 1;
        self.trace.tell(self.now, "ask", &(place.member, place.executor, &asked, &request));
        self.notice_request(place, &request);
        self.tickets.insert((place.member, ticket), asked);
        self.arrive(place, Input::Request { ticket, request, relayed })
    }

    /// An answer reaches the client.
    pub(super) fn answer(&mut self, call: CallId, result: Result<Response, UserError>) -> Result<(), Violation> {
        if self.calls.list[call.0].answer.is_some() {
            return Ok(());
        }
        self.trace.tell(self.now, "answer", &(call, &result));
        self.counts.note(if result.is_ok() { "answered" } else { "refused" });
        if let Err(error) = &result {
            self.counts.note(error_name(*error));
        }
        let asker = self.askers.get(&call).copied();
        if let (Some(number), Ok(Response::LeaseGrant { id, .. })) = (asker, &result) {
            self.clients[number].drawn.push(*id);
        }
        self.calls.answer(call, result, self.now, self.ledger.newest());
        if let Some(number) = asker
            && self.clients[number].waits_for == Some(call)
        {
            let client = &mut self.clients[number];
            client.waits_for = None;
            let delay = client.dice.time(self.plan.shape.think.clone());
            if client.dice.one_in(50) {
                client.reconnect(self.members.len());
            }
            self.queue.push(self.now + delay, Happening::Client(number));
        }
        Ok(())
    }

    /// The connection on which a request waited is gone: nobody knows what became of it.
    pub(super) fn connection_lost(&mut self, call: CallId) -> Result<(), Violation> {
        self.answer(call, Err(UserError::TimeoutDueToConnectionLost))
    }

    /// A client that was not answered goes elsewhere.
    pub(super) fn client_gives_up(&mut self, number: usize, call: CallId) {
        let client = &mut self.clients[number];
        if client.waits_for == Some(call) {
            self.counts.note("not answered");
            client.waits_for = None;
            client.reconnect(self.members.len());
            self.queue.push(self.now, Happening::Client(number));
        }
    }
}

fn error_name(error: UserError) -> &'static str {
    match error {
        UserError::EmptyKey => "error: empty key",
        UserError::KeyNotFound => "error: key not found",
        UserError::DuplicateKey => "error: duplicate key",
        UserError::Compacted => "error: compacted",
        UserError::FutureRevision => "error: future revision",
        UserError::LeaseNotFound => "error: lease not found",
        UserError::LeaseExists => "error: lease exists",
        UserError::LeaderChanged => "error: leader changed",
        UserError::Timeout => "error: timeout",
        UserError::TimeoutDueToLeaderFailure => "error: timeout, leader failure",
        UserError::TimeoutDueToConnectionLost => "error: timeout, connection lost",
        UserError::TooManyRequests => "error: too many requests",
        _ => "error: another",
    }
}
