//! Reads fixed-width little-endian fields off a slice and never past its end.
//!
//! Every format of this crate is decoded through it. Writing needs no counterpart: `bytes::BufMut` does it.

/// Why bytes could not be decoded, for a message that also names file and offset.
pub(crate) type Malformed = &'static str;

/// What is still to be decoded.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Fields { rest: bytes }
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("it ends too early")?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or("it ends too early")?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A length that must not be above `limit`.
    pub(crate) fn length(&mut self, limit: usize, above: Malformed) -> Result<usize, Malformed> {
        let length = self.u32()? as usize;
        if length > limit { Err(above) } else { Ok(length) }
    }

    /// How many bytes are left.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Asserts that nothing is left.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err("bytes are left over at its end") }
    }
}

/// `length` rounded up to whole blocks.
pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(crate::bounds::BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_reads_past_the_end() {
        let mut fields = Fields::new(&[1, 2, 3, 4, 5]);
        assert_eq!(fields.u32(), Ok(0x0403_0201));
        assert!(fields.u32().is_err());
        assert_eq!(fields.remaining(), 1);
        assert_eq!(fields.take(1), Ok(&[5_u8][..]));
        assert!(fields.u8().is_err());
        assert_eq!(fields.finish(), Ok(()));
    }

    #[test]
    fn lengths_are_bounded() {
        let bytes = 9_u32.to_le_bytes();
        assert_eq!(Fields::new(&bytes).length(9, "too long"), Ok(9));
        assert_eq!(Fields::new(&bytes).length(8, "too long"), Err("too long"));
    }
}
