//! Drives the questions of [`super::confirm`]: on the open primary through a heartbeat round of the control group, on
//! any other member through the primary.

use super::Control;
use super::confirm::Asker;
use crate::error::UserError;
use crate::executor::effect::ExecutorId;
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::peer::PeerMessage;
use crate::planted::planted;
use crate::time::Instant;
use campanile_storage::ids::{Index, MemberId, Revision};

impl Control {
    pub(super) fn asked_by_executor(&mut self, executor: ExecutorId, round: u64, now: Instant, out: &mut Outbox) {
        self.ask(Asker::Executor { executor, round }, now, out);
    }

    /// Another member asks. If this one is not the open primary it says so at once, and the other asks again.
    pub(super) fn asked_by_member(&mut self, member: MemberId, question: u64, now: Instant, out: &mut Outbox) {
        if self.reign.is_some() {
            self.ask(Asker::Member { member, question }, now, out);
        } else if planted!(AnswerBeforeOpen) && self.group.can_confirm() {
            let seen = Some((self.visible(), self.applied()));
            out.send(member, PeerMessage::Visible { question, seen });
        } else {
            out.send(member, PeerMessage::Visible { question, seen: None });
        }
    }

    pub(super) fn ask(&mut self, asker: Asker, now: Instant, out: &mut Outbox) {
        if let (true, Some(reign)) = (self.is_alone(), &self.reign) {
            let visible = reign.visible();
            self.tell_confirmed(asker, Ok(visible), now, out);
        } else if !self.confirmations.ask(asker) {
            self.tell_confirmed(asker, Err(UserError::TooManyRequests), now, out);
        }
    }

    /// Begins the next attempt, if there are questions and somebody to ask.
    pub(super) fn drive_questions(&mut self, now: Instant, out: &mut Outbox) {
        if let (true, Some(_)) = (self.is_alone(), &self.reign) {
            while let Some(context) = self.confirmations.begin() {
                self.leadership_confirmed(&context.to_le_bytes(), now, out);
            }
        } else if self.reign.is_some() {
            if self.group.can_confirm()
                && let Some(context) = self.confirmations.begin()
            {
                self.group.confirm(context.to_le_bytes().to_vec());
            }
        } else if let Some(leader) = self.leader.filter(|&leader| leader != self.config.member)
            && let Some(question) = self.confirmations.begin()
        {
            out.send(leader, PeerMessage::AskVisible { question });
        }
        let (visible, applied) = (self.visible(), self.applied());
        for (asker, visible) in self.confirmations.reached(visible, applied) {
            self.tell_confirmed(asker, Ok(visible), now, out);
        }
    }

    /// A quorum has confirmed this member's leadership, after everybody who is told now had asked.
    pub(super) fn leadership_confirmed(&mut self, context: &[u8], now: Instant, out: &mut Outbox) {
        let Ok(context) = context.try_into().map(u64::from_le_bytes) else { return };
        let Some(visible) = self.reign.as_ref().map(|reign| reign.visible()) else { return };
        for asker in self.confirmations.confirmed(context) {
            self.tell_confirmed(asker, Ok(visible), now, out);
        }
    }

    pub(super) fn primary_answered(&mut self, question: u64, seen: Option<(Revision, Index)>) {
        if let Some((visible, control_index)) = seen {
            self.confirmations.answered(question, visible, control_index);
        }
    }

    fn tell_confirmed(&mut self, asker: Asker, result: Result<Revision, UserError>, now: Instant, out: &mut Outbox) {
        match (asker, result) {
            (Asker::Executor { executor, round }, result) => {
                let result = result.map(|visible| (visible, self.compactions.in_force(visible)));
                out.tell(executor, Message::Confirmed { round, result });
            }
            (Asker::Member { member, question }, result) => {
                let seen = result.ok().map(|visible| (visible, self.applied()));
                out.send(member, PeerMessage::Visible { question, seen });
            }
            (Asker::Control { request }, Ok(_)) => self.answer_confirmed(request, now, out),
            (Asker::Control { request }, Err(error)) => self.refuse_confirming(request, error, out),
        }
    }

    /// Questions that waited longer than a request may.
    pub(super) fn expire_questions(&mut self, now: Instant, out: &mut Outbox) {
        for asker in self.confirmations.tick(self.config.request_ticks_max) {
            self.tell_confirmed(asker, Err(UserError::Timeout), now, out);
        }
    }
}
