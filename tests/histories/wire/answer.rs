//! Answers in protobuf become the core's own words. Every word is kept: an answer that says something that the core's types
//! cannot is [`Nonsense`], and a violation.

use campanile_api::{
    etcdserverpb::{self as pb, response_op},
    mvccpb,
};
use campanile_core::response::{
    DeleteRangeResponse, HashKv, LeaseTimeToLive, OperationResponse, PutResponse, RangeResponse, Status, TxnResponse,
};
use campanile_storage::{
    ids::{LeaseId, MemberId, Position, Revision},
    store::KeyValue,
};
use prost::Message;

/// What an answer said and no answer can mean.
#[derive(Clone, Debug)]
pub struct Nonsense(pub String);

pub type Understood<T> = Result<T, Nonsense>;

pub fn revision(header: Option<&pb::ResponseHeader>) -> Revision {
    Revision(header.map_or(0, |header| header.revision))
}

/// A version of a key. The message has no sub-revision; [`observe::places`](crate::observe::places) gives it the one of its
/// change in the history.
pub fn key_value(message: &mvccpb::KeyValue) -> Understood<KeyValue> {
    let position = Position { revision: Revision(message.mod_revision), sub: 0 };
    KeyValue::from_encoded(position, false, &message.encode_to_vec())
        .map_err(|_| Nonsense(format!("not a version of a key: {message:?}")))
}

fn key_values(messages: &[mvccpb::KeyValue]) -> Understood<Vec<KeyValue>> {
    messages.iter().map(key_value).collect()
}

pub fn range(answer: &pb::RangeResponse) -> Understood<OperationResponse> {
    Ok(OperationResponse::Range(RangeResponse {
        revision: revision(answer.header.as_ref()),
        key_values: key_values(&answer.kvs)?,
        more: answer.more,
        count: u64::try_from(answer.count).map_err(|_| Nonsense(format!("{} keys", answer.count)))?,
    }))
}

pub fn put(answer: &pb::PutResponse) -> Understood<OperationResponse> {
    let previous = answer.prev_kv.as_ref().map(key_value).transpose()?;
    Ok(OperationResponse::Put(PutResponse { revision: revision(answer.header.as_ref()), previous }))
}

pub fn delete(answer: &pb::DeleteRangeResponse) -> Understood<OperationResponse> {
    Ok(OperationResponse::DeleteRange(DeleteRangeResponse {
        revision: revision(answer.header.as_ref()),
        deleted: u64::try_from(answer.deleted).map_err(|_| Nonsense(format!("{} deleted", answer.deleted)))?,
        previous: key_values(&answer.prev_kvs)?,
    }))
}

pub fn txn(answer: &pb::TxnResponse) -> Understood<OperationResponse> {
    use response_op::Response;
    let step = |step: &pb::ResponseOp| match &step.response {
        Some(Response::ResponseRange(answer)) => range(answer),
        Some(Response::ResponsePut(answer)) => put(answer),
        Some(Response::ResponseDeleteRange(answer)) => delete(answer),
        Some(Response::ResponseTxn(answer)) => txn(answer),
        None => Err(Nonsense("a step of a transaction without an answer".to_owned())),
    };
    Ok(OperationResponse::Txn(TxnResponse {
        revision: revision(answer.header.as_ref()),
        succeeded: answer.succeeded,
        responses: answer.responses.iter().map(step).collect::<Understood<_>>()?,
    }))
}

pub fn time_to_live(answer: &pb::LeaseTimeToLiveResponse) -> LeaseTimeToLive {
    LeaseTimeToLive {
        revision: revision(answer.header.as_ref()),
        id: LeaseId(answer.id),
        ttl_seconds: answer.ttl,
        granted_ttl_seconds: answer.granted_ttl,
        keys: answer.keys.clone(),
    }
}

pub fn status(answer: &pb::StatusResponse) -> Status {
    Status {
        revision: revision(answer.header.as_ref()),
        leader: MemberId(answer.leader),
        committed_index: answer.raft_index,
        applied_index: answer.raft_applied_index,
        is_learner: answer.is_learner,
    }
}

pub fn hash_kv(answer: &pb::HashKvResponse) -> HashKv {
    HashKv {
        revision: revision(answer.header.as_ref()),
        hash: answer.hash,
        compacted: Revision(answer.compact_revision),
        hash_revision: Revision(answer.hash_revision),
    }
}
