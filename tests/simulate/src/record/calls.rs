//! Requests of clients, each with what was known when it was sent and what came of it.

use crate::moment::Moment;
use campanile_core::error::UserError;
use campanile_core::request::Request;
use campanile_core::response::Response;
use campanile_storage::ids::Revision;

/// The number of a request in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub usize);

#[derive(Clone, Debug)]
pub struct Call {
    pub request: Request,
    /// The member that the client asked.
    pub member: usize,
    pub asked_at: Moment,
    /// The newest revision that anybody had been shown when it was sent.
    pub shown_before: Revision,
    /// The highest compaction that had been acknowledged when it was sent.
    pub compacted_before: Revision,
    pub answer: Option<Answer>,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub at: Moment,
    pub result: Result<Response, UserError>,
    /// The highest revision that stood in any log when it came.
    pub written_by_then: Revision,
}

impl Call {
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.answer.as_ref().and_then(|answer| answer.result.as_ref().ok())
    }

    #[must_use]
    pub fn error(&self) -> Option<UserError> {
        self.answer.as_ref().and_then(|answer| answer.result.as_ref().err().copied())
    }

    /// Whether nobody can say if it was carried out: no answer came, or one that says so.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.answer.as_ref().map(|answer| &answer.result) {
            None => true,
            Some(Ok(_)) => false,
            Some(Err(error)) => is_inconclusive(*error),
        }
    }
}

/// Whether this error leaves open if the request was carried out.
#[must_use]
pub fn is_inconclusive(error: UserError) -> bool {
    matches!(
        error,
        UserError::Timeout
            | UserError::LeaderChanged
            | UserError::TimeoutDueToLeaderFailure
            | UserError::TimeoutDueToConnectionLost
            | UserError::NoLeader
    )
}

#[derive(Clone, Debug, Default)]
pub struct Calls {
    pub list: Vec<Call>,
    /// The newest revision that anybody was shown.
    pub shown: Revision,
    /// The highest compaction that was acknowledged.
    pub compacted: Revision,
}

impl Calls {
    pub fn ask(&mut self, request: Request, member: usize, asked_at: Moment) -> CallId {
        let (shown_before, compacted_before) = (self.shown, self.compacted);
        self.list.push(Call { request, member, asked_at, shown_before, compacted_before, answer: None });
        CallId(self.list.len() - 1)
    }

    pub fn answer(&mut self, call: CallId, result: Result<Response, UserError>, at: Moment, written_by_then: Revision) {
        if let Ok(response) = &result {
            self.shown = self.shown.max(response.revision());
            if let Request::Compact { at, .. } = &self.list[call.0].request {
                self.compacted = self.compacted.max(*at);
            }
        }
        let before = self.list[call.0].answer.replace(Answer { at, result, written_by_then });
        assert!(before.is_none(), "call {} was answered twice", call.0);
    }
}
