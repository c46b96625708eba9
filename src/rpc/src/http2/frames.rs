//! Follows the client's frames without reading them, for what h2 keeps to itself: how many pings came.
//!
//! Looks at nine bytes a frame and holds none of them. What is no HTTP/2 is h2's to refuse; here it is only counted wrongly.

use crate::serve::PREFACE;

const HEAD_BYTES: usize = 9;
const PING: u8 = 6;
const ACK: u8 = 1;

/// The client's bytes, as far as they have come.
#[derive(Debug)]
pub(crate) struct PingCounter {
    /// Bytes until the next head.
    skip: usize,
    head: [u8; HEAD_BYTES],
    head_length: usize,
    pings: u32,
}

impl PingCounter {
    /// At the beginning of a connection.
    pub(crate) fn new() -> PingCounter {
        PingCounter { skip: PREFACE.len(), head: [0; HEAD_BYTES], head_length: 0, pings: 0 }
    }

    /// Takes the next bytes of the connection.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let taken = (HEAD_BYTES - self.head_length).min(bytes.len());
            self.head[self.head_length..self.head_length + taken].copy_from_slice(&bytes[..taken]);
            self.head_length += taken;
            bytes = &bytes[taken..];
            if self.head_length == HEAD_BYTES {
                let [a, b, c, kind, flags, ..] = self.head;
                self.head_length = 0;
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                self.pings += u32::from(kind == PING && flags & ACK == 0);
            }
        }
    }

    /// Pings that began since the last call; answers to our own do not count.
    pub(crate) fn take(&mut self) -> u32 {
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
            let mut counter = PingCounter::new();
            bytes.chunks(size).for_each(|chunk| counter.push(chunk));
            assert_eq!((counter.take(), counter.take()), (2, 0), "in chunks of {size}");
        }
    }
}
