//! Errors of users become statuses: the one place that knows a code for each.
//!
//! The codes are those of etcd's `api/v3rpc/rpctypes/error.go`, and the texts the errors' own. Two errors that etcd
//! knows a code for go over the wire as UNKNOWN, because its server sends the clients' form of them; so do they here.

use campanile_core::error::UserError;
use campanile_rpc::{Code, Status};

/// The status that answers with `error`.
#[must_use]
pub fn status(error: UserError) -> Status {
    Status::new(code(error), error.to_string())
}

fn code(error: UserError) -> Code {
    use UserError as E;
    match error {
        E::EmptyKey
        | E::KeyNotFound
        | E::ValueProvided
        | E::LeaseProvided
        | E::TooManyOperations
        | E::DuplicateKey
        | E::InvalidClientApiVersion
        | E::InvalidSortOption
        | E::RequestTooLarge
        | E::BadMemberUrls
        | E::UserEmpty
        | E::RoleEmpty
        | E::AuthFailed
        | E::PermissionNotGiven
        | E::InvalidAuthManagement
        | E::AuthOldRevision
        | E::WrongDowngradeVersionFormat
        | E::InvalidDowngradeTargetVersion => Code::InvalidArgument,

        E::Compacted | E::FutureRevision | E::LeaseTtlTooLarge => Code::OutOfRange,

        E::NoSpace => Code::ResourceExhausted,

        E::LeaseNotFound | E::MemberNotFound => Code::NotFound,

        E::LeaseExists
        | E::MemberExists
        | E::PeerUrlExists
        | E::MemberNotLearner
        | E::LearnerNotReady
        | E::TooManyLearners
        | E::ClusterIdMismatch
        | E::RootUserNotFound
        | E::RootRoleNotGranted
        | E::UserExists
        | E::UserNotFound
        | E::RoleExists
        | E::RoleNotFound
        | E::RoleNotGranted
        | E::PermissionNotGranted
        | E::AuthNotEnabled
        | E::NotLeader
        | E::NotCapable
        | E::NotSupportedForLearner
        | E::BadLeaderTransferee
        | E::ClusterVersionUnavailable
        | E::DowngradeInProgress
        | E::NoDowngrade => Code::FailedPrecondition,

        E::PermissionDenied => Code::PermissionDenied,
        E::InvalidAuthToken => Code::Unauthenticated,
        E::Corrupt => Code::DataLoss,

        E::NoLeader
        | E::LeaderChanged
        | E::Stopped
        | E::Timeout
        | E::TimeoutDueToLeaderFailure
        | E::TimeoutDueToConnectionLost
        | E::TimeoutWaitingForAppliedIndex
        | E::Unhealthy => Code::Unavailable,

        E::WatchCanceled | E::Canceled => Code::Cancelled,
        E::DeadlineExceeded => Code::DeadlineExceeded,

        E::NotEnoughStartedMembers | E::TooManyRequests => Code::Unknown,
        // Reasons of refused watches, never statuses; etcd would not know a code either.
        E::DuplicateWatchId | E::EmptyWatchRange => Code::Unknown,
    }
}

/// The request is no message of its kind.
pub(super) fn malformed(error: &prost::DecodeError) -> Status {
    Status::new(Code::Internal, format!("grpc: error unmarshalling request: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_codes_are_those_that_clients_match() {
        let cases = [
            (UserError::Compacted, Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            (UserError::NoLeader, Code::Unavailable, "etcdserver: no leader"),
            (UserError::LeaseNotFound, Code::NotFound, "etcdserver: requested lease not found"),
            (UserError::NoSpace, Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            (UserError::TooManyRequests, Code::Unknown, "etcdserver: too many requests"),
        ];
        for (error, code, text) in cases {
            assert_eq!(status(error), Status::new(code, text));
        }
    }
}
