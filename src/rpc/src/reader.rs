//! Cuts a stream of bytes into gRPC's length-prefixed messages.

use bytes::{Buf, Bytes, BytesMut};

use crate::segment::PREFIX_BYTES;
use crate::status::{Code, Status};

/// What has arrived of one stream and is not yet handed on. A message that came in one piece is not copied.
#[derive(Debug)]
pub(crate) struct MessageReader {
    /// Bytes not looked at yet.
    arrived: Bytes,
    /// A message that has begun, with its prefix. It grows with what arrives, not with what is announced.
    partial: BytesMut,
    message_max_bytes: usize,
}

impl MessageReader {
    pub(crate) fn new(message_max_bytes: usize) -> MessageReader {
        MessageReader { arrived: Bytes::new(), partial: BytesMut::new(), message_max_bytes }
    }

    /// Adds bytes. All messages must have been taken before.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        assert!(self.arrived.is_empty(), "all that arrived before was looked at");
        self.arrived = bytes;
    }

    /// Bytes of a message that is not complete.
    pub(crate) fn partial_bytes(&self) -> usize {
        self.partial.len()
    }

    /// The next message; `None` until more bytes arrive.
    ///
    /// # Errors
    /// A message that is too long, compressed, or no gRPC at all, with grpc-go's texts.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Status> {
        if self.partial.is_empty() {
            let Some(length) = self.announced(&self.arrived)? else {
                self.stash(self.arrived.len());
                return Ok(None);
            };
            if self.arrived.len() >= PREFIX_BYTES + length {
                self.arrived.advance(PREFIX_BYTES);
                return Ok(Some(self.arrived.split_to(length)));
            }
        }
        self.stash(PREFIX_BYTES.saturating_sub(self.partial.len()));
        let Some(length) = self.announced(&self.partial)? else { return Ok(None) };
        self.stash(PREFIX_BYTES + length - self.partial.len());
        if self.partial.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        let mut message = std::mem::take(&mut self.partial).freeze();
        message.advance(PREFIX_BYTES);
        Ok(Some(message))
    }

    /// Moves up to `count` of the bytes that arrived to the message that has begun.
    fn stash(&mut self, count: usize) {
        let taken = self.arrived.split_to(count.min(self.arrived.len()));
        self.partial.extend_from_slice(&taken);
    }

    /// The length of the message that begins with `bytes`; `None` if its prefix is not complete.
    fn announced(&self, bytes: &[u8]) -> Result<Option<usize>, Status> {
        let Some(&[flag, a, b, c, d]) = bytes.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        match flag {
            0 => {}
            1 => {
                let text = "grpc: compressed flag set with identity or empty encoding";
                return Err(Status::new(Code::Internal, text));
            }
            flag => {
                let text = format!("grpc: received unexpected payload format {flag}");
                return Err(Status::new(Code::Internal, text));
            }
        }
        let (length, max) = (u32::from_be_bytes([a, b, c, d]) as usize, self.message_max_bytes);
        if length > max {
            let text = format!("grpc: received message larger than max ({length} vs. {max})");
            return Err(Status::new(Code::ResourceExhausted, text));
        }
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        let mut all = Vec::new();
        for message in messages {
            all.push(0);
            all.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            all.extend_from_slice(message);
        }
        all
    }

    #[test]
    fn messages_are_the_same_however_they_are_cut() {
        let messages: [&[u8]; 5] = [b"", b"a", b"hello", b"", b"a longer message"];
        let all = framed(&messages);
        for size in 1..=all.len() {
            let mut reader = MessageReader::new(16);
            let mut found = Vec::new();
            for chunk in all.chunks(size) {
                reader.push(Bytes::copy_from_slice(chunk));
                while let Some(message) = reader.next().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, messages, "in chunks of {size}");
            assert_eq!(reader.partial_bytes(), 0);
        }
    }

    #[test]
    fn what_is_refused_is_refused_at_its_prefix() {
        let cases: [(&[u8], Code, &str); 3] = [
            (b"\0\0\0\0\x11", Code::ResourceExhausted, "grpc: received message larger than max (17 vs. 16)"),
            (b"\x01\0\0\0\0", Code::Internal, "grpc: compressed flag set with identity or empty encoding"),
            (b"\x07\0\0\0\0", Code::Internal, "grpc: received unexpected payload format 7"),
        ];
        for (bytes, code, text) in cases {
            for size in [1, 3, 5] {
                let mut reader = MessageReader::new(16);
                let refused = bytes.chunks(size).find_map(|chunk| {
                    reader.push(Bytes::copy_from_slice(chunk));
                    reader.next().err()
                });
                assert_eq!(refused, Some(Status::new(code, text)));
            }
        }
    }

    #[test]
    fn an_unfinished_message_is_noticed() {
        let mut reader = MessageReader::new(16);
        reader.push(Bytes::from_static(b"\0\0\0\0\x05hel"));
        assert_eq!(reader.next(), Ok(None));
        assert_eq!(reader.partial_bytes(), 8);
    }
}
