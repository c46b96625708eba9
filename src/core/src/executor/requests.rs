//! Where a request goes: to the executor that owns its key, to the control executor, or to the primary.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, Origin, Ticket};
use super::message::Message;
use crate::error::UserError;
use crate::evaluate::validate;
use crate::request::Request;
use std::collections::VecDeque;

/// Requests that came while no primary was known, or while this member was about to become one.
#[derive(Debug, Default)]
pub struct Held {
    requests: VecDeque<(Ticket, Request, bool)>,
    /// Ticks that the oldest ones have waited, counted apart so that holding costs nothing.
    ages: VecDeque<u32>,
}

impl Executor {
    /// A client's request, or one that another member sent on.
    pub(super) fn take_request(&mut self, ticket: Ticket, request: Request, relayed: bool) {
        let origin = Origin { executor: self.config.executor, ticket };
        if let Request::Operation(operation) = &request
            && let Err(error) = validate(operation, self.config.limits)
        {
            return self.out.answer(origin, Err(error));
        }
        match request {
            request if self.shards_total.is_none() => self.hold(ticket, request, relayed),
            Request::Operation(operation) if operation.is_read_only() => self.read(origin, operation),
            Request::MemberList { linearizable: true } => self.inspect_confirmed(origin, request),
            Request::Status
            | Request::HashKv { .. }
            | Request::Hash
            | Request::MemberList { .. }
            | Request::AlarmGet { .. } => {
                self.inspect(origin, request);
            }
            request if self.reign.is_some() => self.serve_request(origin, request),
            request => match self.leader {
                Some(leader) if leader != self.config.member && !relayed => self.out.relay(ticket, leader),
                Some(leader) if leader != self.config.member => {
                    self.out.answer(origin, Err(UserError::LeaderChanged));
                }
                _ => self.hold(ticket, request, relayed),
            },
        }
    }

    /// This member is the open primary.
    fn serve_request(&mut self, origin: Origin, request: Request) {
        match request {
            Request::Operation(operation) => match self.only_shard(&operation) {
                Some(shard) => {
                    let host = self.config.host(shard);
                    if host == self.config.executor {
                        self.evaluate(origin, shard, operation);
                    } else {
                        self.out.tell(host, Message::Evaluate { origin, shard, operation });
                    }
                }
                None => self.tell_control(origin, Request::Operation(operation)),
            },
            request => self.tell_control(origin, request),
        }
    }

    fn tell_control(&mut self, origin: Origin, request: Request) {
        self.out.tell(CONTROL_EXECUTOR, Message::Control { origin, request });
    }

    fn hold(&mut self, ticket: Ticket, request: Request, relayed: bool) {
        if self.held.requests.len() >= self.config.bounds.held_requests_max {
            let origin = Origin { executor: self.config.executor, ticket };
            return self.out.answer(origin, Err(UserError::TooManyRequests));
        }
        self.held.requests.push_back((ticket, request, relayed));
        self.held.ages.push_back(0);
    }

    /// A primary is known, or this member has opened its reign: what was held finds its way.
    pub(super) fn retry_held(&mut self) {
        self.held.ages.clear();
        for (ticket, request, relayed) in std::mem::take(&mut self.held.requests) {
            self.take_request(ticket, request, relayed);
        }
    }

    /// Requests that waited too long are refused.
    pub(super) fn expire_held(&mut self) {
        self.held.ages.iter_mut().for_each(|age| *age += 1);
        while self.held.ages.pop_front_if(|age| *age > self.config.request_ticks_max).is_some() {
            let (ticket, _, _) = self.held.requests.pop_front().expect("every request has an age");
            let origin = Origin { executor: self.config.executor, ticket };
            self.out.answer(origin, Err(UserError::Timeout));
        }
    }
}
