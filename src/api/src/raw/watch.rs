//! The answers of the Watch service: events encoded once, a header and ids for each watcher.

use bytes::{BufMut, Bytes, BytesMut};

use super::Encode;
use super::field::{
    all_bytes_len, bool_len, bytes_len, header_len, int64_len, put_all_bytes, put_bool, put_bytes, put_header,
    put_int64,
};
use crate::etcdserverpb::ResponseHeader;
use crate::mvccpb::event::EventType;

/// A [`crate::mvccpb::Event`] around the encoded key-value it wrote, and the one before.
#[must_use]
pub fn encode_event(kind: EventType, key_value: &[u8], previous: Option<&[u8]>) -> Bytes {
    let kind = i64::from(i32::from(kind));
    let length = int64_len(1, kind)
        + bytes_len(2, key_value.len())
        + previous.map_or(0, |previous| bytes_len(3, previous.len()));
    let mut out = BytesMut::with_capacity(length);
    put_int64(1, kind, &mut out);
    put_bytes(2, key_value, &mut out);
    if let Some(previous) = previous {
        put_bytes(3, previous, &mut out);
    }
    out.freeze()
}

/// [`crate::etcdserverpb::WatchResponse`] of one watcher.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WatchResponse<'a, E> {
    pub header: Option<ResponseHeader>,
    pub watch_id: i64,
    pub created: bool,
    pub canceled: bool,
    pub compact_revision: i64,
    pub cancel_reason: &'a str,
    pub fragment: bool,
    /// Encoded events.
    pub events: &'a [E],
}

impl<E: AsRef<[u8]>> Encode for WatchResponse<'_, E> {
    fn encoded_len(&self) -> usize {
        let reason = self.cancel_reason.len();
        header_len(self.header.as_ref())
            + int64_len(2, self.watch_id)
            + bool_len(3, self.created)
            + bool_len(4, self.canceled)
            + int64_len(5, self.compact_revision)
            + if reason == 0 { 0 } else { bytes_len(6, reason) }
            + bool_len(7, self.fragment)
            + all_bytes_len(11, self.events)
    }

    fn encode(&self, out: &mut impl BufMut) {
        put_header(self.header.as_ref(), out);
        put_int64(2, self.watch_id, out);
        put_bool(3, self.created, out);
        put_bool(4, self.canceled, out);
        put_int64(5, self.compact_revision, out);
        if !self.cancel_reason.is_empty() {
            put_bytes(6, self.cancel_reason.as_bytes(), out);
        }
        put_bool(7, self.fragment, out);
        put_all_bytes(11, self.events, out);
    }
}
