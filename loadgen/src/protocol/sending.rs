//! The sending half of a connection: bytes waiting for the socket, and the peer's flow control (RFC 9113,
//! section 5.2). A body that the peer's windows do not hold waits here, in order of its request; it never
//! overtakes the windows, and frames are never larger than the peer allows.

use super::{
    connection::ProtocolError,
    frame::{FrameHeader, flag, kind, write_frame},
    grpc,
};
use std::collections::VecDeque;

/// Every window begins with this many bytes (RFC 9113, section 6.9.2).
pub const INITIAL_WINDOW_BYTES: i64 = 65_535;
/// No window may grow beyond this.
pub const WINDOW_BYTES_MAX: i64 = 0x7fff_ffff;
/// The frame size that every peer accepts.
const FRAME_BYTES_DEFAULT: usize = 16_384;
/// Largest value that SETTINGS_MAX_FRAME_SIZE may have.
const FRAME_BYTES_MAX: usize = (1 << 24) - 1;
/// Answers to a peer's PINGs and SETTINGS wait here at most; a peer that sends more and reads nothing is cut off.
const OUTGOING_BYTES_MAX: usize = 256 << 20;

const _: () = assert!(grpc::RequestHeaders::BYTES_MAX <= FRAME_BYTES_DEFAULT);

/// A request's body of which a part still waits for the peer's windows.
#[derive(Debug)]
struct BlockedBody {
    stream: u32,
    /// The stream's own window; the peer's settings may make it negative.
    window: i64,
    bytes: Vec<u8>,
    sent: usize,
}

/// What waits to be sent, and what the peer allows.
#[derive(Debug)]
pub struct Sending {
    outgoing: Vec<u8>,
    /// How much of `outgoing` the socket has taken.
    written: usize,
    connection_window: i64,
    stream_window_initial: i64,
    frame_bytes_max: usize,
    blocked: VecDeque<BlockedBody>,
}

impl Sending {
    pub fn new() -> Self {
        Self {
            outgoing: Vec::new(),
            written: 0,
            connection_window: INITIAL_WINDOW_BYTES,
            stream_window_initial: INITIAL_WINDOW_BYTES,
            frame_bytes_max: FRAME_BYTES_DEFAULT,
            blocked: VecDeque::new(),
        }
    }

    /// Bytes for the socket.
    pub fn outgoing(&self) -> &[u8] {
        self.outgoing.get(self.written..).expect("no more is written than was there")
    }

    /// The socket took `count` bytes.
    pub fn advance(&mut self, count: usize) {
        self.written += count;
        assert!(self.written <= self.outgoing.len(), "no more is written than was there");
        if self.written == self.outgoing.len() {
            self.outgoing.clear();
            self.written = 0;
        }
    }

    /// Appends bytes as they are: the preface.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
    }

    /// Appends a frame that flow control does not count.
    ///
    /// # Errors
    /// If the peer makes this side answer without end and reads none of it.
    pub fn control(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<(), ProtocolError> {
        if self.outgoing().len() > OUTGOING_BYTES_MAX {
            return Err(ProtocolError::PeerReadsNothing);
        }
        write_frame(&mut self.outgoing, kind, flags, stream, payload);
        Ok(())
    }

    /// Appends a whole unary request: its headers, and as much of its one message as the windows hold.
    pub fn request(&mut self, stream: u32, headers: &grpc::RequestHeaders, message: &[u8]) {
        write_frame(&mut self.outgoing, kind::HEADERS, flag::END_HEADERS, stream, headers.block());
        let length = grpc::MESSAGE_PREFIX_BYTES + message.len();
        let window = self.connection_window.min(self.stream_window_initial);
        let at_once = self.blocked.is_empty() && length <= self.frame_bytes_max && length as i64 <= window;
        if at_once {
            self.connection_window -= length as i64;
            FrameHeader { length: length as u32, kind: kind::DATA, flags: flag::END_STREAM, stream }
                .write(&mut self.outgoing);
            grpc::write_message_prefix(&mut self.outgoing, message.len());
            self.outgoing.extend_from_slice(message);
            return;
        }
        let mut bytes = Vec::with_capacity(length);
        grpc::write_message_prefix(&mut bytes, message.len());
        bytes.extend_from_slice(message);
        self.blocked.push_back(BlockedBody { stream, window: self.stream_window_initial, bytes, sent: 0 });
        self.unblock();
    }

    /// The stream has ended early: what is left of its body is of no use. Tells whether something was left.
    pub fn abandon(&mut self, stream: u32) -> bool {
        let before = self.blocked.len();
        self.blocked.retain(|body| body.stream != stream);
        self.blocked.len() < before
    }

    /// The peer enlarges a window: the connection's for stream 0.
    ///
    /// # Errors
    /// If it grows by nothing, or beyond what HTTP/2 allows.
    pub fn enlarge(&mut self, stream: u32, increment: u32) -> Result<(), ProtocolError> {
        if increment == 0 {
            return Err(ProtocolError::Window);
        }
        let window = match stream {
            0 => Some(&mut self.connection_window),
            _ => self.blocked.iter_mut().find(|body| body.stream == stream).map(|body| &mut body.window),
        };
        if let Some(window) = window {
            *window += i64::from(increment);
            if *window > WINDOW_BYTES_MAX {
                return Err(ProtocolError::Window);
            }
            self.unblock();
        }
        Ok(())
    }

    /// The peer sets the window that streams begin with; open ones change by the difference.
    ///
    /// # Errors
    /// If a window would exceed what HTTP/2 allows.
    pub fn set_stream_window(&mut self, bytes: u32) -> Result<(), ProtocolError> {
        let bytes = i64::from(bytes);
        let difference = bytes - self.stream_window_initial;
        self.stream_window_initial = bytes;
        for body in &mut self.blocked {
            body.window += difference;
        }
        if bytes > WINDOW_BYTES_MAX || self.blocked.iter().any(|body| body.window > WINDOW_BYTES_MAX) {
            return Err(ProtocolError::Window);
        }
        self.unblock();
        Ok(())
    }

    /// The peer sets the largest frame that it takes.
    ///
    /// # Errors
    /// If it is outside of what HTTP/2 allows.
    pub fn set_frame_bytes_max(&mut self, bytes: u32) -> Result<(), ProtocolError> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if !(FRAME_BYTES_DEFAULT..=FRAME_BYTES_MAX).contains(&bytes) {
            return Err(ProtocolError::Settings);
        }
        self.frame_bytes_max = bytes;
        Ok(())
    }

    /// Sends of the waiting bodies what the windows hold now, the oldest first.
    fn unblock(&mut self) {
        for body in &mut self.blocked {
            while body.sent < body.bytes.len() {
                let window = usize::try_from(self.connection_window.min(body.window)).unwrap_or(0);
                let rest = body.bytes.get(body.sent..).expect("no more is sent than there is");
                let count = rest.len().min(window).min(self.frame_bytes_max);
                if count == 0 {
                    break;
                }
                let flags = if count == rest.len() { flag::END_STREAM } else { 0 };
                write_frame(&mut self.outgoing, kind::DATA, flags, body.stream, &rest[..count]);
                body.sent += count;
                body.window -= count as i64;
                self.connection_window -= count as i64;
            }
        }
        self.blocked.retain(|body| body.sent < body.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes and flags of the DATA frames that wait, which are then taken.
    fn data_frames(sending: &mut Sending) -> Vec<(u32, u32, bool)> {
        let mut frames = Vec::new();
        let mut rest = sending.outgoing();
        while let Some(header) = FrameHeader::read(rest) {
            if header.kind == kind::DATA {
                frames.push((header.stream, header.length, header.has(flag::END_STREAM)));
            }
            rest = &rest[9 + header.length as usize..];
        }
        sending.advance(sending.outgoing().len());
        frames
    }

    #[test]
    fn large_bodies_wait_for_both_windows_and_are_cut_into_frames() {
        let headers = grpc::RequestHeaders::new("/p", "a");
        let mut sending = Sending::new();
        sending.request(1, &headers, &[0; 100_000]);
        assert_eq!(
            data_frames(&mut sending),
            [(1, 16_384, false), (1, 16_384, false), (1, 16_384, false), (1, 16_383, false)]
        );
        sending.request(3, &headers, b"small, but in line");
        sending.enlarge(0, 100_000).unwrap();
        // Stream 1 has no window of its own left, stream 3 has.
        assert_eq!(data_frames(&mut sending), [(3, 23, true)]);
        sending.set_frame_bytes_max(1 << 20).unwrap();
        sending.enlarge(1, 50_000).unwrap();
        assert_eq!(data_frames(&mut sending), [(1, 34_470, true)]);
        assert_eq!(sending.connection_window, 65_535 + 100_000 - 100_005 - 23);
    }

    #[test]
    fn a_window_may_become_negative_and_recover() {
        let headers = grpc::RequestHeaders::new("/p", "a");
        let mut sending = Sending::new();
        sending.enlarge(0, 1 << 20).unwrap();
        sending.request(1, &headers, &[0; 70_000]);
        data_frames(&mut sending);
        sending.set_stream_window(10).unwrap();
        sending.enlarge(1, 65_525).unwrap();
        assert_eq!(data_frames(&mut sending), []);
        sending.enlarge(1, 1).unwrap();
        assert_eq!(data_frames(&mut sending), [(1, 1, false)]);
        assert!(sending.abandon(1));
        assert!(!sending.abandon(1));
    }

    #[test]
    fn impossible_windows_are_refused() {
        let mut sending = Sending::new();
        assert!(sending.enlarge(0, 0).is_err());
        assert!(sending.enlarge(0, 0x7fff_ffff).is_err());
        assert!(sending.set_stream_window(0x8000_0000).is_err());
        assert!(sending.set_frame_bytes_max(1).is_err());
    }
}
