//! What members send to each other after the handshake. Pure format, version 1; all numbers little-endian.
//!
//! ```text
//! frame: u32 length of kind and payload | u32 crc32c of them | u8 kind | payload
//!
//!   1 message      a core::peer::PeerMessage                                            from who opened the connection
//!   2 request      u64 number, u32 method, u64 microseconds left (0: no deadline), message    "
//!   3 ping         u64 number                                                                  "
//!   4 answer part  u64 number, bytes: the beginning of an answer                        from who accepted it
//!   5 answer       u64 number, bytes: the rest of the answer                                   "
//!   6 status       u64 number, u32 gRPC code, text                                             "
//!   7 pong         u64 number                                                                  "
//! ```

use std::time::Duration;

use bytes::Bytes;
use campanile_core::codec::{Malformed, Reader, Write};
use campanile_core::peer::PeerMessage;

use super::bounds::{FRAME_BYTES_MAX, STATUS_TEXT_BYTES_MAX};
use super::relay::{RelayRequest, RelayStatus};

/// Length and checksum.
pub const HEADER_BYTES: usize = 8;

const MESSAGE: u8 = 1;
const REQUEST: u8 = 2;
const PING: u8 = 3;
const ANSWER_PART: u8 = 4;
const ANSWER: u8 = 5;
const STATUS: u8 = 6;
const PONG: u8 = 7;

#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    Message(PeerMessage),
    Request { number: u64, request: RelayRequest },
    Ping(u64),
    AnswerPart { number: u64, bytes: Bytes },
    Answer { number: u64, bytes: Bytes },
    Status { number: u64, status: RelayStatus },
    Pong(u64),
}

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {0} bytes, of which there are 1 to {FRAME_BYTES_MAX}")]
    Length(u32),
    #[error("a frame whose checksum is wrong")]
    Checksum,
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// What stands before a frame's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of kind and payload; within the bound.
    pub length: usize,
    checksum: u32,
}

impl Header {
    /// # Errors
    /// If the length is out of bounds: nobody allocates for it.
    pub fn decode(bytes: [u8; HEADER_BYTES]) -> Result<Header, FrameError> {
        let number = u64::from_le_bytes(bytes);
        let (length, checksum) = (number as u32, (number >> 32) as u32);
        match length as usize {
            1..=FRAME_BYTES_MAX => Ok(Header { length: length as usize, checksum }),
            _ => Err(FrameError::Length(length)),
        }
    }

    /// Reads the body, which is of this header's length. What the frame carries shares its memory.
    ///
    /// # Errors
    /// If the checksum or the form is wrong.
    pub fn decode_body(self, body: Bytes) -> Result<Frame, FrameError> {
        assert_eq!(body.len(), self.length, "a body is read whole");
        if crc32c::crc32c(&body) != self.checksum {
            return Err(FrameError::Checksum);
        }
        let mut reader = Reader::new(body.slice(1..));
        let frame = match body.first().copied() {
            Some(MESSAGE) => return Ok(Frame::Message(PeerMessage::decode(body.slice(1..))?)),
            Some(REQUEST) => {
                let number = reader.u64("request number")?;
                let method = reader.u32("method")?;
                let deadline = Some(reader.u64("deadline")?).filter(|left| *left > 0).map(Duration::from_micros);
                let message = reader.bytes("request")?;
                Frame::Request { number, request: RelayRequest { method, message, deadline } }
            }
            Some(PING) => Frame::Ping(reader.u64("ping")?),
            Some(ANSWER_PART) => {
                Frame::AnswerPart { number: reader.u64("request number")?, bytes: reader.bytes("part of an answer")? }
            }
            Some(ANSWER) => Frame::Answer { number: reader.u64("request number")?, bytes: reader.bytes("answer")? },
            Some(STATUS) => {
                let number = reader.u64("request number")?;
                let code = reader.u32("status code")?;
                let text = reader.bytes("status text")?;
                let text = std::str::from_utf8(&text).map_err(|_| Malformed("status text"))?.to_owned();
                Frame::Status { number, status: RelayStatus { code, text } }
            }
            Some(PONG) => Frame::Pong(reader.u64("pong")?),
            _ => return Err(Malformed("frame kind").into()),
        };
        reader.end("end of frame")?;
        Ok(frame)
    }
}

/// Appends a message's frame; false if the message does not travel (the buffer is unchanged then).
#[must_use]
pub fn put_message(buffer: &mut Vec<u8>, message: &PeerMessage) -> bool {
    let start = buffer.len();
    let travels = put(buffer, MESSAGE, |buffer| message.encode(buffer));
    if !travels {
        buffer.truncate(start);
    }
    travels
}

pub fn put_request(buffer: &mut Vec<u8>, number: u64, request: &RelayRequest) {
    put(buffer, REQUEST, |buffer| {
        buffer.put_u64(number);
        buffer.put_u32(request.method);
        // A deadline that has passed is one all the same, and 0 means none.
        let left = request.deadline.map(|left| u64::try_from(left.as_micros()).unwrap_or(u64::MAX).max(1));
        buffer.put_u64(left.unwrap_or(0));
        buffer.put_bytes(&request.message);
    });
}

pub fn put_ping(buffer: &mut Vec<u8>, number: u64) {
    put(buffer, PING, |buffer| buffer.put_u64(number));
}

pub fn put_answer_part(buffer: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put(buffer, ANSWER_PART, |buffer| {
        buffer.put_u64(number);
        buffer.put_bytes(bytes);
    });
}

pub fn put_answer(buffer: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put(buffer, ANSWER, |buffer| {
        buffer.put_u64(number);
        buffer.put_bytes(bytes);
    });
}

pub fn put_status(buffer: &mut Vec<u8>, number: u64, status: &RelayStatus) {
    put(buffer, STATUS, |buffer| {
        buffer.put_u64(number);
        buffer.put_u32(status.code);
        let mut end = status.text.len().min(STATUS_TEXT_BYTES_MAX);
        while !status.text.is_char_boundary(end) {
            end -= 1;
        }
        buffer.put_bytes(&status.text.as_bytes()[..end]);
    });
}

pub fn put_pong(buffer: &mut Vec<u8>, number: u64) {
    put(buffer, PONG, |buffer| buffer.put_u64(number));
}

/// Appends a frame around what `write` appends, and says what `write` said.
fn put<T>(buffer: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER_BYTES]);
    buffer.push(kind);
    let said = write(buffer);
    let body = start + HEADER_BYTES;
    let length = buffer.len() - body;
    assert!(
        length <= FRAME_BYTES_MAX,
        "a frame of {length} bytes: entries, requests and answers are bounded below that"
    );
    let checksum = crc32c::crc32c(&buffer[body..]);
    let header = u64::from(checksum) << 32 | length as u64;
    buffer[start..body].copy_from_slice(&header.to_le_bytes());
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Frame, FrameError> {
        let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().expect("a header");
        Header::decode(*header)?.decode_body(Bytes::copy_from_slice(body))
    }

    fn encode(frame: &Frame) -> Vec<u8> {
        let mut buffer = Vec::new();
        match frame {
            Frame::Message(message) => assert!(put_message(&mut buffer, message)),
            Frame::Request { number, request } => put_request(&mut buffer, *number, request),
            Frame::Ping(number) => put_ping(&mut buffer, *number),
            Frame::AnswerPart { number, bytes } => put_answer_part(&mut buffer, *number, bytes),
            Frame::Answer { number, bytes } => put_answer(&mut buffer, *number, bytes),
            Frame::Status { number, status } => put_status(&mut buffer, *number, status),
            Frame::Pong(number) => put_pong(&mut buffer, *number),
        }
        buffer
    }

    fn request(deadline: Option<Duration>) -> RelayRequest {
        RelayRequest { method: 3, message: Bytes::from_static(b"put"), deadline }
    }

    /// One frame of each kind, and the bytes after its header.
    fn examples() -> Vec<(Frame, Vec<u8>)> {
        let number = [7, 0, 0, 0, 0, 0, 0, 0];
        let concat = |parts: &[&[u8]]| parts.concat();
        let status = RelayStatus { code: 14, text: "no".to_owned() };
        vec![
            (Frame::Message(PeerMessage::AskVisible { question: 7 }), concat(&[&[1, 5], &number])),
            (
                Frame::Request { number: 7, request: request(Some(Duration::from_millis(1))) },
                concat(&[&[2], &number, &[3, 0, 0, 0], &[0xe8, 3, 0, 0, 0, 0, 0, 0], &[3, 0, 0, 0], b"put"]),
            ),
            (
                Frame::Request { number: 7, request: request(None) },
                concat(&[&[2], &number, &[3, 0, 0, 0], &[0; 8], &[3, 0, 0, 0], b"put"]),
            ),
            (Frame::Ping(7), concat(&[&[3], &number])),
            (
                Frame::AnswerPart { number: 7, bytes: Bytes::from_static(b"a") },
                concat(&[&[4], &number, &[1, 0, 0, 0], b"a"]),
            ),
            (Frame::Answer { number: 7, bytes: Bytes::new() }, concat(&[&[5], &number, &[0, 0, 0, 0]])),
            (Frame::Status { number: 7, status }, concat(&[&[6], &number, &[14, 0, 0, 0, 2, 0, 0, 0], b"no"])),
            (Frame::Pong(7), concat(&[&[7], &number])),
        ]
    }

    #[test]
    fn golden_bodies() {
        for (frame, body) in examples() {
            let bytes = encode(&frame);
            assert_eq!(&bytes[HEADER_BYTES..], body, "{frame:?}");
            assert_eq!(decode(&bytes), Ok(frame));
        }
    }

    #[test]
    fn golden_header() {
        assert_eq!(encode(&Frame::Ping(7))[..HEADER_BYTES], [9, 0, 0, 0, 0x8e, 0x61, 0x13, 0x58]);
    }

    #[test]
    fn a_deadline_that_has_passed_is_no_missing_one() {
        let frame = Frame::Request { number: 1, request: request(Some(Duration::ZERO)) };
        let Ok(Frame::Request { request, .. }) = decode(&encode(&frame)) else { panic!("it decodes") };
        assert_eq!(request.deadline, Some(Duration::from_micros(1)));
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_an_error() {
        for (frame, _) in examples() {
            let bytes = encode(&frame);
            for length in 1..bytes.len() - HEADER_BYTES {
                let mut short = u64::from(crc32c::crc32c(&bytes[HEADER_BYTES..][..length])) << 32;
                short |= length as u64;
                let truncated = [&short.to_le_bytes(), &bytes[HEADER_BYTES..][..length]].concat();
                assert!(matches!(decode(&truncated), Err(FrameError::Malformed(_))), "{frame:?} cut to {length}");
            }
            for bit in 32..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(&flipped), Err(FrameError::Checksum), "{frame:?}, bit {bit}");
            }
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let header = |length: u32| Header::decode(u64::from(length).to_le_bytes());
        assert_eq!(header(0), Err(FrameError::Length(0)));
        assert!(header(FRAME_BYTES_MAX as u32).is_ok());
        assert_eq!(header(FRAME_BYTES_MAX as u32 + 1), Err(FrameError::Length(FRAME_BYTES_MAX as u32 + 1)));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let status = RelayStatus { code: 2, text: "é".repeat(STATUS_TEXT_BYTES_MAX) };
        let Ok(Frame::Status { status, .. }) = decode(&encode(&Frame::Status { number: 1, status })) else {
            panic!("it decodes")
        };
        assert_eq!(status.text.len(), STATUS_TEXT_BYTES_MAX);
    }
}
