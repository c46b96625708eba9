//! Fixed-width little-endian reading and writing, shared by every format of the core.
//!
//! A [`Reader`] never reads past its end and never trusts a length: what is wrong comes back as [`Malformed`].

use bytes::Bytes;

/// Bytes that are not what their format says. Names the field that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

/// Reads fields from the front of a buffer; byte strings are slices that share it.
#[derive(Debug)]
pub struct Reader {
    rest: Bytes,
}

impl Reader {
    #[must_use]
    pub fn new(bytes: Bytes) -> Reader {
        Reader { rest: bytes }
    }

    pub fn u8(&mut self, field: &'static str) -> Result<u8, Malformed> {
        Ok(self.array::<1>(field)?[0])
    }

    pub fn u32(&mut self, field: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    pub fn u64(&mut self, field: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    pub fn i64(&mut self, field: &'static str) -> Result<i64, Malformed> {
        Ok(i64::from_le_bytes(self.array(field)?))
    }

    /// A byte string: its length as u32, then its bytes.
    pub fn bytes(&mut self, field: &'static str) -> Result<Bytes, Malformed> {
        let length = self.u32(field)? as usize;
        if length > self.rest.len() {
            return Err(Malformed(field));
        }
        Ok(self.rest.split_to(length))
    }

    /// A count of items of which each takes at least `item_bytes_min` bytes: a count that cannot fit is malformed, so
    /// nobody allocates for it.
    pub fn count(&mut self, item_bytes_min: usize, field: &'static str) -> Result<usize, Malformed> {
        let count = self.u32(field)? as usize;
        if count > self.rest.len() / item_bytes_min.max(1) {
            return Err(Malformed(field));
        }
        Ok(count)
    }

    /// Nothing may be left.
    pub fn end(self, what: &'static str) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed(what)) }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Malformed> {
        let (head, _) = self.rest.split_first_chunk::<N>().ok_or(Malformed(field))?;
        let head = *head;
        bytes::Buf::advance(&mut self.rest, N);
        Ok(head)
    }
}

/// Appends fields to a buffer.
pub trait Write {
    fn put_u8(&mut self, value: u8);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    fn put_i64(&mut self, value: i64);
    /// A byte string: its length as u32, then its bytes.
    fn put_bytes(&mut self, value: &[u8]);
    /// The number of items that follow.
    fn put_count(&mut self, count: usize) {
        self.put_u32(u32::try_from(count).expect("no list of the core has 2^32 items"));
    }
}

impl Write for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_i64(&mut self, value: i64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_bytes(&mut self, value: &[u8]) {
        self.put_u32(u32::try_from(value.len()).expect("byte strings are bounded far below 4 GiB"));
        self.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut buffer = Vec::new();
        buffer.put_u8(7);
        buffer.put_u32(1 << 20);
        buffer.put_i64(-5);
        buffer.put_bytes(b"key");
        let mut reader = Reader::new(buffer.into());
        assert_eq!(reader.u8("a"), Ok(7));
        assert_eq!(reader.u32("b"), Ok(1 << 20));
        assert_eq!(reader.i64("c"), Ok(-5));
        assert_eq!(reader.bytes("d"), Ok(Bytes::from_static(b"key")));
        assert_eq!(reader.end("e"), Ok(()));
    }

    #[test]
    fn lengths_are_not_trusted() {
        let mut reader = Reader::new(Bytes::from_static(&[255, 255, 255, 255, 1]));
        assert_eq!(reader.bytes("value"), Err(Malformed("value")));
        let mut reader = Reader::new(Bytes::from_static(&[255, 255, 0, 0, 1, 2]));
        assert_eq!(reader.count(1, "changes"), Err(Malformed("changes")));
        assert_eq!(Reader::new(Bytes::from_static(&[1])).u64("term"), Err(Malformed("term")));
    }
}
