//! Answers to modifying requests wait here until their revision is visible, in order of revision.
//!
//! An answer is tied to the reign in which its revision was taken: when the reign ends it dies too, with the error that
//! etcd gives when nobody can know.

use super::Executor;
use super::effect::Origin;
use crate::error::UserError;
use crate::planted::planted;
use crate::response::Response;
use campanile_storage::ids::Revision;
use std::collections::VecDeque;

/// An answer, and the revision that must be visible before it is given.
#[derive(Debug)]
pub struct Reply {
    pub revision: Revision,
    pub origin: Origin,
    pub result: Result<Response, UserError>,
}

#[derive(Debug, Default)]
pub struct Replies {
    waiting: VecDeque<Reply>,
}

impl Replies {
    /// Most replies come in order; one that waited for something else finds its place.
    pub fn push(&mut self, reply: Reply) {
        if self.waiting.back().is_none_or(|last| last.revision <= reply.revision) {
            self.waiting.push_back(reply);
        } else {
            let place = self.waiting.partition_point(|waiting| waiting.revision <= reply.revision);
            self.waiting.insert(place, reply);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn pop_visible(&mut self, visible: Revision) -> Option<Reply> {
        self.waiting.pop_front_if(|reply| reply.revision <= visible || planted!(AnswerBeforeVisible))
    }
}

impl Executor {
    /// Gives the answers whose revision is visible.
    pub(super) fn release_replies(&mut self) {
        for reply in self.out.take_replies() {
            self.replies.push(reply);
        }
        for reply in self.out.take_unwritten() {
            self.reply_unwritten(reply);
        }
        while let Some(reply) = self.replies.pop_visible(self.visible) {
            self.out.answer(reply.origin, reply.result);
        }
    }

    /// The reign is over: what is visible is answered, of the rest nobody knows. What wrote nothing and waits for a
    /// confirmation is told to begin anew.
    pub(super) fn fail_replies(&mut self) {
        self.release_replies();
        let unconfirmed = if planted!(UnwrittenOutlivesReign) { Vec::new() } else { self.reads.take_replies() };
        for reply in unconfirmed {
            self.out.answer(reply.origin, Err(UserError::LeaderChanged));
        }
        for reply in std::mem::take(&mut self.replies.waiting) {
            self.out.answer(reply.origin, Err(UserError::TimeoutDueToLeaderFailure));
        }
    }

    /// Whether something here waits for the visible revision to move.
    pub(super) fn waits_for_window(&self) -> bool {
        !self.replies.is_empty()
            || self.reads.is_waiting()
            || !self.compactions.is_empty()
            || self.has_watchers()
            || self.control_waits()
    }

    fn control_waits(&self) -> bool {
        self.control.as_ref().is_some_and(crate::control::Control::waits_for_window)
    }
}
