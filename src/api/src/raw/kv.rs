//! The answers of the KV service. `header` is `None` only where etcd leaves it out. `K` holds an encoded key-value.

use bytes::BufMut;

use super::Encode;
use super::field::{
    all_bytes_len, bool_len, bytes_len, header_len, int64_len, message_len, put_all_bytes, put_bool, put_bytes,
    put_header, put_int64, put_message,
};
use crate::etcdserverpb::ResponseHeader;

/// [`crate::etcdserverpb::RangeResponse`].
#[derive(Clone, Debug, PartialEq)]
pub struct RangeResponse<K> {
    pub header: Option<ResponseHeader>,
    pub key_values: Vec<K>,
    pub more: bool,
    pub count: i64,
}

impl<K: AsRef<[u8]>> Encode for RangeResponse<K> {
    fn encoded_len(&self) -> usize {
        header_len(self.header.as_ref())
            + all_bytes_len(2, &self.key_values)
            + bool_len(3, self.more)
            + int64_len(4, self.count)
    }

    fn encode(&self, out: &mut impl BufMut) {
        put_header(self.header.as_ref(), out);
        put_all_bytes(2, &self.key_values, out);
        put_bool(3, self.more, out);
        put_int64(4, self.count, out);
    }
}

/// [`crate::etcdserverpb::PutResponse`].
#[derive(Clone, Debug, PartialEq)]
pub struct PutResponse<K> {
    pub header: Option<ResponseHeader>,
    pub previous: Option<K>,
}

impl<K: AsRef<[u8]>> Encode for PutResponse<K> {
    fn encoded_len(&self) -> usize {
        header_len(self.header.as_ref())
            + self.previous.as_ref().map_or(0, |previous| bytes_len(2, previous.as_ref().len()))
    }

    fn encode(&self, out: &mut impl BufMut) {
        put_header(self.header.as_ref(), out);
        if let Some(previous) = &self.previous {
            put_bytes(2, previous.as_ref(), out);
        }
    }
}

/// [`crate::etcdserverpb::DeleteRangeResponse`].
#[derive(Clone, Debug, PartialEq)]
pub struct DeleteRangeResponse<K> {
    pub header: Option<ResponseHeader>,
    pub deleted: i64,
    pub previous: Vec<K>,
}

impl<K: AsRef<[u8]>> Encode for DeleteRangeResponse<K> {
    fn encoded_len(&self) -> usize {
        header_len(self.header.as_ref()) + int64_len(2, self.deleted) + all_bytes_len(3, &self.previous)
    }

    fn encode(&self, out: &mut impl BufMut) {
        put_header(self.header.as_ref(), out);
        put_int64(2, self.deleted, out);
        put_all_bytes(3, &self.previous, out);
    }
}

/// [`crate::etcdserverpb::TxnResponse`].
#[derive(Clone, Debug, PartialEq)]
pub struct TxnResponse<K> {
    pub header: Option<ResponseHeader>,
    pub succeeded: bool,
    pub responses: Vec<ResponseOp<K>>,
}

impl<K: AsRef<[u8]>> Encode for TxnResponse<K> {
    fn encoded_len(&self) -> usize {
        header_len(self.header.as_ref())
            + bool_len(2, self.succeeded)
            + self.responses.iter().map(|response| message_len(3, response)).sum::<usize>()
    }

    fn encode(&self, out: &mut impl BufMut) {
        put_header(self.header.as_ref(), out);
        put_bool(2, self.succeeded, out);
        for response in &self.responses {
            put_message(3, response, out);
        }
    }
}

/// [`crate::etcdserverpb::ResponseOp`].
#[derive(Clone, Debug, PartialEq)]
pub enum ResponseOp<K> {
    Range(RangeResponse<K>),
    Put(PutResponse<K>),
    DeleteRange(DeleteRangeResponse<K>),
    Txn(TxnResponse<K>),
}

impl<K: AsRef<[u8]>> Encode for ResponseOp<K> {
    fn encoded_len(&self) -> usize {
        match self {
            ResponseOp::Range(response) => message_len(1, response),
            ResponseOp::Put(response) => message_len(2, response),
            ResponseOp::DeleteRange(response) => message_len(3, response),
            ResponseOp::Txn(response) => message_len(4, response),
        }
    }

    fn encode(&self, out: &mut impl BufMut) {
        match self {
            ResponseOp::Range(response) => put_message(1, response, out),
            ResponseOp::Put(response) => put_message(2, response, out),
            ResponseOp::DeleteRange(response) => put_message(3, response, out),
            ResponseOp::Txn(response) => put_message(4, response, out),
        }
    }
}
