//! What a status means: an error of etcd's, or that nobody knows whether the request was carried out.

use campanile_core::error::UserError;
use tonic::Status;

/// Errors of etcd's that a client without accounts can be told.
const KNOWN: [UserError; 22] = [
    UserError::EmptyKey,
    UserError::KeyNotFound,
    UserError::ValueProvided,
    UserError::LeaseProvided,
    UserError::TooManyOperations,
    UserError::DuplicateKey,
    UserError::InvalidSortOption,
    UserError::RequestTooLarge,
    UserError::TooManyRequests,
    UserError::Compacted,
    UserError::FutureRevision,
    UserError::NoSpace,
    UserError::LeaseNotFound,
    UserError::LeaseExists,
    UserError::LeaseTtlTooLarge,
    UserError::WatchCanceled,
    UserError::DuplicateWatchId,
    UserError::EmptyWatchRange,
    UserError::NoLeader,
    UserError::LeaderChanged,
    UserError::Timeout,
    UserError::TimeoutDueToLeaderFailure,
];
/// Further ones that leave open whether the request was carried out.
const OPEN: [UserError; 3] =
    [UserError::TimeoutDueToConnectionLost, UserError::Stopped, UserError::TimeoutWaitingForAppliedIndex];

/// What an error's text says.
#[derive(Clone, Debug)]
pub enum Meaning {
    Error(UserError),
    /// No answer: the connection broke, or the member was about to stop.
    Lost,
    /// The server's own words, which etcd does not have.
    Unheard(String),
}

pub fn meaning(status: &Status) -> Meaning {
    of_text(status.message())
}

/// The error with this text.
pub fn of_text(text: &str) -> Meaning {
    if let Some(error) = KNOWN.iter().find(|error| error.to_string() == text) {
        return Meaning::Error(*error);
    }
    let is_open = OPEN.iter().any(|error| error.to_string() == text);
    if !is_open && text.starts_with("etcdserver:") { Meaning::Unheard(text.to_owned()) } else { Meaning::Lost }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_a_meaning() {
        assert!(matches!(of_text("etcdserver: no leader"), Meaning::Error(UserError::NoLeader)));
        assert!(matches!(of_text("etcdserver: server stopped"), Meaning::Lost));
        assert!(matches!(of_text("transport error"), Meaning::Lost));
        assert!(matches!(of_text("etcdserver: something new"), Meaning::Unheard(_)));
    }
}
