//! The hand-written bytes against the types generated from etcd's API.

use super::{
    protobuf::DecodeError,
    requests,
    responses::{self, RangeAnswer, TxnAnswer},
};
use campanile_api::{
    etcdserverpb::{
        Compare, PutRequest, PutResponse, RangeRequest, RangeResponse, RequestOp, ResponseHeader, ResponseOp,
        TxnRequest, TxnResponse,
        compare::{CompareResult, CompareTarget, TargetUnion},
        request_op::Request,
        response_op::Response,
    },
    mvccpb::KeyValue,
};
use prost::Message;

fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { cluster_id: u64::MAX, member_id: 7, revision, raft_term: 3 })
}

fn key_value(mod_revision: i64) -> KeyValue {
    KeyValue {
        key: b"key".to_vec().into(),
        value: vec![9; 300].into(),
        create_revision: 2,
        mod_revision,
        version: 4,
        lease: -5,
    }
}

#[test]
fn requests_decode_as_etcds_types() {
    let (key, value) = (b"a key".as_slice(), vec![3u8; 1000]);
    let mut bytes = Vec::new();
    requests::put(&mut bytes, key, &value);
    let put = PutRequest { key: key.to_vec().into(), value: value.clone().into(), ..Default::default() };
    assert_eq!(PutRequest::decode(bytes.as_slice()).unwrap(), put);
    assert_eq!(bytes, put.encode_to_vec());

    bytes.clear();
    let asked = requests::Range { key, range_end: b"b", limit: 500, serializable: true, count_only: true };
    requests::range(&mut bytes, asked);
    let expected = RangeRequest {
        key: key.to_vec().into(),
        range_end: b"b".to_vec().into(),
        limit: 500,
        serializable: true,
        count_only: true,
        ..Default::default()
    };
    assert_eq!(bytes, expected.encode_to_vec());
    bytes.clear();
    requests::range(&mut bytes, requests::Range { key, ..Default::default() });
    let single = RangeRequest { key: key.to_vec().into(), ..Default::default() };
    assert_eq!(bytes, single.encode_to_vec());
}

#[test]
fn an_update_is_kubernetes_transaction() {
    for mod_revision in [0, 1, 127, 128, 1 << 40, i64::MAX] {
        for value_bytes in [1, 100, 127, 128, 20_000] {
            let (key, value) = (b"/registry/pods/one".as_slice(), vec![1u8; value_bytes]);
            let mut bytes = Vec::new();
            requests::update(&mut bytes, key, &value, mod_revision);
            let compare = Compare {
                result: CompareResult::Equal as i32,
                target: CompareTarget::Mod as i32,
                key: key.to_vec().into(),
                target_union: Some(TargetUnion::ModRevision(mod_revision)),
                ..Default::default()
            };
            let put = PutRequest { key: key.to_vec().into(), value: value.into(), ..Default::default() };
            let range = RangeRequest { key: key.to_vec().into(), ..Default::default() };
            let expected = TxnRequest {
                compare: vec![compare],
                success: vec![RequestOp { request: Some(Request::RequestPut(put)) }],
                failure: vec![RequestOp { request: Some(Request::RequestRange(range)) }],
            };
            assert_eq!(TxnRequest::decode(bytes.as_slice()).unwrap(), expected);
            assert_eq!(bytes, expected.encode_to_vec());
        }
    }
}

#[test]
fn answers_of_etcds_types_are_read() {
    let put = PutResponse { header: header(1 << 50), prev_kv: Some(key_value(5)) }.encode_to_vec();
    assert_eq!(responses::put(&put), Ok(1 << 50));

    let range = RangeResponse { header: header(12), kvs: vec![key_value(10), key_value(11)], more: true, count: 400 }
        .encode_to_vec();
    let answer = RangeAnswer { revision: 12, count: 400, returned: 2, mod_revision: 10 };
    assert_eq!(responses::range(&range), Ok(answer));

    let succeeded = TxnResponse {
        header: header(9),
        succeeded: true,
        responses: vec![ResponseOp { response: Some(Response::ResponsePut(PutResponse::default())) }],
    };
    let answer = TxnAnswer { revision: 9, succeeded: true, found: None };
    assert_eq!(responses::txn(&succeeded.encode_to_vec()), Ok(answer));

    let inner = RangeResponse { header: None, kvs: vec![key_value(8)], more: false, count: 1 };
    let refused = TxnResponse {
        header: header(9),
        succeeded: false,
        responses: vec![ResponseOp { response: Some(Response::ResponseRange(inner)) }],
    };
    let found = Some(RangeAnswer { revision: 0, count: 1, returned: 1, mod_revision: 8 });
    assert_eq!(responses::txn(&refused.encode_to_vec()), Ok(TxnAnswer { revision: 9, succeeded: false, found }));
}

#[test]
fn a_missing_header_and_cut_answers_are_errors() {
    assert_eq!(responses::put(&[]), Err(DecodeError::Missing("its header")));
    assert_eq!(responses::range(&[]), Err(DecodeError::Missing("its header")));
    assert_eq!(responses::txn(&[]), Err(DecodeError::Missing("its header")));
    let range = RangeResponse { header: header(12), kvs: vec![key_value(10)], more: false, count: 1 }.encode_to_vec();
    for end in 0..range.len() {
        let _ = responses::range(&range[..end]);
        let _ = responses::txn(&range[..end]);
        let _ = responses::put(&range[..end]);
    }
}
