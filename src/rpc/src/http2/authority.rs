//! Makes an `:authority` that is a URL into one that h2 takes.
//!
//! Clients of etcd 3.4 put the endpoint there as it was written, `http://127.0.0.1:2379`. grpc-go's server looks at no
//! authority; h2 refuses one with slashes, and ends the stream. So where a literal `:authority` begins with a scheme, what
//! ends the scheme is overwritten by characters of a host name whose Huffman codes are as long: neither the frame's length
//! nor the entry's size in the dynamic table changes (RFC 7541, sections 4.1 and 6.2).
//!
//! Follows a header block's fields without reading them. What is no header block is h2's to refuse.

/// A scheme as it begins a string, and what it becomes. Of the last byte only the bits of the mask are the scheme's.
struct Scheme {
    huffman: bool,
    begins: &'static [u8],
    becomes: &'static [u8],
    last_mask: u8,
}

/// Plain, and in HPACK's Huffman code (RFC 7541, appendix B): `x` is as long there as `:`, and `-` as `/`.
const SCHEMES: [Scheme; 4] = [
    Scheme { huffman: false, begins: b"http://", becomes: b"httpx--", last_mask: 0xff },
    Scheme { huffman: false, begins: b"https://", becomes: b"httpsx--", last_mask: 0xff },
    Scheme {
        huffman: true,
        begins: &[0x9d, 0x29, 0xae, 0xe3, 0x0c, 0x00],
        becomes: &[0x9d, 0x29, 0xaf, 0xca, 0xcb, 0x00],
        last_mask: 0x80,
    },
    Scheme {
        huffman: true,
        begins: &[0x9d, 0x29, 0xad, 0x17, 0x18, 0x60],
        becomes: &[0x9d, 0x29, 0xad, 0x1e, 0x56, 0x58],
        last_mask: 0xfc,
    },
];

/// The name's index in the static table.
const AUTHORITY: u8 = 1;

/// Whose string comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Name,
    Value,
    Authority,
}

/// What the next byte is.
#[derive(Clone, Copy, Debug)]
enum Next {
    Field,
    /// The rest of an index or size of several bytes; then this text, if any.
    Index(Option<Text>),
    Length(Text),
    /// The rest of a length of several bytes, as far as it has come.
    LongLength {
        text: Text,
        huffman: bool,
        length: usize,
        shift: u32,
    },
    Bytes {
        text: Text,
        huffman: bool,
        left: usize,
        is_first: bool,
    },
}

/// A header block, as far as it has come.
#[derive(Debug)]
pub(super) struct HeaderBlock {
    next: Next,
}

impl HeaderBlock {
    /// At the beginning of a block.
    pub(super) fn new() -> HeaderBlock {
        HeaderBlock { next: Next::Field }
    }

    /// Takes the next bytes of the block. A scheme that is cut between two calls stays as it is.
    pub(super) fn push(&mut self, mut bytes: &mut [u8]) {
        while let [first, ..] = *bytes {
            let taken = if let Next::Bytes { text, huffman, left, is_first } = self.next {
                let here = left.min(bytes.len());
                if text == Text::Authority && is_first {
                    overwrite_scheme(&mut bytes[..here], huffman);
                }
                self.next = match left - here {
                    0 => after(text),
                    left => Next::Bytes { text, huffman, left, is_first: false },
                };
                here
            } else {
                self.next = self.step(first);
                1
            };
            bytes = &mut bytes[taken..];
        }
    }

    fn step(&self, byte: u8) -> Next {
        match self.next {
            Next::Field => field(byte),
            Next::Index(then) if byte & 0x80 == 0 => then.map_or(Next::Field, Next::Length),
            Next::Index(then) => Next::Index(then),
            Next::Length(text) => {
                let (huffman, length) = (byte & 0x80 != 0, usize::from(byte & 0x7f));
                match length {
                    0x7f => Next::LongLength { text, huffman, length, shift: 0 },
                    length => string(text, huffman, length),
                }
            }
            Next::LongLength { text, huffman, length, shift } => {
                let more = usize::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
                let length = length.saturating_add(more);
                match byte & 0x80 {
                    0 => string(text, huffman, length),
                    _ => Next::LongLength { text, huffman, length, shift: shift.saturating_add(7) },
                }
            }
            Next::Bytes { .. } => unreachable!("the bytes of a string are taken together"),
        }
    }
}

/// What follows the first byte of a field (RFC 7541, section 6).
fn field(byte: u8) -> Next {
    let (index_mask, literal) = match byte {
        0x80.. => (0x7f, false),
        0x40.. => (0x3f, true),
        0x20.. => (0x1f, false),
        _ => (0x0f, true),
    };
    match (byte & index_mask, literal) {
        (index, true) if index == index_mask => Next::Index(Some(Text::Value)),
        (index, false) if index == index_mask => Next::Index(None),
        (_, false) => Next::Field,
        (0, true) => Next::Length(Text::Name),
        (AUTHORITY, true) => Next::Length(Text::Authority),
        (_, true) => Next::Length(Text::Value),
    }
}

fn string(text: Text, huffman: bool, length: usize) -> Next {
    if length == 0 { after(text) } else { Next::Bytes { text, huffman, left: length, is_first: true } }
}

fn after(text: Text) -> Next {
    if text == Text::Name { Next::Length(Text::Value) } else { Next::Field }
}

fn overwrite_scheme(value: &mut [u8], huffman: bool) {
    for scheme in SCHEMES.iter().filter(|scheme| scheme.huffman == huffman) {
        let Some(beginning) = value.get_mut(..scheme.begins.len()) else { continue };
        let (last, before) = beginning.split_last_mut().expect("a scheme has bytes");
        let (begins_with, begins) = scheme.begins.split_last().expect("a scheme has bytes");
        if before == begins && *last & scheme.last_mask == *begins_with {
            let (becomes_last, becomes) = scheme.becomes.split_last().expect("a scheme has bytes");
            before.copy_from_slice(becomes);
            *last = *becomes_last | *last & !scheme.last_mask;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `:method: POST`, `:scheme: http`, `:path` with a literal value, this `:authority`, a field with a literal name.
    fn block(authority: &[u8], huffman: bool) -> Vec<u8> {
        let length = u8::try_from(authority.len()).unwrap() | u8::from(huffman) << 7;
        [&[0x83, 0x86, 0x44, 0x07], &b"http://"[..], &[0x41, length], authority, b"\x00\x01a\x07http://\x88"].concat()
    }

    fn mended(bytes: &[u8], size: usize) -> Vec<u8> {
        let (mut bytes, mut block) = (bytes.to_vec(), HeaderBlock::new());
        bytes.chunks_mut(size).for_each(|chunk| block.push(chunk));
        bytes
    }

    #[test]
    fn a_scheme_is_overwritten_where_it_begins_an_authority() {
        for (authority, expected) in [
            (&b"http://127.0.0.1:2379"[..], &b"httpx--127.0.0.1:2379"[..]),
            (b"https://h", b"httpsx--h"),
            (b"http://", b"httpx--"),
            (b"http:80", b"http:80"),
            (b"http:/", b"http:/"),
            (b"127.0.0.1:2379", b"127.0.0.1:2379"),
            (b"", b""),
        ] {
            assert_eq!(mended(&block(authority, false), usize::MAX), block(expected, false));
        }
    }

    #[test]
    fn huffman_codes_too() {
        // http://127.0.0.1:2379, https://h (RFC 7541, appendix B).
        let http =
            [0x9d, 0x29, 0xae, 0xe3, 0x0c, 0x04, 0x22, 0xf8, 0x2e, 0x05, 0xc0, 0xb8, 0x17, 0x09, 0x97, 0x4f, 0x9f];
        let mut expected = http;
        expected[..6].copy_from_slice(&[0x9d, 0x29, 0xaf, 0xca, 0xcb, 0x04]);
        assert_eq!(mended(&block(&http, true), usize::MAX), block(&expected, true));
        let (https, expected) =
            ([0x9d, 0x29, 0xad, 0x17, 0x18, 0x62, 0x7f], [0x9d, 0x29, 0xad, 0x1e, 0x56, 0x5a, 0x7f]);
        assert_eq!(mended(&block(&https, true), usize::MAX), block(&expected, true));
        assert_eq!(mended(&block(&https, false), usize::MAX), block(&https, false), "plain bytes are no codes");
    }

    #[test]
    fn the_fields_are_followed_however_the_bytes_are_cut() {
        // The same behind whatever else a block may begin with: a size update, long indexes, a string of 200 bytes.
        let long =
            [&[0x3f, 0xe1, 0x1f, 0xff, 0x01, 0x0f, 0x20, 0x03][..], b"abc", &[0x44, 0x7f, 73], &[b'x'; 200]].concat();
        let bytes = [long.clone(), block(b"http://h", false)].concat();
        let whole = [long, block(b"httpx--h", false)].concat();
        for size in 1..=bytes.len() {
            let found = mended(&bytes, size);
            assert!(found == whole || found == bytes && size < bytes.len(), "in chunks of {size}");
        }
        assert_eq!(mended(&bytes, usize::MAX), whole);
        assert_eq!(mended(&bytes, 256), whole);
    }
}
