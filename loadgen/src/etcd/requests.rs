//! The requests that a load is made of, as protobuf bytes. Field numbers are those of etcd's `rpc.proto`.
//! Pure and one way: they are appended to a buffer that the caller reuses.

use super::protobuf::{bytes_field_size, varint_size, write_bytes, write_int64, write_length};

/// A unary method of etcd's KV service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Range,
    Put,
    Txn,
}

impl Method {
    pub const ALL: [Self; 3] = [Self::Range, Self::Put, Self::Txn];

    /// The path that gRPC calls it by.
    pub fn path(self) -> &'static str {
        match self {
            Self::Range => "/etcdserverpb.KV/Range",
            Self::Put => "/etcdserverpb.KV/Put",
            Self::Txn => "/etcdserverpb.KV/Txn",
        }
    }
}

/// What a range asks for; the default is one key, linearizable.
#[derive(Debug, Clone, Copy, Default)]
pub struct Range<'a> {
    pub key: &'a [u8],
    /// Empty for a single key.
    pub range_end: &'a [u8],
    /// 0 is no limit.
    pub limit: i64,
    pub serializable: bool,
    pub count_only: bool,
}

/// Appends a `PutRequest`.
pub fn put(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    write_bytes(out, 1, key);
    write_bytes(out, 2, value);
}

/// Appends a `RangeRequest`.
pub fn range(out: &mut Vec<u8>, request: Range<'_>) {
    write_bytes(out, 1, request.key);
    if !request.range_end.is_empty() {
        write_bytes(out, 2, request.range_end);
    }
    if request.limit != 0 {
        write_int64(out, 3, request.limit);
    }
    if request.serializable {
        write_int64(out, 7, 1);
    }
    if request.count_only {
        write_int64(out, 9, 1);
    }
}

/// Appends the `TxnRequest` that Kubernetes updates an object with: if the key's mod revision is `mod_revision`,
/// put the value, else read the key. With `mod_revision` 0 it creates the key.
pub fn update(out: &mut Vec<u8>, key: &[u8], value: &[u8], mod_revision: i64) {
    const TARGET_MOD: i64 = 2;
    let key_size = bytes_field_size(key.len());
    // Compare: result EQUAL is 0 and left out; target, key, and the revision even if it is 0.
    write_length(out, 1, 2 + key_size + 1 + varint_size(mod_revision as u64));
    write_int64(out, 2, TARGET_MOD);
    write_bytes(out, 3, key);
    write_int64(out, 6, mod_revision);
    // Success: one operation, a put. Failure: one operation, a range.
    let put_size = key_size + bytes_field_size(value.len());
    write_length(out, 2, bytes_field_size(put_size));
    write_length(out, 2, put_size);
    put(out, key, value);
    write_length(out, 3, bytes_field_size(key_size));
    write_length(out, 1, key_size);
    write_bytes(out, 1, key);
}
