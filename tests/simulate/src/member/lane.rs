//! Messages from one executor to another of the same member: in order, never lost, late.

use crate::moment::Moment;
use campanile_core::executor::message::Message;
use std::collections::VecDeque;

#[derive(Default)]
pub struct Lane {
    messages: VecDeque<Message>,
    /// When the newest one arrives; a later one does not arrive before it.
    newest: Moment,
}

impl Lane {
    /// Takes a message that would arrive at this moment. Answers when it does.
    pub fn push(&mut self, message: Message, arrival: Moment) -> Moment {
        self.messages.push_back(message);
        self.newest = arrival.max(self.newest);
        self.newest
    }

    /// The oldest message.
    pub fn pop(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }
}
