//! Header compression without a dynamic table (RFC 7541): literals and the static table only.
//!
//! The client announces `SETTINGS_HEADER_TABLE_SIZE` 0 and sends no request before the server has acknowledged
//! that, so every header block stands for itself: decoding keeps no state, and equal bytes mean equal headers.
//! A block that refers to a dynamic entry nevertheless is an error, never guessed at.

use httlib_huffman::DecoderSpeed;
use thiserror::Error;

/// A header block that cannot be decoded; HTTP/2 calls this a COMPRESSION_ERROR.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HpackError {
    #[error("a header block ends in the middle of a field")]
    Truncated,
    #[error("a header block's integer does not fit 32 bits")]
    IntegerOverflow,
    #[error("a header block refers to index {0}, although the dynamic table was set to size 0")]
    NoSuchIndex(u32),
    #[error("a header block raises the dynamic table to {0} bytes, although 0 was announced")]
    TableResized(u32),
    #[error("a header string is not valid Huffman code")]
    Huffman,
}

/// Calls `field` with each header's name and value, in order.
pub fn decode(block: &[u8], mut field: impl FnMut(&[u8], &[u8])) -> Result<(), HpackError> {
    let mut rest = Reader { bytes: block };
    let (mut name_buffer, mut value_buffer) = (Vec::new(), Vec::new());
    while let Some(&first) = rest.bytes.first() {
        if first & 0x80 != 0 {
            let (name, value) = static_entry(rest.integer(7)?)?;
            field(name.as_bytes(), value.as_bytes());
            continue;
        }
        if first & 0xe0 == 0x20 {
            match rest.integer(5)? {
                0 => continue,
                size => return Err(HpackError::TableResized(size)),
            }
        }
        // With an empty table, 'with incremental indexing' (01) is a literal like the other two (0000, 0001).
        let name_index = rest.integer(if first & 0x40 != 0 { 6 } else { 4 })?;
        let name = match name_index {
            0 => rest.string(&mut name_buffer)?,
            index => static_entry(index)?.0.as_bytes(),
        };
        let value = rest.string(&mut value_buffer)?;
        field(name, value);
    }
    Ok(())
}

/// Appends a literal field that no table shall keep, its name from the static table.
pub fn write_static_name(out: &mut Vec<u8>, name_index: u32, value: &[u8]) {
    write_integer(out, 4, 0x00, name_index);
    write_string(out, value);
}

/// Appends a literal field that no table shall keep, with a name of its own.
pub fn write_literal(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(0x00);
    write_string(out, name);
    write_string(out, value);
}

/// Appends a whole field of the static table.
pub fn write_indexed(out: &mut Vec<u8>, index: u32) {
    write_integer(out, 7, 0x80, index);
}

fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    write_integer(out, 7, 0x00, u32::try_from(bytes.len()).expect("a header is far below 4 GiB"));
    out.extend_from_slice(bytes);
}

/// RFC 7541, section 5.1: an integer in the low `prefix_bits` of a byte whose upper bits are `pattern`.
fn write_integer(out: &mut Vec<u8>, prefix_bits: u32, pattern: u8, value: u32) {
    let limit = (1u32 << prefix_bits) - 1;
    if value < limit {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | limit as u8);
    let mut rest = value - limit;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, HpackError> {
        let (&first, rest) = self.bytes.split_first().ok_or(HpackError::Truncated)?;
        self.bytes = rest;
        Ok(first)
    }

    fn integer(&mut self, prefix_bits: u32) -> Result<u32, HpackError> {
        let limit = (1u32 << prefix_bits) - 1;
        let mut value = u32::from(self.byte()?) & limit;
        if value < limit {
            return Ok(value);
        }
        for shift in [0u32, 7, 14, 21, 28] {
            let byte = self.byte()?;
            let part = u32::from(byte & 0x7f);
            let shifted = part.checked_mul(1 << shift).ok_or(HpackError::IntegerOverflow)?;
            value = value.checked_add(shifted).ok_or(HpackError::IntegerOverflow)?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(HpackError::IntegerOverflow)
    }

    /// A string; `buffer` holds it if it had to be decoded.
    fn string<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], HpackError>
    where
        'a: 'b,
    {
        let huffman = self.bytes.first().is_some_and(|first| first & 0x80 != 0);
        let length = usize::try_from(self.integer(7)?).map_err(|_| HpackError::IntegerOverflow)?;
        let (text, rest) = self.bytes.split_at_checked(length).ok_or(HpackError::Truncated)?;
        self.bytes = rest;
        if !huffman {
            return Ok(text);
        }
        buffer.clear();
        httlib_huffman::decode(text, buffer, DecoderSpeed::FourBits).map_err(|_| HpackError::Huffman)?;
        Ok(buffer)
    }
}

fn static_entry(index: u32) -> Result<(&'static str, &'static str), HpackError> {
    let at = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
    at.and_then(|at| STATIC_TABLE.get(at)).copied().ok_or(HpackError::NoSuchIndex(index))
}

/// RFC 7541, appendix A; entry 1 comes first.
const STATIC_TABLE: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(block: &[u8]) -> Result<Vec<(String, String)>, HpackError> {
        let mut fields = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        decode(block, |name, value| fields.push((text(name), text(value))))?;
        Ok(fields)
    }

    fn field(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let long = "v".repeat(300);
        let mut block = Vec::new();
        write_indexed(&mut block, 3);
        write_static_name(&mut block, 31, b"application/grpc");
        write_literal(&mut block, b"te", long.as_bytes());
        let expected = [field(":method", "POST"), field("content-type", "application/grpc"), field("te", &long)];
        assert_eq!(decoded(&block).unwrap(), expected);
    }

    #[test]
    fn the_rfcs_own_examples_decode() {
        // RFC 7541, C.4.1: a request with Huffman code and incremental indexing.
        let block =
            [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        let expected = [
            field(":method", "GET"),
            field(":scheme", "http"),
            field(":path", "/"),
            field(":authority", "www.example.com"),
        ];
        assert_eq!(decoded(&block).unwrap(), expected);
        // C.1.2: 1337 with a prefix of five bits.
        let mut bytes = Vec::new();
        write_integer(&mut bytes, 5, 0, 1337);
        assert_eq!(bytes, [31, 154, 10]);
        assert_eq!(Reader { bytes: &bytes }.integer(5), Ok(1337));
    }

    #[test]
    fn a_size_update_to_zero_is_the_only_one_allowed() {
        assert_eq!(decoded(&[0x20, 0x88]).unwrap(), [field(":status", "200")]);
        assert_eq!(decoded(&[0x21]), Err(HpackError::TableResized(1)));
    }

    #[test]
    fn damage_is_named() {
        assert_eq!(decoded(&[0xbe]), Err(HpackError::NoSuchIndex(62)));
        assert_eq!(decoded(&[0x80]), Err(HpackError::NoSuchIndex(0)));
        assert_eq!(decoded(&[0x00, 0x05, b'a']), Err(HpackError::Truncated));
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Err(HpackError::IntegerOverflow));
        assert_eq!(decoded(&[0x08, 0x84, 0xff, 0xff, 0xff, 0xff]), Err(HpackError::Huffman));
    }

    #[test]
    fn no_cut_or_flipped_block_panics() {
        let mut block = vec![0x20, 0x88];
        write_static_name(&mut block, 31, b"application/grpc");
        write_literal(&mut block, b"grpc-status", b"14");
        for end in 0..block.len() {
            let _ = decoded(&block[..end]);
            for bit in 0..8 {
                let mut flipped = block.clone();
                flipped[end] ^= 1 << bit;
                let _ = decode(&flipped, |_, _| ());
            }
        }
    }
}
