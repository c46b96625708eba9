//! The KV service.

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_api::raw::{self, Encode};
use campanile_core::error::UserError;
use campanile_core::evaluate::{Limits, validate};
use campanile_core::request::{Operation, Request};
use campanile_core::response::OperationResponse;
use campanile_rpc::Status;
use campanile_storage::ids::Revision;
use campanile_storage::store::KeyValue;
use prost::Message;

use super::errors::{malformed, status};
use super::header::Headers;
use super::methods::Rpc;
use super::operation;

/// What the configuration allows.
#[derive(Clone, Copy, Debug)]
pub struct KvLimits {
    pub operations: Limits,
    /// The largest request that etcd takes through its log, in bytes (its `--max-request-bytes`).
    pub request_bytes_max: usize,
}

/// What a message of one of the service's methods asks for.
pub(super) fn request(rpc: Rpc, message: Bytes, limits: KvLimits) -> Result<Request, Status> {
    let message_bytes = message.len();
    let operation = match rpc {
        Rpc::Range => operation::range(decode(message)?).map_err(status)?,
        Rpc::Put => operation::put(decode(message)?),
        Rpc::DeleteRange => operation::delete_range(decode(message)?),
        Rpc::Txn => operation::txn(decode(message)?, limits.operations).map_err(status)?,
        Rpc::Compact => {
            let request: pb::CompactionRequest = decode(message)?;
            return Ok(Request::Compact { at: Revision(request.revision), physical: request.physical });
        }
        rpc => unreachable!("{rpc:?} is no method of KV"),
    };
    if message_bytes > limits.request_bytes_max && is_bounded(&operation) {
        // What else is wrong with it is said first, as etcd does.
        validate(&operation, limits.operations).map_err(status)?;
        return Err(status(UserError::RequestTooLarge));
    }
    Ok(Request::Operation(operation))
}

/// Whether etcd takes the request through its log, and so bounds it: all but ranges, and transactions of nothing but ranges. A
/// nested transaction counts as writing there, whatever is in it.
fn is_bounded(operation: &Operation) -> bool {
    let is_range = |operation: &Operation| matches!(operation, Operation::Range(_));
    match operation {
        Operation::Txn(txn) => !txn.success.iter().chain(&txn.failure).all(is_range),
        operation => !is_range(operation),
    }
}

pub(super) fn decode<M: Message + Default>(message: Bytes) -> Result<M, Status> {
    M::decode(message).map_err(|error| malformed(&error))
}

/// The message that answers an operation.
pub(super) fn response(response: OperationResponse, headers: &Headers) -> Bytes {
    let header = headers.at(response.revision());
    match step(response) {
        raw::ResponseOp::Range(response) => raw::RangeResponse { header, ..response }.encode_to_bytes(),
        raw::ResponseOp::Put(response) => raw::PutResponse { header, ..response }.encode_to_bytes(),
        raw::ResponseOp::DeleteRange(response) => raw::DeleteRangeResponse { header, ..response }.encode_to_bytes(),
        raw::ResponseOp::Txn(response) => raw::TxnResponse { header, ..response }.encode_to_bytes(),
    }
}

/// A version, as the bytes that the store keeps of it.
struct Encoded(KeyValue);

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        self.0.encoded()
    }
}

/// A step of a transaction, with the header that it has there.
fn step(response: OperationResponse) -> raw::ResponseOp<Encoded> {
    let header = Headers::nested(response.revision());
    match response {
        OperationResponse::Range(response) => raw::ResponseOp::Range(raw::RangeResponse {
            header,
            key_values: response.key_values.into_iter().map(Encoded).collect(),
            more: response.more,
            count: count(response.count),
        }),
        OperationResponse::Put(response) => {
            raw::ResponseOp::Put(raw::PutResponse { header, previous: response.previous.map(Encoded) })
        }
        OperationResponse::DeleteRange(response) => raw::ResponseOp::DeleteRange(raw::DeleteRangeResponse {
            header,
            deleted: count(response.deleted),
            previous: response.previous.into_iter().map(Encoded).collect(),
        }),
        OperationResponse::Txn(response) => raw::ResponseOp::Txn(raw::TxnResponse {
            header,
            succeeded: response.succeeded,
            responses: response.responses.into_iter().map(step).collect(),
        }),
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).expect("keys are counted in memory")
}
