//! The two shapes of field that `mvccpb.KeyValue` is made of: a number (wire type 0) and a run of bytes (wire type 2).
//!
//! Writing appends to a vector; reading consumes a slice and answers `None` where the bytes end too early.
//! Source: protobuf's encoding guide, "Base 128 Varints" and "Length-Delimited Records".

/// Most bytes that one varint of 64 bits takes.
const VARINT_BYTES_MAX: usize = 10;

/// Appends `number` in base 128, least significant group first.
pub(super) fn write(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a numeric field; proto3 leaves out a zero.
pub(super) fn write_number_field(out: &mut Vec<u8>, tag: u8, number: i64) {
    if number != 0 {
        out.push(tag);
        write(out, number as u64);
    }
}

/// Appends a field of bytes; proto3 leaves out an empty one.
pub(super) fn write_bytes_field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    if !bytes.is_empty() {
        out.push(tag);
        write(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

/// Takes one varint from the front of `input`.
#[inline]
pub(super) fn take(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for count in 0..VARINT_BYTES_MAX {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        number |= u64::from(byte & 0x7f) << (7 * count);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Takes the field with this tag from the front of `input`, or reads the zero that its absence means.
#[inline]
pub(super) fn take_number_field(input: &mut &[u8], tag: u8) -> Option<i64> {
    match input.split_first() {
        Some((&first, rest)) if first == tag => {
            *input = rest;
            take(input).map(|number| number as i64)
        }
        _ => Some(0),
    }
}

/// Takes the field with this tag from the front of `input`, or reads the empty bytes that its absence means.
#[inline]
pub(super) fn take_bytes_field<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    match input.split_first() {
        Some((&first, rest)) if first == tag => {
            *input = rest;
            let length = usize::try_from(take(input)?).ok()?;
            let (bytes, rest) = input.split_at_checked(length)?;
            *input = rest;
            Some(bytes)
        }
        _ => Some(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_round_trip() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            write(&mut out, number);
            let mut input = out.as_slice();
            assert_eq!(take(&mut input), Some(number));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn bytes_that_end_too_early_are_refused() {
        assert_eq!(take(&mut [0x80].as_slice()), None);
        assert_eq!(take(&mut [0xff; 11].as_slice()), None);
        assert_eq!(take_bytes_field(&mut [0x0a, 3, 1, 2].as_slice(), 0x0a), None);
        assert_eq!(take_number_field(&mut [0x10].as_slice(), 0x10), None);
    }

    #[test]
    fn an_absent_field_reads_as_its_default() {
        assert_eq!(take_number_field(&mut [0x18, 7].as_slice(), 0x10), Some(0));
        assert_eq!(take_bytes_field(&mut [0x18, 7].as_slice(), 0x0a), Some([].as_slice()));
    }
}
