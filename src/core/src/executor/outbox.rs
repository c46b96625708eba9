//! Where the parts of an executor leave what is to be done.

use super::effect::{Effect, Event, ExecutorId, Origin, Ticket};
use super::message::Message;
use super::replies::Reply;
use crate::error::UserError;
use crate::peer::PeerMessage;
use crate::response::Response;
use campanile_storage::ids::MemberId;
use std::collections::VecDeque;

/// Messages to other executors become effects; those to this one are handled within the same step.
#[derive(Debug)]
pub struct Outbox {
    pub executor: ExecutorId,
    executors: u16,
    effects: Vec<Effect>,
    local: VecDeque<Message>,
    postponed: Vec<Message>,
    replies: Vec<Reply>,
    unwritten: Vec<Reply>,
}

impl Outbox {
    #[must_use]
    pub fn new(executor: ExecutorId, executors: u16) -> Outbox {
        Outbox {
            executor,
            executors,
            effects: Vec::new(),
            local: VecDeque::new(),
            postponed: Vec::new(),
            replies: Vec::new(),
            unwritten: Vec::new(),
        }
    }

    pub fn tell(&mut self, to: ExecutorId, message: Message) {
        if to == self.executor {
            self.local.push_back(message);
        } else {
            self.effects.push(Effect::Tell { to, message });
        }
    }

    /// As [`Outbox::tell`], but this executor itself hears of it in its next poll: each slice of something long is a poll
    /// of its own.
    pub fn tell_next(&mut self, to: ExecutorId, message: Message) {
        if to == self.executor {
            self.postponed.push(message);
        } else {
            self.tell(to, message);
        }
    }

    pub fn take_postponed(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.postponed)
    }

    #[must_use]
    pub fn has_postponed(&self) -> bool {
        !self.postponed.is_empty()
    }

    /// Tells every executor of this member, this one too.
    pub fn broadcast(&mut self, message: &Message) {
        for to in 0..self.executors {
            self.tell(to, message.clone());
        }
    }

    #[must_use]
    pub fn executors(&self) -> u16 {
        self.executors
    }

    pub fn send(&mut self, to: MemberId, message: PeerMessage) {
        self.effects.push(Effect::Send { to, message });
    }

    pub fn answer(&mut self, origin: Origin, result: Result<Response, UserError>) {
        if origin.executor == self.executor {
            self.effects.push(Effect::Respond { ticket: origin.ticket, result });
        } else {
            self.effects.push(Effect::Tell { to: origin.executor, message: Message::Answer { origin, result } });
        }
    }

    /// Answers once the revision is visible, or when the reign ends.
    pub fn reply(&mut self, reply: Reply) {
        self.replies.push(reply);
    }

    /// As [`Outbox::reply`], for an answer that wrote nothing: the leadership must be confirmed too.
    pub fn reply_unwritten(&mut self, reply: Reply) {
        self.unwritten.push(reply);
    }

    pub fn take_unwritten(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.unwritten)
    }

    pub fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    pub fn relay(&mut self, ticket: Ticket, to: MemberId) {
        self.effects.push(Effect::Relay { ticket, to });
    }

    pub fn report(&mut self, event: Event) {
        self.effects.push(Effect::Report(event));
    }

    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub fn next_local(&mut self) -> Option<Message> {
        self.local.pop_front()
    }

    #[must_use]
    pub fn has_local(&self) -> bool {
        !self.local.is_empty()
    }

    /// Takes everything left here since the last call.
    pub fn drain(&mut self, effects: &mut Vec<Effect>) {
        assert!(self.local.is_empty(), "a step ends with all its own messages handled");
        effects.append(&mut self.effects);
    }
}
