//! Field numbers as etcd has them. Each message is compared with bytes written by hand from etcd's numbers, so that a
//! slip in a `.proto` file cannot pass on both sides.

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_api::{grpc, mvccpb, v3electionpb, v3lockpb};
use prost::Message;

/// Bytes from hexadecimal, blanks aside.
fn hexadecimal(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits make a byte")).collect()
}

/// `message` is written as `golden`, and `golden` read as `message`.
fn assert_golden<M: Message + Default + PartialEq + std::fmt::Debug>(message: M, golden: &str) {
    let golden = hexadecimal(golden);
    assert_eq!(message.encode_to_vec(), golden);
    assert_eq!(M::decode(Bytes::from(golden)).expect("golden bytes are well-formed"), message);
}

fn header() -> Option<pb::ResponseHeader> {
    Some(pb::ResponseHeader { cluster_id: 1, member_id: 2, revision: 3, raft_term: 4 })
}

const HEADER: &str = "0a 08 08 01 10 02 18 03 20 04";
const KEY_VALUE: &str = "0a 01 6b 10 01 18 02 20 03 2a 01 76 30 04";

fn key_value() -> mvccpb::KeyValue {
    let (key, value) = (Bytes::from_static(b"k"), Bytes::from_static(b"v"));
    mvccpb::KeyValue { key, create_revision: 1, mod_revision: 2, version: 3, value, lease: 4 }
}

#[test]
fn key_values_and_events() {
    assert_golden(key_value(), KEY_VALUE);
    let event = mvccpb::Event { r#type: 1, kv: Some(key_value()), prev_kv: Some(key_value()) };
    assert_golden(event, &format!("08 01 12 0e {KEY_VALUE} 1a 0e {KEY_VALUE}"));
}

#[test]
fn range() {
    let request = pb::RangeRequest {
        key: Bytes::from_static(b"k"),
        range_end: Bytes::from_static(b"l"),
        limit: 1,
        revision: 2,
        sort_order: 2,
        sort_target: 4,
        serializable: true,
        keys_only: true,
        count_only: true,
        min_mod_revision: 3,
        max_mod_revision: 4,
        min_create_revision: 5,
        max_create_revision: 6,
    };
    assert_golden(request, "0a016b 12016c 1801 2002 2802 3004 3801 4001 4801 5003 5804 6005 6806");
    let response = pb::RangeResponse { header: header(), kvs: vec![key_value()], more: true, count: 5 };
    assert_golden(response.clone(), &format!("{HEADER} 12 0e {KEY_VALUE} 1801 2005"));
    let piece = pb::RangeStreamResponse { range_response: Some(pb::RangeResponse { header: None, ..response }) };
    assert_golden(piece, &format!("0a 14 12 0e {KEY_VALUE} 1801 2005"));
}

#[test]
fn put_delete_and_compact() {
    let (key, value) = (Bytes::from_static(b"k"), Bytes::from_static(b"v"));
    let put =
        pb::PutRequest { key: key.clone(), value, lease: 1, prev_kv: true, ignore_value: true, ignore_lease: true };
    assert_golden(put, "0a016b 120176 1801 2001 2801 3001");
    let response = pb::PutResponse { header: header(), prev_kv: Some(key_value()) };
    assert_golden(response, &format!("{HEADER} 12 0e {KEY_VALUE}"));
    let delete = pb::DeleteRangeRequest { key, range_end: Bytes::from_static(b"\0"), prev_kv: true };
    assert_golden(delete, "0a016b 120100 1801");
    let response = pb::DeleteRangeResponse { header: header(), deleted: 1, prev_kvs: vec![key_value()] };
    assert_golden(response, &format!("{HEADER} 1001 1a 0e {KEY_VALUE}"));
    assert_golden(pb::CompactionRequest { revision: 300, physical: true }, "08ac02 1001");
}

#[test]
fn transactions() {
    use pb::compare::TargetUnion;
    use pb::request_op::Request;
    use pb::response_op::Response;
    let targets = [
        (TargetUnion::Version(1), 0, "2001"),
        (TargetUnion::CreateRevision(1), 1, "2801"),
        (TargetUnion::ModRevision(1), 2, "3001"),
        (TargetUnion::Value(Bytes::from_static(b"v")), 3, "3a0176"),
        (TargetUnion::Lease(1), 4, "4001"),
    ];
    for (union, target, golden) in targets {
        let (key, range_end) = (Bytes::from_static(b"k"), Bytes::from_static(b"l"));
        let compare = pb::Compare { result: 3, target, key, range_end, target_union: Some(union) };
        let target = if target == 0 { String::new() } else { format!("10{target:02}") };
        assert_golden(compare, &format!("0803 {target} 1a016b {golden} 8204016c"));
    }
    let step = |request| pb::RequestOp { request: Some(request) };
    let request = pb::TxnRequest {
        compare: vec![pb::Compare::default()],
        success: vec![
            step(Request::RequestRange(pb::RangeRequest::default())),
            step(Request::RequestPut(pb::PutRequest::default())),
        ],
        failure: vec![
            step(Request::RequestDeleteRange(pb::DeleteRangeRequest::default())),
            step(Request::RequestTxn(pb::TxnRequest::default())),
        ],
    };
    assert_golden(request, "0a00 12020a00 12021200 1a021a00 1a022200");
    let step = |response| pb::ResponseOp { response: Some(response) };
    let response = pb::TxnResponse {
        header: header(),
        succeeded: true,
        responses: vec![
            step(Response::ResponseRange(pb::RangeResponse::default())),
            step(Response::ResponsePut(pb::PutResponse::default())),
            step(Response::ResponseDeleteRange(pb::DeleteRangeResponse::default())),
            step(Response::ResponseTxn(pb::TxnResponse::default())),
        ],
    };
    assert_golden(response, &format!("{HEADER} 1001 1a020a00 1a021200 1a021a00 1a022200"));
}

#[test]
fn watch() {
    use pb::watch_request::RequestUnion;
    let create = pb::WatchCreateRequest {
        key: Bytes::from_static(b"k"),
        range_end: Bytes::from_static(b"l"),
        start_revision: 1,
        progress_notify: true,
        filters: vec![0, 1],
        prev_kv: true,
        watch_id: 2,
        fragment: true,
    };
    let request = |union| pb::WatchRequest { request_union: Some(union) };
    assert_golden(request(RequestUnion::CreateRequest(create)), "0a14 0a016b 12016c 1801 2001 2a020001 3001 3802 4001");
    let cancel = pb::WatchCancelRequest { watch_id: 1 };
    assert_golden(request(RequestUnion::CancelRequest(cancel)), "1202 0801");
    assert_golden(request(RequestUnion::ProgressRequest(pb::WatchProgressRequest {})), "1a00");
    let response = pb::WatchResponse {
        header: header(),
        watch_id: -1,
        created: true,
        canceled: true,
        compact_revision: 2,
        cancel_reason: "x".to_owned(),
        fragment: true,
        events: vec![mvccpb::Event::default()],
    };
    assert_golden(response, &format!("{HEADER} 10ffffffffffffffffff01 1801 2001 2802 320178 3801 5a00"));
}

#[test]
fn leases() {
    assert_golden(pb::LeaseGrantRequest { ttl: 1, id: 2 }, "0801 1002");
    let granted = pb::LeaseGrantResponse { header: header(), id: 1, ttl: 2, error: "x".to_owned() };
    assert_golden(granted, &format!("{HEADER} 1001 1802 220178"));
    assert_golden(pb::LeaseRevokeRequest { id: 1 }, "0801");
    assert_golden(pb::LeaseKeepAliveResponse { header: header(), id: 1, ttl: 2 }, &format!("{HEADER} 1001 1802"));
    assert_golden(pb::LeaseTimeToLiveRequest { id: 1, keys: true }, "0801 1001");
    let left = pb::LeaseTimeToLiveResponse {
        header: header(),
        id: 1,
        ttl: -1,
        granted_ttl: 3,
        keys: vec![Bytes::from_static(b"k")],
    };
    assert_golden(left, &format!("{HEADER} 1001 18ffffffffffffffffff01 2003 2a016b"));
    let all = pb::LeaseLeasesResponse { header: header(), leases: vec![pb::LeaseStatus { id: 1 }] };
    assert_golden(all, &format!("{HEADER} 1202 0801"));
}

#[test]
fn cluster_and_maintenance() {
    let member = pb::Member {
        id: 1,
        name: "m".to_owned(),
        peer_urls: vec!["p".to_owned()],
        client_urls: vec!["c".to_owned()],
        is_learner: true,
    };
    let list = pb::MemberListResponse { header: header(), members: vec![member] };
    assert_golden(list, &format!("{HEADER} 120d 0801 12016d 1a0170 220163 2801"));
    let status = pb::StatusResponse {
        header: header(),
        version: "v".to_owned(),
        db_size: 1,
        leader: 2,
        raft_index: 3,
        raft_term: 4,
        raft_applied_index: 5,
        errors: vec!["e".to_owned()],
        db_size_in_use: 6,
        is_learner: true,
        storage_version: "s".to_owned(),
        db_size_quota: 7,
        downgrade_info: Some(pb::DowngradeInfo { enabled: true, target_version: "t".to_owned() }),
    };
    assert_golden(
        status,
        &format!("{HEADER} 120176 1801 2002 2803 3004 3805 420165 4806 5001 5a0173 6007 6a05 0801 120174"),
    );
    let hash = pb::HashKvResponse { header: header(), hash: 1, compact_revision: 2, hash_revision: 3 };
    assert_golden(hash, &format!("{HEADER} 1001 1802 2003"));
    assert_golden(pb::AlarmRequest { action: 2, member_id: 1, alarm: 2 }, "0802 1001 1802");
    assert_golden(pb::AlarmMember { member_id: 1, alarm: 1 }, "0801 1001");
    let snapshot = pb::SnapshotResponse {
        header: header(),
        remaining_bytes: 1,
        blob: Bytes::from_static(b"b"),
        version: "v".to_owned(),
    };
    assert_golden(snapshot, &format!("{HEADER} 1001 1a0162 220176"));
    assert_golden(pb::MoveLeaderRequest { target_id: 1 }, "0801");
}

#[test]
fn locks_elections_and_health() {
    assert_golden(v3lockpb::LockRequest { name: Bytes::from_static(b"n"), lease: 1 }, "0a016e 1001");
    let (name, key) = (Bytes::from_static(b"n"), Bytes::from_static(b"k"));
    assert_golden(v3electionpb::LeaderKey { name, key, rev: 1, lease: 2 }, "0a016e 12016b 1801 2002");
    assert_golden(grpc::health::v1::HealthCheckRequest { service: "s".to_owned() }, "0a0173");
    assert_golden(grpc::health::v1::HealthCheckResponse { status: 1 }, "0801");
}
