//! Follows the client's frames on their way to h2: how many pings came, which h2 keeps to itself, and what h2 would refuse
//! and etcd does not.
//!
//! Looks at nine bytes a frame and at header blocks, and holds none of them. What is no HTTP/2 is h2's to refuse; here it
//! is only counted wrongly.

use super::authority::HeaderBlock;
use crate::serve::PREFACE;

const HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
/// Flags: of a ping, and of a header block's first frame.
const ACK: u8 = 1;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;
const PRIORITY_BYTES: usize = 5;

/// What the bytes up to the next head are.
#[derive(Debug)]
struct Payload {
    left: usize,
    /// Bytes before the block's fragment, the length of its padding first if it has any.
    before: usize,
    is_padded: bool,
    padding: usize,
    is_block: bool,
}

/// The client's bytes, as far as they have come.
#[derive(Debug)]
pub(crate) struct ClientFrames {
    payload: Payload,
    head: [u8; HEAD_BYTES],
    head_length: usize,
    block: HeaderBlock,
    pings: u32,
}

impl ClientFrames {
    /// At the beginning of a connection.
    pub(crate) fn new() -> ClientFrames {
        let preface = Payload { left: PREFACE.len(), before: 0, is_padded: false, padding: 0, is_block: false };
        ClientFrames { payload: preface, head: [0; HEAD_BYTES], head_length: 0, block: HeaderBlock::new(), pings: 0 }
    }

    /// Takes the next bytes of the connection, and mends what h2 would refuse.
    pub(crate) fn push(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let taken = if self.payload.left > 0 { self.take_payload(bytes) } else { self.take_head(bytes) };
            bytes = &mut bytes[taken..];
        }
    }

    fn take_payload(&mut self, bytes: &mut [u8]) -> usize {
        let payload = &mut self.payload;
        let mut here = payload.left.min(bytes.len());
        if payload.is_padded {
            payload.padding = bytes[0].into();
            payload.is_padded = false;
            here = 1;
        } else if payload.before > 0 {
            here = here.min(payload.before);
            payload.before -= here;
        } else if payload.is_block && payload.left > payload.padding {
            here = here.min(payload.left - payload.padding);
            self.block.push(&mut bytes[..here]);
        }
        payload.left -= here;
        here
    }

    fn take_head(&mut self, bytes: &[u8]) -> usize {
        let taken = (HEAD_BYTES - self.head_length).min(bytes.len());
        self.head[self.head_length..self.head_length + taken].copy_from_slice(&bytes[..taken]);
        self.head_length += taken;
        if self.head_length == HEAD_BYTES {
            let [a, b, c, kind, flags, ..] = self.head;
            self.head_length = 0;
            let begins = kind == HEADERS;
            self.payload = Payload {
                left: u32::from_be_bytes([0, a, b, c]) as usize,
                before: if begins && flags & PRIORITY != 0 { PRIORITY_BYTES } else { 0 },
                is_padded: begins && flags & PADDED != 0,
                padding: 0,
                is_block: begins || kind == CONTINUATION,
            };
            if begins {
                self.block = HeaderBlock::new();
            }
            self.pings += u32::from(kind == PING && flags & ACK == 0);
        }
        taken
    }

    /// Pings that began since the last call; answers to our own do not count.
    pub(crate) fn take_pings(&mut self) -> u32 {
        std::mem::take(&mut self.pings)
    }
}

/// GOAWAY, with the last stream that was taken (RFC 9113, section 6.8).
pub(super) fn goaway(last_stream: u32, reason: h2::Reason, debug: &[u8]) -> Vec<u8> {
    const GOAWAY: u8 = 7;
    let length = u32::try_from(8 + debug.len()).expect("a few words").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], GOAWAY, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&last_stream.to_be_bytes());
    frame.extend_from_slice(&u32::from(reason).to_be_bytes());
    frame.extend_from_slice(debug);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 0], payload].concat()
    }

    #[test]
    fn pings_are_counted_however_the_bytes_are_cut() {
        // Payloads that look like pings are none, nor are answers.
        let frames = [
            PREFACE.to_vec(),
            frame(4, 0, &[]),
            frame(PING, 0, &[6; 8]),
            frame(0, 0, &frame(PING, 0, &[0; 8])),
            frame(PING, ACK, &[6; 8]),
            frame(PING, 0, &[0; 8]),
        ];
        let bytes = frames.concat();
        for size in 1..=bytes.len() {
            let mut follower = ClientFrames::new();
            bytes.clone().chunks_mut(size).for_each(|chunk| follower.push(chunk));
            assert_eq!((follower.take_pings(), follower.take_pings()), (2, 0), "in chunks of {size}");
        }
    }

    #[test]
    fn header_blocks_are_found_and_nothing_else_is() {
        let (field, mended) = (b"\x41\x08http://h", b"\x41\x08httpx--h");
        let blocks = |field: &[u8]| {
            let padded = [&[field.len() as u8 + 2][..], field, b"\x41\x08", field].concat();
            let with_priority = [&[0x41, 8, 0, 0, 1][..], field].concat();
            let both = [&[3][..], &[0; PRIORITY_BYTES], field, &[0; 3]].concat();
            [
                frame(HEADERS, 4, field),
                frame(HEADERS, 4 | PADDED, &padded),
                frame(HEADERS, 4 | PRIORITY, &with_priority),
                frame(HEADERS, PADDED | PRIORITY, &both),
                frame(CONTINUATION, 4, field),
            ]
            .concat()
        };
        let data = frame(0, 0, field);
        let mut expected = [PREFACE.to_vec(), data.clone(), blocks(mended), data.clone()].concat();
        // The padding is nobody's.
        let padding = PREFACE.len() + data.len() + frame(HEADERS, 4, field).len() + HEAD_BYTES + 1 + field.len() + 2;
        expected[padding..padding + field.len()].copy_from_slice(field);
        let mut bytes = [PREFACE.to_vec(), data.clone(), blocks(field), data].concat();
        ClientFrames::new().push(&mut bytes);
        assert_eq!(bytes, expected);
    }
}
