//! From a message to the core's request, and from its response to a message: by the door that other members use, which
//! differs from the clients' in the header alone.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_api::mvccpb;
use campanile_core::error::UserError;
use campanile_core::evaluate::Limits;
use campanile_core::executor::watching::WatchCommand;
use campanile_core::request::{AlarmKind, Operation, Request};
use campanile_core::response::{
    Alarm, DeleteRangeResponse, HashKv, LeaseTimeToLive, Member, OperationResponse, PutResponse, RangeResponse,
    Response, Status as MemberStatus, TxnResponse,
};
use campanile_core::watch::{StreamId, WatchResponse};
use campanile_rpc::{Code, HttpReply, Status};
use campanile_storage::ids::{LeaseId, MemberId, Position, Revision, Term};
use campanile_storage::store::KeyValue;
use prost::Message;

use super::kv::KvLimits;
use super::methods::Rpc;
use super::settings::Versions;
use super::{Done, Executor, Relayed, Responder, Services, Settings, Sizes};

/// Answers every request with the same, and keeps what it was asked.
struct Scripted {
    result: RefCell<Result<Response, UserError>>,
    asked: RefCell<Vec<Request>>,
}

impl Executor for Scripted {
    fn request(&self, request: Request, relayed: bool, responder: Responder) {
        assert!(relayed);
        self.asked.borrow_mut().push(request);
        responder.answer(self.result.borrow().clone());
    }

    fn relay(&self, _: MemberId, _: Relayed, _: Done) {
        unreachable!("what was sent on is not sent on again");
    }

    fn open_watch_stream(&self, _: Rc<dyn Fn()>) -> StreamId {
        StreamId(0)
    }

    fn watch(&self, _: StreamId, _: WatchCommand) {}

    fn next_watch_response(&self, _: StreamId) -> Option<WatchResponse> {
        None
    }

    fn accepts_watch_commands(&self, _: StreamId) -> bool {
        true
    }

    fn has_leader(&self) -> bool {
        true
    }

    fn sizes(&self) -> Sizes {
        Sizes { total: 100, in_use: 60, quota: 200 }
    }

    fn checked(&self, _: bool) {}

    fn metrics(&self, _: HttpReply) {}
}

fn settings() -> Settings {
    Settings {
        cluster_id: 11,
        member: MemberId(12),
        limits: KvLimits { operations: Limits { txn_operations_max: 3 }, request_bytes_max: 100 },
        versions: Versions { api: "3.5.21", cluster: "3.5.0".to_owned(), own: "0" },
        notice_interval: Duration::from_secs(600),
    }
}

/// Sends `message` to a method whose request is answered with `result`; gives the request and the answer.
fn call(
    rpc: Rpc,
    message: &impl Message,
    result: Result<Response, UserError>,
) -> (Option<Request>, Result<Bytes, Status>) {
    call_raw(rpc, message.encode_to_vec().into(), result)
}

fn call_raw(rpc: Rpc, message: Bytes, result: Result<Response, UserError>) -> (Option<Request>, Result<Bytes, Status>) {
    let executor = Rc::new(Scripted { result: RefCell::new(result), asked: RefCell::default() });
    let services = Services::new(Rc::clone(&executor) as Rc<dyn Executor>, &settings());
    services.headers().set_term(Term(14));
    let answer = Rc::new(RefCell::new(None));
    let answered = Rc::clone(&answer);
    let relayed = Relayed { method: rpc as u32, message, deadline: None };
    services.relayed(relayed, Box::new(move |result| *answered.borrow_mut() = Some(result)));
    (executor.asked.take().pop(), answer.take().expect("it was answered"))
}

fn header(revision: i64) -> Option<pb::ResponseHeader> {
    Some(pb::ResponseHeader { cluster_id: 11, member_id: 12, revision, raft_term: 14 })
}

/// Checks that `response` is sent as `expected`.
fn assert_sent<M: Message + Default + PartialEq>(rpc: Rpc, asked: &impl Message, response: Response, expected: &M) {
    let sent = call(rpc, asked, Ok(response)).1.expect("it succeeds");
    assert_eq!(sent, expected.encode_to_vec());
}

fn stored() -> KeyValue {
    let position = Position { revision: Revision(9), sub: 1 };
    KeyValue::new(b"k", b"v", Revision(7), position, 2, LeaseId(5))
}

fn sent() -> mvccpb::KeyValue {
    let (key, value) = (Bytes::from_static(b"k"), Bytes::from_static(b"v"));
    mvccpb::KeyValue { key, create_revision: 7, mod_revision: 9, version: 2, value, lease: 5 }
}

const AT: Revision = Revision(20);

fn range_response() -> OperationResponse {
    OperationResponse::Range(RangeResponse { revision: AT, key_values: vec![stored()], more: true, count: 8 })
}

#[test]
fn operations_are_answered_with_the_stores_own_bytes() {
    let key = || Bytes::from_static(b"k");
    let asked = pb::RangeRequest { key: key(), ..Default::default() };
    let expected = pb::RangeResponse { header: header(20), kvs: vec![sent()], more: true, count: 8 };
    assert_sent(Rpc::Range, &asked, Response::Operation(range_response()), &expected);

    let asked = pb::PutRequest { key: key(), ..Default::default() };
    let response = OperationResponse::Put(PutResponse { revision: AT, previous: Some(stored()) });
    let expected = pb::PutResponse { header: header(20), prev_kv: Some(sent()) };
    assert_sent(Rpc::Put, &asked, Response::Operation(response), &expected);

    let asked = pb::DeleteRangeRequest { key: key(), ..Default::default() };
    let response = DeleteRangeResponse { revision: AT, deleted: 1, previous: vec![stored()] };
    let expected = pb::DeleteRangeResponse { header: header(20), deleted: 1, prev_kvs: vec![sent()] };
    assert_sent(Rpc::DeleteRange, &asked, Response::Operation(OperationResponse::DeleteRange(response)), &expected);
}

#[test]
fn steps_of_transactions_have_etcds_headers() {
    use pb::response_op::Response as Step;
    let inner = TxnResponse { revision: Revision(0), succeeded: false, responses: Vec::new() };
    let responses = vec![range_response(), OperationResponse::Txn(inner)];
    let response = OperationResponse::Txn(TxnResponse { revision: AT, succeeded: true, responses });
    let revision_alone = Some(pb::ResponseHeader { revision: 20, ..Default::default() });
    let range = pb::RangeResponse { header: revision_alone, kvs: vec![sent()], more: true, count: 8 };
    let inner = pb::TxnResponse { header: Some(pb::ResponseHeader::default()), ..Default::default() };
    let steps = [Step::ResponseRange(range), Step::ResponseTxn(inner)];
    let responses = steps.into_iter().map(|step| pb::ResponseOp { response: Some(step) }).collect();
    let expected = pb::TxnResponse { header: header(20), succeeded: true, responses };
    assert_sent(Rpc::Txn, &pb::TxnRequest::default(), Response::Operation(response), &expected);
}

#[test]
fn leases_are_asked_and_answered() {
    let (id, revision) = (LeaseId(5), AT);
    let granted = Response::LeaseGrant { revision, id, ttl_seconds: 6 };
    let (asked, answer) = call(Rpc::LeaseGrant, &pb::LeaseGrantRequest { id: 5, ttl: 6 }, Ok(granted));
    assert_eq!(asked, Some(Request::LeaseGrant { id, ttl_seconds: 6 }));
    let expected = pb::LeaseGrantResponse { header: header(20), id: 5, ttl: 6, error: String::new() };
    assert_eq!(answer, Ok(expected.encode_to_vec().into()));

    let expected = pb::LeaseRevokeResponse { header: header(20) };
    assert_sent(Rpc::LeaseRevoke, &pb::LeaseRevokeRequest { id: 5 }, Response::LeaseRevoke { revision }, &expected);

    let left =
        LeaseTimeToLive { revision, id, ttl_seconds: -1, granted_ttl_seconds: 3, keys: vec![Bytes::from_static(b"k")] };
    let expected = pb::LeaseTimeToLiveResponse {
        header: header(20),
        id: 5,
        ttl: -1,
        granted_ttl: 3,
        keys: vec![Bytes::from_static(b"k")],
    };
    let asked = pb::LeaseTimeToLiveRequest { id: 5, keys: true };
    assert_sent(Rpc::LeaseTimeToLive, &asked, Response::LeaseTimeToLive(left), &expected);

    let expected = pb::LeaseLeasesResponse { header: header(20), leases: vec![pb::LeaseStatus { id: 5 }] };
    let response = Response::LeaseLeases { revision, leases: vec![id] };
    assert_sent(Rpc::LeaseLeases, &pb::LeaseLeasesRequest {}, response, &expected);

    let expected = pb::LeaseKeepAliveResponse { header: header(20), id: 5, ttl: 6 };
    let response = Response::LeaseKeepAlive { revision, id, ttl_seconds: 6 };
    assert_sent(Rpc::LeaseKeepAlive, &pb::LeaseKeepAliveRequest { id: 5 }, response, &expected);
}

#[test]
fn members_tell_of_themselves() {
    let member = Member {
        id: MemberId(1),
        name: "m".to_owned(),
        peer_urls: vec!["p".to_owned()],
        client_urls: vec!["c".to_owned()],
        is_learner: true,
    };
    let expected = pb::MemberListResponse {
        header: header(0),
        members: vec![pb::Member {
            id: 1,
            name: "m".to_owned(),
            peer_urls: vec!["p".to_owned()],
            client_urls: vec!["c".to_owned()],
            is_learner: true,
        }],
    };
    let response = Response::MemberList { revision: AT, members: vec![member] };
    assert_sent(Rpc::MemberList, &pb::MemberListRequest { linearizable: true }, response, &expected);

    let status =
        MemberStatus { revision: AT, leader: MemberId::NONE, committed_index: 3, applied_index: 2, is_learner: false };
    let expected = pb::StatusResponse {
        header: header(20),
        version: "3.5.21".to_owned(),
        db_size: 100,
        raft_index: 3,
        raft_term: 14,
        raft_applied_index: 2,
        errors: vec!["etcdserver: no leader".to_owned()],
        db_size_in_use: 60,
        db_size_quota: 200,
        downgrade_info: Some(pb::DowngradeInfo::default()),
        ..Default::default()
    };
    assert_sent(Rpc::Status, &pb::StatusRequest {}, Response::Status(status), &expected);

    let hash = HashKv { revision: AT, hash: 1, compacted: Revision(-1), hash_revision: Revision(19) };
    let expected = pb::HashKvResponse { header: header(20), hash: 1, compact_revision: -1, hash_revision: 19 };
    assert_sent(Rpc::HashKv, &pb::HashKvRequest { revision: 19 }, Response::HashKv(hash), &expected);

    let alarms = vec![Alarm { member: MemberId(1), kind: AlarmKind::Corrupt }];
    let expected = pb::AlarmResponse { header: header(20), alarms: vec![pb::AlarmMember { member_id: 1, alarm: 2 }] };
    let response = Response::AlarmGet { revision: AT, alarms };
    assert_sent(Rpc::Alarm, &pb::AlarmRequest::default(), response, &expected);
    let (asked, answer) =
        call(Rpc::Alarm, &pb::AlarmRequest { action: 1, ..Default::default() }, Err(UserError::Timeout));
    assert_eq!((asked, answer.unwrap_err().code), (None, Code::Unimplemented));
}

#[test]
fn what_is_refused_never_reaches_the_core() {
    let stuffed = |value: usize, key: &'static [u8]| pb::PutRequest {
        key: Bytes::from_static(key),
        value: vec![b'v'; value].into(),
        ..Default::default()
    };
    let refused = |request: &pb::PutRequest| call(Rpc::Put, request, Err(UserError::Timeout));
    let (asked, answer) = refused(&stuffed(100, b"k"));
    assert_eq!((asked, answer), (None, Err(super::status(UserError::RequestTooLarge))));
    let (_, answer) = refused(&stuffed(100, b""));
    assert_eq!(answer, Err(super::status(UserError::EmptyKey)));
    let (asked, answer) = refused(&stuffed(50, b"k"));
    assert!(matches!(asked, Some(Request::Operation(Operation::Put(_)))));
    assert_eq!(answer, Err(super::status(UserError::Timeout)));
    // A transaction of nothing but ranges does not go through etcd's log; with another nested in it, it does.
    let txn = |steps| pb::TxnRequest { success: steps, ..Default::default() };
    let step = |request| pb::RequestOp { request: Some(request) };
    let range = || {
        let range = pb::RangeRequest { key: vec![b'k'; 100].into(), ..Default::default() };
        step(pb::request_op::Request::RequestRange(range))
    };
    let nested = txn(vec![step(pb::request_op::Request::RequestTxn(txn(vec![range()])))]);
    assert!(call(Rpc::Txn, &txn(vec![range()]), Err(UserError::Timeout)).0.is_some());
    let (asked, answer) = call(Rpc::Txn, &nested, Err(UserError::Timeout));
    assert_eq!((asked, answer), (None, Err(super::status(UserError::RequestTooLarge))));

    let (asked, answer) = call_raw(Rpc::Put, Bytes::from_static(b"\xff\xff"), Err(UserError::Timeout));
    let status = answer.unwrap_err();
    assert_eq!((asked, status.code), (None, Code::Internal));
    assert!(status.message.starts_with("grpc: error unmarshalling request: "), "{}", status.message);
}
