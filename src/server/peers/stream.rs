//! Frames in and out of a socket.
//!
//! Each frame that comes in gets memory of its own and of its own size: what outlives it (an entry in a log, a value in
//! the store) never holds on to a whole read buffer. Batches go out in one write each.

use std::io;

use bytes::Bytes;
use futures_lite::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::bounds::READ_BYTES;
use super::frame::{Frame, FrameError, HEADER_BYTES, Header};
use super::meter::Meter;
use super::outbox::Outbox;

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// Only a broken or a foreign program sends such bytes, or a network that damages what it carries.
    #[error("what came is wrong: {0}")]
    Frame(#[from] FrameError),
    /// The remote does not do what members do.
    #[error("the remote breaks the protocol: {0}")]
    Protocol(&'static str),
    #[error("the remote closed the connection")]
    Closed,
    #[error("no sign of life from the remote")]
    Silent,
}

impl StreamError {
    /// A name for the kind, by which repetitions are known.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            StreamError::Io(_) | StreamError::Closed => "connection broke",
            StreamError::Frame(_) => "wrong frame",
            StreamError::Protocol(what) => what,
            StreamError::Silent => "silence",
        }
    }
}

/// Takes frames from a socket.
pub struct FrameReader<R> {
    socket: R,
    meter: Meter,
    buffer: Box<[u8]>,
    /// What of the buffer is read and not yet taken.
    start: usize,
    end: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    #[must_use]
    pub fn new(socket: R, meter: Meter) -> FrameReader<R> {
        FrameReader { socket, meter, buffer: vec![0; READ_BYTES].into_boxed_slice(), start: 0, end: 0 }
    }

    /// The next frame.
    ///
    /// # Errors
    /// If the connection ends or breaks, or what comes is no frame. Nothing more can be read then.
    pub async fn next(&mut self) -> Result<Frame, StreamError> {
        while self.end - self.start < HEADER_BYTES {
            self.fill().await?;
        }
        let header = self.buffer[self.start..].first_chunk::<HEADER_BYTES>().expect("it is there");
        let header = Header::decode(*header)?;
        self.start += HEADER_BYTES;
        let mut body = Vec::with_capacity(header.length);
        while body.len() < header.length && header.length <= READ_BYTES {
            if self.start == self.end {
                self.fill().await?;
            }
            let count = (header.length - body.len()).min(self.end - self.start);
            body.extend_from_slice(&self.buffer[self.start..self.start + count]);
            self.start += count;
        }
        if body.len() < header.length {
            self.read_large(&mut body, header.length).await?;
        }
        Ok(header.decode_body(Bytes::from(body))?)
    }

    /// A frame that is larger than the buffer is read to where it stays.
    async fn read_large(&mut self, body: &mut Vec<u8>, length: usize) -> Result<(), StreamError> {
        body.extend_from_slice(&self.buffer[self.start..self.end]);
        let mut filled = body.len();
        assert!(filled <= length, "a frame beyond the buffer takes all that is in it");
        (self.start, self.end) = (0, 0);
        body.resize(length, 0);
        while filled < length {
            let read = self.socket.read(&mut body[filled..]).await;
            filled += self.count(read)?;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), StreamError> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let read = self.socket.read(&mut self.buffer[self.end..]).await;
        self.end += self.count(read)?;
        Ok(())
    }

    fn count(&self, read: io::Result<usize>) -> Result<usize, StreamError> {
        match read? {
            0 => Err(StreamError::Closed),
            count => {
                self.meter.received(count);
                Ok(count)
            }
        }
    }
}

/// Writes what comes into the outbox, for ever.
///
/// # Errors
/// Always one of the socket.
pub async fn write_all<W: AsyncWrite + Unpin>(mut socket: W, outbox: &Outbox, meter: &Meter) -> StreamError {
    loop {
        let batch = outbox.take().await;
        if let Err(error) = socket.write_all(&batch).await {
            return error.into();
        }
        meter.sent(batch.len());
        outbox.recycle(batch);
    }
}
