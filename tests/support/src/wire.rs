//! HTTP/2 by hand: frames as bytes, right or wrong, over one socket. What a well-behaved client would never send.
//!
//! Answers nothing by itself, no ping, no settings, but where a function says so.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// RFC 9113, section 3.4.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113, section 6).
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
}

/// No server lets a test wait longer for its next frame.
const FRAME_LIMIT: Duration = Duration::from_secs(20);
const HEAD_BYTES: usize = 9;

/// One frame as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// How a server took leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// With this error code, and these words for a debugger.
    GoAway { code: u32, debug: String },
    /// The socket ended without a word.
    Silence,
}

/// A frame's bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a test's frame is short").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Header fields as literals without index, which need no state at either end (RFC 7541, section 6.2.2).
pub fn fields(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_bytes(), value] {
            length(text.len(), &mut block);
            block.extend_from_slice(text);
        }
    }
    block
}

/// A string's length, not Huffman-coded: an integer with a prefix of seven bits.
fn length(length: usize, block: &mut Vec<u8>) {
    if length < 127 {
        block.push(length as u8);
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// The head of a gRPC call.
pub fn call_fields(path: &str) -> Vec<u8> {
    fields(&[
        (":method", b"POST"),
        (":scheme", b"http"),
        (":path", path.as_bytes()),
        (":authority", b"test"),
        ("content-type", b"application/grpc"),
        ("te", b"trailers"),
    ])
}

/// Opens both windows as far as they go: what does not leave then is held up by the socket alone.
pub fn wide_windows() -> Vec<u8> {
    const WINDOW_MAX: u32 = 0x7fff_ffff;
    const WINDOW_DEFAULT: u32 = 65_535;
    let streams = [&[0, 4][..], &WINDOW_MAX.to_be_bytes()].concat();
    let connection = (WINDOW_MAX - WINDOW_DEFAULT).to_be_bytes();
    [frame(kind::SETTINGS, 0, 0, &streams), frame(kind::WINDOW_UPDATE, 0, 0, &connection)].concat()
}

/// One socket.
#[derive(Debug)]
pub struct Wire {
    socket: TcpStream,
}

impl Wire {
    /// Connects, and says nothing.
    pub async fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).await.expect("the server accepts");
        socket.set_nodelay(true).expect("a socket takes the option");
        Self { socket }
    }

    /// Connects, and sends the preface and settings that change nothing.
    pub async fn open(address: &str) -> Self {
        let mut wire = Self::connect(address).await;
        assert!(wire.send(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat()).await, "a preface is taken");
        wire
    }

    /// Whether the bytes could be sent: a server that has closed the connection takes none.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    /// The next frame; `None` at the end of the connection. Panics if neither comes.
    pub async fn next(&mut self) -> Option<Frame> {
        let read = timeout(FRAME_LIMIT, self.read()).await;
        read.unwrap_or_else(|_| panic!("no frame and no end within {FRAME_LIMIT:?}"))
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; HEAD_BYTES];
        self.socket.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.socket.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The next frame of this type; `None` if the connection ends before.
    pub async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        self.next_of_either(kind, kind).await
    }

    /// The next frame of one of two types; `None` if the connection ends before.
    pub async fn next_of_either(&mut self, one: u8, other: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == one || frame.kind == other {
                return Some(frame);
            }
        }
    }

    /// Reads to the end of the connection, whatever the bytes are. Panics if it does not come.
    pub async fn end(&mut self) {
        let mut bytes = Vec::new();
        // An error is an end too: the other side has closed with some of our bytes unread.
        let read = timeout(FRAME_LIMIT, self.socket.read_to_end(&mut bytes)).await;
        let _ = read.unwrap_or_else(|_| panic!("no end within {FRAME_LIMIT:?}"));
    }

    /// Reads all frames to the end of the connection.
    pub async fn farewell(&mut self) -> Farewell {
        let mut farewell = Farewell::Silence;
        while let Some(received) = self.next().await {
            match received.kind {
                kind::GOAWAY => farewell = goaway(&received),
                // With it a server makes sure that a GOAWAY which only announces has arrived.
                kind::PING => {
                    self.send(&frame(kind::PING, flag::ACK, 0, &received.payload)).await;
                }
                _ => {}
            }
        }
        farewell
    }
}

/// What a GOAWAY says.
pub fn goaway(frame: &Frame) -> Farewell {
    let code: [u8; 4] = frame.payload[4..8].try_into().expect("a GOAWAY has a code");
    let debug = String::from_utf8_lossy(&frame.payload[8..]).into_owned();
    Farewell::GoAway { code: u32::from_be_bytes(code), debug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_fields_are_the_specifications() {
        assert_eq!(frame(kind::PING, flag::ACK, 0, &[7; 8])[..10], [0, 0, 8, 6, 1, 0, 0, 0, 0, 7]);
        assert_eq!(fields(&[("a", b"bc")]), [0, 1, b'a', 2, b'b', b'c']);
        let long = fields(&[("a", &[b'x'; 300])]);
        // 300 = 127 + 45 + 1 * 128.
        assert_eq!((&long[3..6], long.len()), (&[127, 45 | 128, 1][..], 306));
    }
}
