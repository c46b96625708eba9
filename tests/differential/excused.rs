//! Every difference that a run lets pass, each with the change in etcd behind it. There is no other place for one.
//!
//! The judge is etcd 3.5.1, since it can be installed anywhere; the level served is 3.7, so where the two differ, 3.7.1
//! is right. An excuse names both forms: a third answer is a difference still.

use campanile_api::etcdserverpb::{
    HashKvRequest, HashKvResponse, RangeRequest, ResponseHeader, WatchResponse,
    range_request::{SortOrder, SortTarget},
    request_op::Request,
};
use campanile_test_support::Kind;
use tonic::Code;

use crate::{answer::Answer, horizon::Horizon, operation::Operation};

/// A difference in the answers to one operation.
pub struct Excuse {
    /// What changed in etcd.
    pub name: &'static str,
    /// When and where it changed.
    pub change: &'static str,
    /// Whether the judge's answer is the old form and the subject's the new one.
    applies: fn(&Operation, &Answer, &Answer, &Horizon) -> bool,
}

/// All of them.
const EXCUSES: &[Excuse] = &[
    Excuse {
        name: "HashKV names its revision",
        change: "3.6.0, pull request 14537",
        applies: |operation, judge, subject, _| {
            let (Operation::HashKv(request), Answer::HashKv(judge)) = (operation, judge) else { return false };
            let hash_revision = hash_revision(request, judge);
            judge.hash_revision == 0 && *subject == Answer::HashKv(HashKvResponse { hash_revision, ..*judge })
        },
    },
    Excuse {
        name: "HashKV at the very revision of a compaction, this one or one before",
        change: "3.5.5 (issue 14039) answers with the hash that the compaction took, once its work is done, for the last ten; \
                 3.6.0 (pull request 14457) allows the compacted revision itself; before, all are compacted",
        applies: |operation, judge, subject, horizon| {
            let at_compaction = |request: &HashKvRequest| horizon.compactions.contains(&request.revision);
            let is_hash_or_compacted =
                |answer: &Answer| matches!(answer, Answer::HashKv(_)) || answer.is_error(COMPACTED);
            matches!(operation, Operation::HashKv(request) if at_compaction(request))
                && is_hash_or_compacted(judge)
                && is_hash_or_compacted(subject)
        },
    },
    Excuse {
        name: "HashKV at a revision at which there may be nothing to keep",
        change: "with nothing to keep, etcd hashes also what lies below the compacted revision. 3.5.12 (pull request 17230): \
                 not what is deleted already, though for up to 100 ms before; 3.5.16 (pull request 18474): does not keep a \
                 key that was deleted and written anew at that revision",
        applies: |operation, judge, subject, horizon| {
            let (Operation::HashKv(request), Answer::HashKv(judge)) = (operation, judge) else { return false };
            let Answer::HashKv(subject) = subject else { return false };
            horizon.keeps_nothing
                && horizon.compacted > 0
                && *subject
                    == HashKvResponse { hash: subject.hash, hash_revision: hash_revision(request, judge), ..*judge }
        },
    },
    Excuse {
        name: "keys_only leaves out the lease, unless sorted by value",
        change: "3.7.0, pull request 21791: the index answers, which knows no leases",
        applies: |operation, judge, subject, _| {
            let mut renewed = judge.clone();
            renewed.for_each_range(operation, &mut |request, answer| {
                if request.keys_only && request.sort_target != SortTarget::Value as i32 {
                    answer.kvs.iter_mut().for_each(|kv| kv.lease = 0);
                }
            });
            renewed == *subject
        },
    },
    Excuse {
        name: "a transaction's operations are checked one by one",
        change: "3.6.0, pull request 16355, and 3.7.0, pull request 19811; before: all puts and then all ranges, and of a put first its key and then its lease",
        applies: |operation, judge, subject, _| {
            matches!(operation, Operation::Txn(_))
                && [KEY_NOT_FOUND, LEASE_NOT_FOUND].iter().any(|message| judge.is_error(message))
                && [KEY_NOT_FOUND, LEASE_NOT_FOUND, COMPACTED, FUTURE].iter().any(|message| subject.is_error(message))
        },
    },
];

const KEY_NOT_FOUND: &str = "etcdserver: key not found";
const LEASE_NOT_FOUND: &str = "etcdserver: requested lease not found";
const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
const FUTURE: &str = "etcdserver: mvcc: required revision is a future revision";

fn hash_revision(request: &HashKvRequest, answer: &HashKvResponse) -> i64 {
    let newest = answer.header.as_ref().map_or(0, |header| header.revision);
    if request.revision == 0 { newest } else { request.revision }
}

/// The excuse for a difference, if there is one.
pub fn find(operation: &Operation, judge: &Answer, subject: &Answer, horizon: &Horizon) -> Option<&'static Excuse> {
    EXCUSES.iter().find(|excuse| (excuse.applies)(operation, judge, subject, horizon))
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
        cancel_reason: COMPACTED.to_owned(),
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

/// A change at exactly the compacted revision that its own transaction undid is dropped by the compaction; etcd still shows it to a watcher
/// that begins there before the compaction's work is done. Campanile never does.
pub fn shows_superseded_until_swept(kind: Kind) -> bool {
    matches!(kind, Kind::Etcd(..))
}

/// etcd 3.5.8 (pull request 15695) answers a request for progress only when all watchers of the stream have caught up; before, always.
pub fn answers_progress_always(kind: Kind) -> bool {
    matches!(kind, Kind::Etcd(3, ..=5))
}

/// etcd since 3.5.16 (pull request 18474) drops a key from its file, and dies when it is read next, if one transaction deletes and writes
/// it and that transaction's revision is compacted. Such a compaction is left out; Campanile itself is spared nothing.
pub fn loses_keys_written_anew(kind: Kind) -> bool {
    matches!(kind, Kind::Etcd(3, 6..))
}

/// etcd counts a watcher that a compaction has cancelled as one that never catches up, until the client cancels it too: a stream
/// with such a watcher is never told of progress again. No client relies on that, so it is not asked for.
pub const COMPACTED_WATCHER_HOLDS_UP_PROGRESS: bool = true;
