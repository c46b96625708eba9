//! Every difference that a run lets pass, each with the change in etcd behind it. There is no other place for one.
//!
//! The judge is etcd 3.5.1, since it can be installed anywhere; the level served is 3.7, so where the two differ, 3.7.1
//! is right. An excuse names both forms: a third answer is a difference still.

use campanile_api::etcdserverpb::{
    RangeRequest, ResponseHeader, WatchResponse,
    range_request::{SortOrder, SortTarget},
    request_op::Request,
};
use campanile_test_support::Kind;
use tonic::Code;

use crate::{answer::Answer, operation::Operation};

/// A difference in the answers to one operation.
pub struct Excuse {
    pub name: &'static str,
    /// What changed in etcd, and when.
    pub change: &'static str,
    /// Whether the judge's answer is the old form and the subject's the new one.
    pub applies: fn(&Operation, &Answer, &Answer) -> bool,
}

/// All of them.
pub const EXCUSES: &[Excuse] = &[];

pub fn find(operation: &Operation, judge: &Answer, subject: &Answer) -> Option<&'static Excuse> {
    EXCUSES.iter().find(|excuse| (excuse.applies)(operation, judge, subject))
}

/// What 3.7.1 answers to an operation that an older judge must not be asked.
///
/// - etcd 3.6.0 (pull request 13555) refuses a sort that does not exist. Before, the request ends the server.
/// - etcd 3.7.0 (pull request 20693) refuses a watch from below revision 0. Before, it is accepted, and other watchers
///   that read history at that moment lose their events.
pub fn instead_of_harm(kind: Kind, operation: &Operation, revision: i64) -> Option<Answer> {
    if !matches!(kind, Kind::Etcd(3, ..=5)) {
        return None;
    }
    let is_invalid = match operation {
        Operation::Range(request) => has_invalid_sort(request) && !request.key.is_empty(),
        Operation::Txn(request) => request.success.iter().chain(&request.failure).any(
            |operation| matches!(&operation.request, Some(Request::RequestRange(range)) if has_invalid_sort(range)),
        ),
        Operation::Watch { request, .. } if request.start_revision < 0 => return Some(refused_watch(revision)),
        _ => false,
    };
    let message = "etcdserver: invalid sort option".to_owned();
    is_invalid.then_some(Answer::Failed { code: Code::InvalidArgument, message })
}

fn refused_watch(revision: i64) -> Answer {
    Answer::Watch(WatchResponse {
        header: Some(ResponseHeader { cluster_id: 1, member_id: 1, revision, raft_term: 1 }),
        watch_id: -1,
        created: true,
        canceled: true,
        cancel_reason: "etcdserver: mvcc: required revision has been compacted".to_owned(),
        ..Default::default()
    })
}

fn has_invalid_sort(request: &RangeRequest) -> bool {
    SortOrder::try_from(request.sort_order).is_err() || SortTarget::try_from(request.sort_target).is_err()
}

/// etcd 3.5.16 (pull request 18474) keeps a deletion that stands at exactly the compacted revision. Before, a watcher that begins there misses
/// it, unless it comes before the compaction's work is done.
pub fn loses_deletions_at_compacted_revision(kind: Kind) -> bool {
    matches!(kind, Kind::Etcd(3, ..=5))
}

/// etcd 3.7 hands one event to all watchers; if one of them asked for previous versions, others may see them too.
pub fn shows_previous_versions_unasked(kind: Kind) -> bool {
    matches!(kind, Kind::Etcd(3, 7..))
}

/// etcd 3.5.8 (pull request 15695) answers a request for progress only when all watchers of the stream have caught up; before, always.
pub fn answers_progress_always(kind: Kind) -> bool {
    matches!(kind, Kind::Etcd(3, ..=5))
}
