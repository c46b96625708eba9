//! What a side answered, in a form in which equal answers are equal values.
//!
//! Left out are ids of cluster and member and raft terms (only whether they are set counts), times, and orders that
//! etcd leaves open: of keys on a lease, of leases, and of equals where Go's unstable sort ran.

use std::fmt;

use campanile_api::{
    etcdserverpb::{
        CompactionResponse, DeleteRangeResponse, HashKvResponse, LeaseGrantResponse, LeaseKeepAliveResponse,
        LeaseLeasesResponse, LeaseRevokeResponse, LeaseTimeToLiveResponse, PutResponse, RangeRequest, RangeResponse,
        ResponseHeader, TxnRequest, TxnResponse, WatchResponse,
        range_request::{SortOrder, SortTarget},
        request_op::Request,
        response_op::Response,
    },
    mvccpb::{Event, KeyValue},
};
use tonic::{Code, Status};

use crate::{generate, operation::Operation};

/// How many characters of an answer a report shows.
const SHOWN_CHARACTERS_MAX: usize = 6000;
/// Up to this many elements Go sorts by plain insertion, in all its versions, so equal elements keep their order.
const GO_STABLE_SORT_MAX: i64 = 6;

/// One side's answer to one operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Range(RangeResponse),
    Put(PutResponse),
    Delete(DeleteRangeResponse),
    Txn(TxnResponse),
    Compact(CompactionResponse),
    Grant(LeaseGrantResponse),
    Revoke(LeaseRevokeResponse),
    TimeToLive(LeaseTimeToLiveResponse),
    Leases(LeaseLeasesResponse),
    KeepAlive(LeaseKeepAliveResponse),
    HashKv(HashKvResponse),
    /// A watch was created, refused or cancelled.
    Watch(WatchResponse),
    /// All that a watcher received since it was looked at last.
    Events(Vec<Event>),
    /// A progress notice at this revision.
    Progress(i64),
    Failed {
        code: Code,
        message: String,
    },
    /// Nothing came within the deadline.
    Silent,
    /// The server broke a promise that can be seen without the other side.
    Broken(String),
}

impl From<Status> for Answer {
    /// A server that is gone answers nothing: two that are gone must not count as equal.
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled => Self::Broken(status.to_string()),
            code => Self::Failed { code, message: status.message().to_owned() },
        }
    }
}

impl Answer {
    /// The revision in the answer's own header.
    pub fn revision(&self) -> Option<i64> {
        self.header().map(|header| header.revision)
    }

    fn header(&self) -> Option<&ResponseHeader> {
        match self {
            Self::Range(answer) => answer.header.as_ref(),
            Self::Put(answer) => answer.header.as_ref(),
            Self::Delete(answer) => answer.header.as_ref(),
            Self::Txn(answer) => answer.header.as_ref(),
            Self::Compact(answer) => answer.header.as_ref(),
            Self::Grant(answer) => answer.header.as_ref(),
            Self::Revoke(answer) => answer.header.as_ref(),
            Self::TimeToLive(answer) => answer.header.as_ref(),
            Self::Leases(answer) => answer.header.as_ref(),
            Self::KeepAlive(answer) => answer.header.as_ref(),
            Self::HashKv(answer) => answer.header.as_ref(),
            Self::Watch(answer) => answer.header.as_ref(),
            Self::Events(_) | Self::Progress(_) | Self::Failed { .. } | Self::Silent | Self::Broken(_) => None,
        }
    }

    fn header_mut(&mut self) -> Option<&mut ResponseHeader> {
        match self {
            Self::Range(answer) => answer.header.as_mut(),
            Self::Put(answer) => answer.header.as_mut(),
            Self::Delete(answer) => answer.header.as_mut(),
            Self::Txn(answer) => answer.header.as_mut(),
            Self::Compact(answer) => answer.header.as_mut(),
            Self::Grant(answer) => answer.header.as_mut(),
            Self::Revoke(answer) => answer.header.as_mut(),
            Self::TimeToLive(answer) => answer.header.as_mut(),
            Self::Leases(answer) => answer.header.as_mut(),
            Self::KeepAlive(answer) => answer.header.as_mut(),
            Self::HashKv(answer) => answer.header.as_mut(),
            Self::Watch(answer) => answer.header.as_mut(),
            Self::Events(_) | Self::Progress(_) | Self::Failed { .. } | Self::Silent | Self::Broken(_) => None,
        }
    }

    /// Takes out what two servers may differ in.
    pub fn canonical(mut self, operation: &Operation) -> Self {
        self.header_mut().map(blank);
        self.for_each_range(operation, &mut settle_ties);
        match &mut self {
            Self::TimeToLive(answer) => {
                answer.ttl = answer.ttl.signum();
                answer.keys.sort_unstable();
            }
            Self::Leases(answer) => {
                answer.leases.retain(|lease| !generate::SHORT_LIVED.contains(&lease.id));
                answer.leases.sort_unstable_by_key(|lease| lease.id);
            }
            _ => {}
        }
        self
    }

    /// Shows every range that the operation asked for, with its answer, also inside transactions.
    pub fn for_each_range(&mut self, operation: &Operation, look: &mut impl FnMut(&RangeRequest, &mut RangeResponse)) {
        match (self, operation) {
            (Self::Range(answer), Operation::Range(request)) => look(request, answer),
            (Self::Txn(answer), Operation::Txn(request)) => for_each_range_of(request, answer, look),
            _ => {}
        }
    }

    /// Whether it is the error with this message.
    pub fn is_error(&self, expected: &str) -> bool {
        matches!(self, Self::Failed { message, .. } if message == expected)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{self:?}");
        for (byte, length) in generate::LARGE_VALUES {
            let value = char::from(byte).to_string().repeat(length);
            text = text.replace(&value, &format!("{length} times {}", char::from(byte)));
        }
        match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
            Some((end, _)) => write!(formatter, "{}… ({} bytes in all)", &text[..end], text.len()),
            None => formatter.write_str(&text),
        }
    }
}

fn blank(header: &mut ResponseHeader) {
    header.cluster_id = header.cluster_id.min(1);
    header.member_id = header.member_id.min(1);
    header.raft_term = header.raft_term.min(1);
}

fn for_each_range_of(
    request: &TxnRequest,
    answer: &mut TxnResponse,
    look: &mut impl FnMut(&RangeRequest, &mut RangeResponse),
) {
    let branch = if answer.succeeded { &request.success } else { &request.failure };
    for (asked, answered) in branch.iter().zip(&mut answer.responses) {
        match (&asked.request, &mut answered.response) {
            (Some(Request::RequestRange(request)), Some(Response::ResponseRange(answer))) => look(request, answer),
            (Some(Request::RequestTxn(request)), Some(Response::ResponseTxn(answer))) => {
                for_each_range_of(request, answer, look);
            }
            _ => {}
        }
    }
}

/// Where etcd's order among equals hangs on Go's sorting algorithm, puts equals in the order of their keys; equals of
/// which a limit cut some off become blanks.
fn settle_ties(request: &RangeRequest, answer: &mut RangeResponse) {
    let target = SortTarget::try_from(request.sort_target).unwrap_or(SortTarget::Key);
    let unsorted = target == SortTarget::Key && request.sort_order == SortOrder::None as i32;
    if unsorted || answer.count <= GO_STABLE_SORT_MAX {
        return;
    }
    let equal = |left: &KeyValue, right: &KeyValue| match target {
        SortTarget::Key => left.key == right.key,
        SortTarget::Version => left.version == right.version,
        SortTarget::Create => left.create_revision == right.create_revision,
        SortTarget::Mod => left.mod_revision == right.mod_revision,
        // Without values nothing shows where one run of equals ends.
        SortTarget::Value => request.keys_only || left.value == right.value,
    };
    for run in answer.kvs.chunk_by_mut(equal) {
        run.sort_by(|left, right| left.key.cmp(&right.key));
    }
    if answer.more
        && target != SortTarget::Key
        && let Some(run) = answer.kvs.chunk_by_mut(equal).last()
    {
        run.fill(KeyValue::default());
    }
}
