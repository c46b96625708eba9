//! Whatever is written raw equals what prost writes for the same message.

use bytes::Bytes;
use prost::Message;

use super::{DeleteRangeResponse, Encode, PutResponse, RangeResponse, ResponseOp, TxnResponse, WatchResponse};
use crate::etcdserverpb::{self as pb, ResponseHeader};
use crate::mvccpb::event::EventType;
use crate::mvccpb::{Event, KeyValue};

/// Values at the borders of varint lengths.
const NUMBERS: [i64; 7] = [0, 1, 127, 128, 16_384, i64::MAX, -1];
/// Lengths at the borders of length prefixes.
const LENGTHS: [usize; 5] = [0, 1, 127, 128, 20_000];

fn header(number: i64) -> Option<ResponseHeader> {
    let unsigned = u64::from_ne_bytes(number.to_ne_bytes());
    Some(ResponseHeader { cluster_id: unsigned, member_id: 2, revision: number, raft_term: 3 })
}

fn key_values() -> Vec<KeyValue> {
    let mut all = Vec::new();
    for (number, length) in NUMBERS.into_iter().zip(LENGTHS.into_iter().cycle()) {
        all.push(KeyValue {
            key: Bytes::from(vec![b'k'; length]),
            create_revision: number,
            mod_revision: number,
            version: 1,
            value: Bytes::from(vec![b'v'; length]),
            lease: number,
        });
    }
    all
}

fn encoded<M: Message>(messages: &[M]) -> Vec<Bytes> {
    messages.iter().map(|message| message.encode_to_vec().into()).collect()
}

fn assert_same(raw: &impl Encode, generated: &impl Message) {
    assert_eq!(raw.encode_to_bytes(), generated.encode_to_vec());
}

fn ranges() -> Vec<(RangeResponse<Bytes>, pb::RangeResponse)> {
    let kvs = key_values();
    let mut all = Vec::new();
    for number in NUMBERS {
        for taken in [0, 1, kvs.len()] {
            let kvs = kvs[..taken].to_vec();
            let more = taken == 1;
            all.push((
                RangeResponse { header: header(number), key_values: encoded(&kvs), more, count: number },
                pb::RangeResponse { header: header(number), kvs, more, count: number },
            ));
        }
    }
    all
}

fn puts() -> Vec<(PutResponse<Bytes>, pb::PutResponse)> {
    let with = key_values().into_iter().map(|prev_kv| {
        let previous = Some(prev_kv.encode_to_vec().into());
        (PutResponse { header: header(5), previous }, pb::PutResponse { header: header(5), prev_kv: Some(prev_kv) })
    });
    let without =
        (PutResponse { header: header(5), previous: None }, pb::PutResponse { header: header(5), prev_kv: None });
    with.chain([without]).collect()
}

fn deletes() -> Vec<(DeleteRangeResponse<Bytes>, pb::DeleteRangeResponse)> {
    let prev_kvs = key_values();
    NUMBERS
        .into_iter()
        .map(|deleted| {
            let previous = encoded(&prev_kvs);
            (
                DeleteRangeResponse { header: header(1), deleted, previous },
                pb::DeleteRangeResponse { header: header(1), deleted, prev_kvs: prev_kvs.clone() },
            )
        })
        .collect()
}

/// A transaction with every kind of step, and `depth` transactions inside one another.
fn txn(depth: usize) -> (TxnResponse<Bytes>, pb::TxnResponse) {
    use pb::response_op::Response;
    let mut raw = TxnResponse { header: header(9), succeeded: depth.is_multiple_of(2), responses: Vec::new() };
    let mut generated = pb::TxnResponse { header: raw.header, succeeded: raw.succeeded, responses: Vec::new() };
    let mut add = |step, response| {
        raw.responses.push(step);
        generated.responses.push(pb::ResponseOp { response: Some(response) });
    };
    for (step, response) in ranges() {
        add(ResponseOp::Range(step), Response::ResponseRange(response));
    }
    for (step, response) in puts() {
        add(ResponseOp::Put(step), Response::ResponsePut(response));
    }
    for (step, response) in deletes() {
        add(ResponseOp::DeleteRange(step), Response::ResponseDeleteRange(response));
    }
    if depth > 0 {
        let (step, response) = txn(depth - 1);
        add(ResponseOp::Txn(step), Response::ResponseTxn(response));
    }
    (raw, generated)
}

#[test]
fn single_answers_are_written_as_prost_writes_them() {
    ranges().iter().for_each(|(raw, generated)| assert_same(raw, generated));
    puts().iter().for_each(|(raw, generated)| assert_same(raw, generated));
    deletes().iter().for_each(|(raw, generated)| assert_same(raw, generated));
}

#[test]
fn nested_transactions_are_written_as_prost_writes_them() {
    for depth in 0..4 {
        let (raw, generated) = txn(depth);
        assert_same(&raw, &generated);
    }
}

#[test]
fn watch_answers_are_written_as_prost_writes_them() {
    let kvs = key_values();
    let events: Vec<Event> = (kvs.iter().zip(kvs.iter().rev()).enumerate())
        .map(|(place, (kv, previous))| Event {
            r#type: i32::from(place % 2 == 1),
            kv: Some(kv.clone()),
            prev_kv: place.is_multiple_of(3).then(|| previous.clone()),
        })
        .collect();
    let encoded: Vec<Bytes> = events
        .iter()
        .map(|event| {
            let kv = event.kv.as_ref().unwrap().encode_to_vec();
            let previous = event.prev_kv.as_ref().map(Message::encode_to_vec);
            super::encode_event(EventType::try_from(event.r#type).unwrap(), &kv, previous.as_deref())
        })
        .collect();
    for number in NUMBERS {
        for (reason, flag, taken) in [("", false, 0), ("etcdserver: no", true, 1), ("", true, events.len())] {
            let raw = WatchResponse {
                header: header(number),
                watch_id: number,
                created: flag,
                canceled: !flag,
                compact_revision: number,
                cancel_reason: reason,
                fragment: flag,
                events: &encoded[..taken],
            };
            let generated = pb::WatchResponse {
                header: header(number),
                watch_id: number,
                created: flag,
                canceled: !flag,
                compact_revision: number,
                cancel_reason: reason.to_owned(),
                fragment: flag,
                events: events[..taken].to_vec(),
            };
            assert_same(&raw, &generated);
        }
    }
}
