//! The few fields of etcd's responses that a load is judged by. Field numbers are those of etcd's `rpc.proto`
//! and `kv.proto`. Pure; unknown fields are skipped, damaged bytes are an error.

use super::protobuf::{DecodeError, fields};

/// What a `RangeResponse` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RangeAnswer {
    /// The store's revision, from the header; 0 if there is none, as inside a transaction.
    pub revision: i64,
    /// Keys in the whole range.
    pub count: i64,
    /// Keys in this response.
    pub returned: u64,
    /// The first key's mod revision, or 0 without keys.
    pub mod_revision: i64,
}

/// What a `TxnResponse` to an update says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxnAnswer {
    pub revision: i64,
    /// Whether the comparison held, and so the put was made.
    pub succeeded: bool,
    /// The key as the failure branch read it.
    pub found: Option<RangeAnswer>,
}

/// The revision of a `PutResponse`, which is the key's new mod revision.
///
/// # Errors
/// If the bytes are not such a response.
pub fn put(message: &[u8]) -> Result<i64, DecodeError> {
    let mut revision = None;
    fields(message, |field| {
        if field.number == 1 {
            revision = Some(header_revision(field.bytes()?)?);
        }
        Ok(())
    })?;
    revision.ok_or(DecodeError::Missing("its header"))
}

/// A `RangeResponse` of its own, with a header.
///
/// # Errors
/// If the bytes are not such a response.
pub fn range(message: &[u8]) -> Result<RangeAnswer, DecodeError> {
    let answer = nested_range(message)?;
    if answer.revision == 0 {
        return Err(DecodeError::Missing("its header"));
    }
    Ok(answer)
}

/// A `TxnResponse`.
///
/// # Errors
/// If the bytes are not such a response.
pub fn txn(message: &[u8]) -> Result<TxnAnswer, DecodeError> {
    let (mut revision, mut succeeded, mut found) = (None, false, None);
    fields(message, |field| {
        match field.number {
            1 => revision = Some(header_revision(field.bytes()?)?),
            2 => succeeded = field.int64()? != 0,
            3 => fields(field.bytes()?, |operation| {
                if operation.number == 1 {
                    found = Some(nested_range(operation.bytes()?)?);
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(TxnAnswer { revision: revision.ok_or(DecodeError::Missing("its header"))?, succeeded, found })
}

fn nested_range(message: &[u8]) -> Result<RangeAnswer, DecodeError> {
    let mut answer = RangeAnswer::default();
    fields(message, |field| {
        match field.number {
            1 => answer.revision = header_revision(field.bytes()?)?,
            2 => {
                if answer.returned == 0 {
                    answer.mod_revision = mod_revision(field.bytes()?)?;
                }
                answer.returned += 1;
            }
            4 => answer.count = field.int64()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(answer)
}

fn header_revision(header: &[u8]) -> Result<i64, DecodeError> {
    int64_of(header, 3)
}

fn mod_revision(key_value: &[u8]) -> Result<i64, DecodeError> {
    int64_of(key_value, 3)
}

fn int64_of(message: &[u8], number: u64) -> Result<i64, DecodeError> {
    let mut value = 0;
    fields(message, |field| {
        if field.number == number {
            value = field.int64()?;
        }
        Ok(())
    })?;
    Ok(value)
}
