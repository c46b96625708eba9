//! The nine bytes before every HTTP/2 frame, and the numbers that the protocol gives its parts (RFC 9113,
//! sections 4.1, 6 and 7). Pure: bytes to values and back. It never judges whether a frame is allowed here.

/// Length of a frame's header, in bytes.
pub const FRAME_HEADER_BYTES: usize = 9;

/// The client's opening bytes (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types.
pub mod kind {
    pub const DATA: u8 = 0x0;
    pub const HEADERS: u8 = 0x1;
    pub const RST_STREAM: u8 = 0x3;
    pub const SETTINGS: u8 = 0x4;
    pub const PUSH_PROMISE: u8 = 0x5;
    pub const PING: u8 = 0x6;
    pub const GOAWAY: u8 = 0x7;
    pub const WINDOW_UPDATE: u8 = 0x8;
    pub const CONTINUATION: u8 = 0x9;
}

/// Frame flags. `ACK` and `END_STREAM` share a bit: which one it is depends on the frame's type.
pub mod flag {
    pub const ACK: u8 = 0x1;
    pub const END_STREAM: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
    pub const PRIORITY: u8 = 0x20;
}

/// Parameters of a SETTINGS frame.
pub mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 0x1;
    pub const ENABLE_PUSH: u16 = 0x2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    pub const INITIAL_WINDOW_SIZE: u16 = 0x4;
    pub const MAX_FRAME_SIZE: u16 = 0x5;
}

/// The header of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Length of the payload that follows, in bytes; 24 bits on the wire.
    pub length: u32,
    pub kind: u8,
    pub flags: u8,
    /// 0 is the connection itself. The reserved bit is dropped.
    pub stream: u32,
}

impl FrameHeader {
    /// Reads a header from the front of `bytes`, or nothing while it is not whole.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes.first_chunk::<FRAME_HEADER_BYTES>()?;
        Some(Self {
            length: u32::from_be_bytes([0, l0, l1, l2]),
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff,
        })
    }

    /// Appends the header to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        assert!(self.length < 1 << 24, "a frame's length has 24 bits");
        let [_, l0, l1, l2] = self.length.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        out.extend_from_slice(&[l0, l1, l2, self.kind, self.flags, s0, s1, s2, s3]);
    }

    /// Whether all bits of `flag` are set.
    pub fn has(self, flag: u8) -> bool {
        self.flags & flag == flag
    }
}

/// Appends one whole frame to `out`.
pub fn write_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a frame's payload is far below 4 GiB");
    FrameHeader { length, kind, flags, stream }.write(out);
    out.extend_from_slice(payload);
}

/// The name of an HTTP/2 error code (RFC 9113, section 7).
pub fn error_name(code: u32) -> &'static str {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    usize::try_from(code).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or("unknown error code")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_wire() {
        let header = FrameHeader { length: 0x01_02_03, kind: kind::DATA, flags: flag::END_STREAM, stream: 0x7fff_ffff };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        assert_eq!(bytes, [1, 2, 3, 0, 1, 0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(FrameHeader::read(&bytes), Some(header));
    }

    #[test]
    fn the_reserved_bit_is_dropped_and_a_torn_header_waits() {
        let bytes = [0, 0, 0, 4, 0, 0x80, 0, 0, 1];
        assert_eq!(FrameHeader::read(&bytes).map(|header| header.stream), Some(1));
        assert_eq!(FrameHeader::read(&bytes[..8]), None);
    }
}
