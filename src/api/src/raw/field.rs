//! Single protobuf fields, in proto3's way: a field that holds its default is not written.

use bytes::BufMut;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::Encode;
use crate::etcdserverpb::ResponseHeader;

/// Length of field `tag` holding `length` bytes, its key and length prefix included.
pub(super) fn bytes_len(tag: u32, length: usize) -> usize {
    key_len(tag) + encoded_len_varint(length as u64) + length
}

pub(super) fn put_bytes(tag: u32, bytes: &[u8], out: &mut impl BufMut) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}

pub(super) fn message_len(tag: u32, message: &impl Encode) -> usize {
    bytes_len(tag, message.encoded_len())
}

pub(super) fn put_message(tag: u32, message: &impl Encode, out: &mut impl BufMut) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(message.encoded_len() as u64, out);
    message.encode(out);
}

/// Length of the repeated field `tag`.
pub(super) fn all_bytes_len<T: AsRef<[u8]>>(tag: u32, all: &[T]) -> usize {
    all.iter().map(|bytes| bytes_len(tag, bytes.as_ref().len())).sum()
}

pub(super) fn put_all_bytes<T: AsRef<[u8]>>(tag: u32, all: &[T], out: &mut impl BufMut) {
    for bytes in all {
        put_bytes(tag, bytes.as_ref(), out);
    }
}

/// Protobuf writes an `int64` as the varint of its two's complement.
#[allow(clippy::cast_sign_loss, reason = "the format asks for the two's complement")]
pub(super) fn int64_len(tag: u32, value: i64) -> usize {
    if value == 0 { 0 } else { key_len(tag) + encoded_len_varint(value as u64) }
}

#[allow(clippy::cast_sign_loss, reason = "the format asks for the two's complement")]
pub(super) fn put_int64(tag: u32, value: i64, out: &mut impl BufMut) {
    if value != 0 {
        encode_key(tag, WireType::Varint, out);
        encode_varint(value as u64, out);
    }
}

pub(super) fn bool_len(tag: u32, value: bool) -> usize {
    int64_len(tag, i64::from(value))
}

pub(super) fn put_bool(tag: u32, value: bool, out: &mut impl BufMut) {
    put_int64(tag, i64::from(value), out);
}

/// The header is field 1 of every response.
const HEADER: u32 = 1;

pub(super) fn header_len(header: Option<&ResponseHeader>) -> usize {
    header.map_or(0, |header| bytes_len(HEADER, Message::encoded_len(header)))
}

pub(super) fn put_header(header: Option<&ResponseHeader>, out: &mut impl BufMut) {
    if let Some(header) = header {
        prost::encoding::message::encode(HEADER, header, out);
    }
}
