//! One HTTP/2 client connection that carries unary gRPC calls: bytes in, answers out, bytes to send.
//!
//! Pure: it owns no socket and reads no clock. It keeps to the peer's windows, frame size and number of streams,
//! acknowledges SETTINGS and PING, and reports each call exactly once, as a message or a failure. It retries
//! nothing. After an error the connection is of no further use.

use super::{
    frame::{FRAME_HEADER_BYTES, FrameHeader, PREFACE, error_name, flag, kind, setting},
    grpc::{self, Code, Failure, RequestHeaders, ResponseHeaders},
    hpack::HpackError,
    sending::{INITIAL_WINDOW_BYTES, Sending, WINDOW_BYTES_MAX},
    streams::{Known, Streams},
};
use thiserror::Error;

/// Largest frame that the peer may send; the protocol's default.
pub const RECEIVED_FRAME_BYTES_MAX: usize = 16_384;
/// Largest response. It fits a stream's window as announced, so no stream ever needs a WINDOW_UPDATE.
const RESPONSE_BYTES_MAX: usize = 256 << 20;
const STREAM_WINDOW_BYTES: u32 = 1 << 30;
/// The connection's window is filled up again when this much of it is used: one frame for thousands of answers.
const WINDOW_REFILL_BYTES: u32 = 1 << 29;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 30;
/// A header block, with all its CONTINUATION frames.
const HEADER_BLOCK_BYTES_MAX: usize = 64 << 10;

const _: () = assert!(RESPONSE_BYTES_MAX < STREAM_WINDOW_BYTES as usize);
const _: () =
    assert!((CONNECTION_WINDOW_BYTES as i64) < WINDOW_BYTES_MAX && WINDOW_REFILL_BYTES < CONNECTION_WINDOW_BYTES);

/// Why a connection cannot go on.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProtocolError {
    #[error(
        "this does not look like an HTTP/2 server: the first frame is not SETTINGS (TLS, HTTP/1 or another protocol?)"
    )]
    NotHttp2,
    #[error("the server sent {0}")]
    Frame(&'static str),
    #[error("the server sent a frame of {0} bytes, more than the {RECEIVED_FRAME_BYTES_MAX} allowed")]
    FrameTooLarge(u32),
    #[error("the server sent settings that HTTP/2 does not allow")]
    Settings,
    #[error("the server set a window that HTTP/2 does not allow")]
    Window,
    #[error("a response exceeds {RESPONSE_BYTES_MAX} bytes")]
    ResponseTooLarge,
    #[error("a response's headers exceed {HEADER_BLOCK_BYTES_MAX} bytes")]
    HeadersTooLarge,
    #[error("the server sends without end and reads nothing")]
    PeerReadsNothing,
    #[error(transparent)]
    Headers(#[from] HpackError),
}

/// A header block of which CONTINUATION frames are still to come.
#[derive(Debug)]
struct PartialHeaders {
    stream: u32,
    end_stream: bool,
    block: Vec<u8>,
}

/// Blocks seen last with the two usual meanings. Without a dynamic table equal bytes mean the same, always,
/// so the hot path compares instead of decoding.
#[derive(Debug, Default)]
struct UsualBlocks {
    opening: Vec<u8>,
    success: Vec<u8>,
}

/// A connection whose calls are remembered as `T` until they are answered.
#[derive(Debug)]
pub struct Connection<T> {
    sending: Sending,
    streams: Streams<T>,
    peer_streams_max: usize,
    settings_received: bool,
    settings_acknowledged: bool,
    partial_headers: Option<PartialHeaders>,
    usual: UsualBlocks,
    /// Received bytes that the connection's window has not been given back for.
    window_used: u32,
    going_away: bool,
}

impl<T> Connection<T> {
    /// A fresh connection, its preface ready to be sent, for at most `streams_max` calls at once.
    pub fn new(streams_max: usize) -> Self {
        let mut sending = Sending::new();
        sending.raw(PREFACE);
        let mut settings = Vec::new();
        for (name, value) in [
            (setting::HEADER_TABLE_SIZE, 0u32),
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES),
        ] {
            settings.extend_from_slice(&name.to_be_bytes());
            settings.extend_from_slice(&value.to_be_bytes());
        }
        let increment = CONNECTION_WINDOW_BYTES - INITIAL_WINDOW_BYTES as u32;
        sending.control(kind::SETTINGS, 0, 0, &settings).expect("nothing waits yet");
        sending.control(kind::WINDOW_UPDATE, 0, 0, &increment.to_be_bytes()).expect("nothing waits yet");
        Self {
            sending,
            streams: Streams::new(streams_max),
            peer_streams_max: usize::MAX,
            settings_received: false,
            settings_acknowledged: false,
            partial_headers: None,
            usual: UsualBlocks::default(),
            window_used: 0,
            going_away: false,
        }
    }

    /// Whether both sides know each other's settings. Only then may calls start: before that, the peer's header
    /// blocks could use a dynamic table.
    pub fn is_ready(&self) -> bool {
        self.settings_received && self.settings_acknowledged
    }

    /// How many more calls may start now.
    pub fn room(&self) -> usize {
        if self.going_away || !self.is_ready() {
            return 0;
        }
        self.streams.room().min(self.peer_streams_max.saturating_sub(self.streams.open_count()))
    }

    /// Number of calls without an answer so far.
    pub fn open_count(&self) -> usize {
        self.streams.open_count()
    }

    /// Whether no call will ever start again here: the server said goodbye, or the stream ids are used up.
    pub fn is_retired(&self) -> bool {
        self.going_away || self.streams.exhausted()
    }

    /// The peer's SETTINGS_MAX_CONCURRENT_STREAMS, if it set one.
    pub fn peer_streams_max(&self) -> Option<usize> {
        (self.peer_streams_max < usize::MAX).then_some(self.peer_streams_max)
    }

    /// Starts a call. There must be room.
    pub fn start(&mut self, headers: &RequestHeaders, message: &[u8], call: T) {
        assert!(self.room() > 0, "a call starts only where there is room");
        let stream = self.streams.open(call);
        self.sending.request(stream, headers, message);
    }

    /// Bytes for the socket.
    pub fn outgoing(&self) -> &[u8] {
        self.sending.outgoing()
    }

    /// The socket took `count` of the outgoing bytes.
    pub fn advance(&mut self, count: usize) {
        self.sending.advance(count);
    }

    /// Fails every open call, because the connection is lost.
    pub fn fail_all(&mut self, failure: &Failure, mut answer: impl FnMut(T, Result<&[u8], Failure>)) {
        for stream in self.streams.ids_above(0) {
            self.streams.close(stream, |call, _| answer(call, Err(failure.clone())));
        }
    }

    /// Takes whole frames from the front of `input`, calls `answer` for each call that has ended, and returns how
    /// many bytes were used. What is left is the beginning of a frame: it is to be given again with what follows.
    ///
    /// # Errors
    /// If the peer breaks the protocol; the calls still open are then failed by [`Self::fail_all`].
    pub fn receive(
        &mut self,
        input: &[u8],
        mut answer: impl FnMut(T, Result<&[u8], Failure>),
    ) -> Result<usize, ProtocolError> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).expect("no more is used than was there");
            let Some(header) = FrameHeader::read(rest) else { return Ok(used) };
            if !self.settings_received && (header.kind != kind::SETTINGS || header.has(flag::ACK)) {
                return Err(ProtocolError::NotHttp2);
            }
            let length = header.length as usize;
            if length > RECEIVED_FRAME_BYTES_MAX {
                return Err(ProtocolError::FrameTooLarge(header.length));
            }
            let end = FRAME_HEADER_BYTES + length;
            let Some(payload) = rest.get(FRAME_HEADER_BYTES..end) else { return Ok(used) };
            self.frame(header, payload, &mut answer)?;
            used += end;
        }
    }

    fn frame(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
        answer: &mut impl FnMut(T, Result<&[u8], Failure>),
    ) -> Result<(), ProtocolError> {
        let continues = header.kind == kind::CONTINUATION;
        if continues != self.partial_headers.is_some() {
            return Err(ProtocolError::Frame("a header block whose frames do not follow each other"));
        }
        match header.kind {
            kind::DATA => self.data(header, payload, answer),
            kind::HEADERS => self.headers(header, payload, answer),
            kind::CONTINUATION => self.continuation(header, payload, answer),
            kind::RST_STREAM => {
                let code = u32::from_be_bytes(fixed(payload, "an RST_STREAM of a wrong length")?);
                if self.open(header.stream)? {
                    self.end(header.stream, Some(reset_failure(code)), answer);
                }
                Ok(())
            }
            kind::SETTINGS => self.settings(header, payload),
            kind::PUSH_PROMISE => Err(ProtocolError::Frame("a PUSH_PROMISE, although push is off")),
            kind::PING if !header.has(flag::ACK) => {
                let opaque: [u8; 8] = fixed(payload, "a PING of a wrong length")?;
                self.sending.control(kind::PING, flag::ACK, 0, &opaque)
            }
            kind::GOAWAY => self.go_away(payload, answer),
            kind::WINDOW_UPDATE => {
                let increment = u32::from_be_bytes(fixed(payload, "a WINDOW_UPDATE of a wrong length")?);
                self.sending.enlarge(header.stream, increment & 0x7fff_ffff)
            }
            // PRIORITY, answers to PING, and frames of extensions are to be ignored.
            _ => Ok(()),
        }
    }

    fn data(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
        answer: &mut impl FnMut(T, Result<&[u8], Failure>),
    ) -> Result<(), ProtocolError> {
        self.window_used += header.length;
        if self.window_used >= WINDOW_REFILL_BYTES {
            self.sending.control(kind::WINDOW_UPDATE, 0, 0, &self.window_used.to_be_bytes())?;
            self.window_used = 0;
        }
        if !self.open(header.stream)? {
            return Ok(());
        }
        let (body, answered) = self.streams.body(header.stream);
        if !answered {
            return Err(ProtocolError::Frame("DATA before HEADERS"));
        }
        body.extend_from_slice(without_padding(header, payload)?);
        if body.len() > RESPONSE_BYTES_MAX {
            return Err(ProtocolError::ResponseTooLarge);
        }
        if header.has(flag::END_STREAM) {
            let failure = Failure::new(Code::INTERNAL, "the stream ended without trailers");
            self.end(header.stream, Some(failure), answer);
        }
        Ok(())
    }

    fn headers(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
        answer: &mut impl FnMut(T, Result<&[u8], Failure>),
    ) -> Result<(), ProtocolError> {
        let mut block = without_padding(header, payload)?;
        if header.has(flag::PRIORITY) {
            const PRIORITY_BYTES: usize = 5;
            block = block.get(PRIORITY_BYTES..).ok_or(ProtocolError::Frame("HEADERS shorter than their priority"))?;
        }
        let end_stream = header.has(flag::END_STREAM);
        if !header.has(flag::END_HEADERS) {
            let block = block.to_vec();
            self.partial_headers = Some(PartialHeaders { stream: header.stream, end_stream, block });
            return Ok(());
        }
        self.header_block(header.stream, end_stream, block, answer)
    }

    fn continuation(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
        answer: &mut impl FnMut(T, Result<&[u8], Failure>),
    ) -> Result<(), ProtocolError> {
        let mut partial = self.partial_headers.take().expect("a CONTINUATION without HEADERS is refused before");
        if partial.stream != header.stream {
            return Err(ProtocolError::Frame("a CONTINUATION of another stream"));
        }
        partial.block.extend_from_slice(payload);
        if partial.block.len() > HEADER_BLOCK_BYTES_MAX {
            return Err(ProtocolError::HeadersTooLarge);
        }
        if header.has(flag::END_HEADERS) {
            return self.header_block(partial.stream, partial.end_stream, &partial.block, answer);
        }
        self.partial_headers = Some(partial);
        Ok(())
    }

    fn header_block(
        &mut self,
        stream: u32,
        end_stream: bool,
        block: &[u8],
        answer: &mut impl FnMut(T, Result<&[u8], Failure>),
    ) -> Result<(), ProtocolError> {
        if !self.open(stream)? {
            return Ok(());
        }
        let answered = self.streams.answer(stream);
        if end_stream {
            if answered && block == self.usual.success {
                self.end(stream, None, answer);
                return Ok(());
            }
            let headers = ResponseHeaders::decode(block)?;
            let success = answered && headers.is_success();
            if success {
                block.clone_into(&mut self.usual.success);
            }
            self.end(stream, (!success).then(|| headers.failure()), answer);
            return Ok(());
        }
        if !answered && block != self.usual.opening {
            let headers = ResponseHeaders::decode(block)?;
            if !headers.opens_response() {
                return Err(ProtocolError::Frame("response headers that are neither status 200 nor the end"));
            }
            block.clone_into(&mut self.usual.opening);
        } else if answered {
            return Err(ProtocolError::Frame("trailers that do not end their stream"));
        }
        Ok(())
    }

    fn settings(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), ProtocolError> {
        if header.has(flag::ACK) {
            self.settings_acknowledged = true;
            return Ok(());
        }
        let (entries, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(ProtocolError::Settings);
        }
        for &[n0, n1, v0, v1, v2, v3] in entries {
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            match u16::from_be_bytes([n0, n1]) {
                setting::MAX_CONCURRENT_STREAMS => self.peer_streams_max = value as usize,
                setting::INITIAL_WINDOW_SIZE => self.sending.set_stream_window(value)?,
                setting::MAX_FRAME_SIZE => self.sending.set_frame_bytes_max(value)?,
                _ => {}
            }
        }
        self.settings_received = true;
        self.sending.control(kind::SETTINGS, flag::ACK, 0, &[])
    }

    fn go_away(
        &mut self,
        payload: &[u8],
        answer: &mut impl FnMut(T, Result<&[u8], Failure>),
    ) -> Result<(), ProtocolError> {
        const MESSAGE: &str = "a GOAWAY of a wrong length";
        let (last, rest) = payload.split_first_chunk::<4>().ok_or(ProtocolError::Frame(MESSAGE))?;
        let (code, text) = rest.split_first_chunk::<4>().ok_or(ProtocolError::Frame(MESSAGE))?;
        let code = error_name(u32::from_be_bytes(*code));
        let failure = Failure::new(Code::UNAVAILABLE, format!("GOAWAY {code} {}", String::from_utf8_lossy(text)));
        self.going_away = true;
        for stream in self.streams.ids_above(u32::from_be_bytes(*last) & 0x7fff_ffff) {
            self.end(stream, Some(failure.clone()), answer);
        }
        Ok(())
    }

    /// Whether the stream is open: frames of a closed one are to be ignored.
    fn open(&self, stream: u32) -> Result<bool, ProtocolError> {
        match self.streams.known(stream) {
            Known::Open => Ok(true),
            Known::Closed => Ok(false),
            Known::Never => Err(ProtocolError::Frame("a frame of a stream that was never opened")),
        }
    }

    fn end(&mut self, stream: u32, failure: Option<Failure>, answer: &mut impl FnMut(T, Result<&[u8], Failure>)) {
        self.streams.close(stream, |call, body| match failure {
            None => answer(call, grpc::only_message(body)),
            Some(failure) => answer(call, Err(failure)),
        });
        if self.sending.abandon(stream) {
            const CANCEL: u32 = 8;
            // The frame is one of a bounded number: each abandons a call of ours.
            let _ = self.sending.control(kind::RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
        }
    }
}

/// gRPC's own mapping of a reset stream (PROTOCOL-HTTP2.md, 'Errors').
fn reset_failure(code: u32) -> Failure {
    let grpc_code = match code {
        0x7 => Code::UNAVAILABLE,
        0x8 => Code::CANCELED,
        0xb => Code::RESOURCE_EXHAUSTED,
        _ => Code::INTERNAL,
    };
    Failure::new(grpc_code, format!("RST_STREAM {}", error_name(code)))
}

fn without_padding(header: FrameHeader, payload: &[u8]) -> Result<&[u8], ProtocolError> {
    if !header.has(flag::PADDED) {
        return Ok(payload);
    }
    let content = payload.split_first().and_then(|(&padding, rest)| {
        let length = rest.len().checked_sub(usize::from(padding))?;
        rest.get(..length)
    });
    content.ok_or(ProtocolError::Frame("a frame shorter than its padding"))
}

fn fixed<const N: usize>(payload: &[u8], otherwise: &'static str) -> Result<[u8; N], ProtocolError> {
    payload.try_into().map_err(|_| ProtocolError::Frame(otherwise))
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
