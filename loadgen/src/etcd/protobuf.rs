//! Just enough of the protobuf wire format: varints, byte fields, and a bounded walk over a message's fields.
//! It knows no message of etcd's, and never reads beyond what it was given.

use thiserror::Error;

/// Bytes that are no protobuf message, or not the expected one.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("a response ends in the middle of a field")]
    Truncated,
    #[error("a response holds a varint of more than 64 bits")]
    VarintOverflow,
    #[error("a response holds a field of unknown wire type {0}")]
    WireType(u64),
    #[error("a response's field {0} has another type than etcd gives it")]
    FieldType(u64),
    #[error("a response lacks {0}")]
    Missing(&'static str),
}

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// A fixed-width number; no field that is read here has one.
    Fixed,
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    pub number: u64,
    pub value: Value<'a>,
}

impl<'a> Field<'a> {
    /// The field as an int64 (also bool, uint64).
    ///
    /// # Errors
    /// If it is of another wire type.
    pub fn int64(self) -> Result<i64, DecodeError> {
        match self.value {
            Value::Varint(value) => Ok(value as i64),
            _ => Err(DecodeError::FieldType(self.number)),
        }
    }

    /// The field as bytes or as a nested message.
    ///
    /// # Errors
    /// If it is of another wire type.
    pub fn bytes(self) -> Result<&'a [u8], DecodeError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(DecodeError::FieldType(self.number)),
        }
    }
}

/// Calls `visit` with each field of `message`, in order.
///
/// # Errors
/// If the bytes are not a message, or `visit` refuses a field.
pub fn fields<'a>(
    message: &'a [u8],
    mut visit: impl FnMut(Field<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut rest = message;
    while !rest.is_empty() {
        let key = read_varint(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Varint(read_varint(&mut rest)?),
            1 => fixed(take(&mut rest, 8)?),
            2 => {
                let length = read_varint(&mut rest)?;
                Value::Bytes(take(&mut rest, usize::try_from(length).map_err(|_| DecodeError::Truncated)?)?)
            }
            5 => fixed(take(&mut rest, 4)?),
            other => return Err(DecodeError::WireType(other)),
        };
        visit(Field { number: key >> 3, value })?;
    }
    Ok(())
}

/// Appends an integer field. Zero is written too: a field of a `oneof` is present even then.
pub fn write_int64(out: &mut Vec<u8>, number: u32, value: i64) {
    write_varint(out, u64::from(number << 3));
    write_varint(out, value as u64);
}

/// Appends a field of bytes.
pub fn write_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    write_length(out, number, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends the head of a nested message whose `length` bytes follow.
pub fn write_length(out: &mut Vec<u8>, number: u32, length: usize) {
    write_varint(out, u64::from(number << 3 | 2));
    write_varint(out, length as u64);
}

/// Size of a field of bytes whose number is below 16, in bytes.
pub fn bytes_field_size(length: usize) -> usize {
    1 + varint_size(length as u64) + length
}

/// Size of a varint, in bytes.
pub fn varint_size(value: u64) -> usize {
    (u64::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(rest: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or(DecodeError::Truncated)?;
        *rest = tail;
        if shift == 63 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::VarintOverflow)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (head, tail) = rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(head)
}

fn fixed(_: &[u8]) -> Value<'_> {
    Value::Fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_survive_at_every_size() {
        for value in (0..64).flat_map(|bit| [1u64 << bit, (1 << bit) - 1]).chain([u64::MAX]) {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, value);
            assert_eq!(bytes.len(), varint_size(value), "{value}");
            let mut rest = bytes.as_slice();
            assert_eq!((read_varint(&mut rest), rest), (Ok(value), [].as_slice()));
        }
        assert_eq!(read_varint(&mut [0xff; 11].as_slice()), Err(DecodeError::VarintOverflow));
    }

    #[test]
    fn damage_is_named() {
        let walk = |bytes: &[u8]| fields(bytes, |_| Ok(()));
        assert_eq!(walk(&[0x0a, 5, 1]), Err(DecodeError::Truncated));
        assert_eq!(walk(&[0x0b]), Err(DecodeError::WireType(3)));
        assert_eq!(walk(&[0x80]), Err(DecodeError::Truncated));
        assert_eq!(walk(&[0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0, 0, 0, 0]), Ok(()));
        assert_eq!(walk(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), Err(DecodeError::Truncated));
    }
}
