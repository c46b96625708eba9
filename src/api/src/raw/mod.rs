//! The hot answers, written around key-values that are encoded already.
//!
//! The store keeps each version as an encoded [`mvccpb.KeyValue`](crate::mvccpb::KeyValue), and an event is encoded once
//! for all its watchers. The types here mirror the generated ones with those bytes in the place of the messages: they
//! write exactly what prost would write, without decoding anything. They never look into the bytes they are given.

mod field;
mod kv;
mod watch;

#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes, BytesMut};

pub use kv::{DeleteRangeResponse, PutResponse, RangeResponse, ResponseOp, TxnResponse};
pub use watch::{WatchResponse, encode_event};

/// A message that can write itself.
pub trait Encode {
    /// Bytes that [`encode`](Self::encode) writes.
    fn encoded_len(&self) -> usize;

    /// Appends the message, without a length before it.
    fn encode(&self, out: &mut impl BufMut);

    /// The message in a buffer of its own.
    fn encode_to_bytes(&self) -> Bytes {
        let length = self.encoded_len();
        let mut out = BytesMut::with_capacity(length);
        self.encode(&mut out);
        assert_eq!(out.len(), length, "a message is as long as it said");
        out.freeze()
    }
}
