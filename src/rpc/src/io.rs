//! The socket under HTTP: first bytes can be looked at, and writes are gathered.
//!
//! h2 writes frame by frame. Here all frames of one poll come together and leave in one write, which is half of what
//! the front end costs otherwise. And it reads until the socket has no more each time it is asked for a request: here a
//! socket that had no more is not asked again in the same round.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http2::ClientFrames;
use crate::limits::WRITE_BUFFER_MAX_BYTES;

/// Bytes asked of the socket at a time while its first bytes are looked at.
const AHEAD_READ_BYTES: usize = 4 << 10;

/// A socket with two ends: HTTP/2 reads and writes, the connection flushes. Clones are the same socket.
#[derive(Debug)]
pub(crate) struct Io<T> {
    shared: Rc<RefCell<Shared<T>>>,
}

#[derive(Debug)]
struct Shared<T> {
    socket: T,
    /// Read, and not yet asked for.
    ahead: BytesMut,
    /// Written, and not yet sent.
    gathered: BytesMut,
    /// The socket had no more to read in this round.
    read_pending: bool,
    /// HTTP/2 could write nothing, and waits for room.
    write_refused: bool,
    /// HTTP/2 could not write all that it wanted to: what was gathered may end within a frame.
    write_cut: bool,
    /// Of an HTTP/2 connection.
    frames: Option<ClientFrames>,
    received: u64,
    sent: u64,
}

impl<T> Clone for Io<T> {
    fn clone(&self) -> Io<T> {
        Io { shared: Rc::clone(&self.shared) }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Io<T> {
    pub(crate) fn new(socket: T) -> Io<T> {
        let (ahead, gathered) = (BytesMut::new(), BytesMut::new());
        let shared = Shared {
            socket,
            ahead,
            gathered,
            read_pending: false,
            write_refused: false,
            write_cut: false,
            frames: None,
            received: 0,
            sent: 0,
        };
        Io { shared: Rc::new(RefCell::new(shared)) }
    }

    /// Reads more into what is ahead. Ready with 0 at the end of the stream.
    pub(crate) fn poll_read_ahead(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let shared = &mut *self.shared.borrow_mut();
        let mut space = [0; AHEAD_READ_BYTES];
        let mut space = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut shared.socket).poll_read(cx, &mut space))?;
        shared.ahead.extend_from_slice(space.filled());
        shared.received += space.filled().len() as u64;
        Poll::Ready(Ok(space.filled().len()))
    }

    /// Looks at what is ahead.
    pub(crate) fn with_ahead<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        look(&self.shared.borrow().ahead)
    }

    /// Drops the first `count` bytes of what is ahead.
    pub(crate) fn consume_ahead(&self, count: usize) {
        self.shared.borrow_mut().ahead.advance(count);
    }

    /// What is read from now on is HTTP/2, from its preface on.
    pub(crate) fn follow_frames(&self) {
        self.shared.borrow_mut().frames = Some(ClientFrames::new());
    }

    /// Pings that were read since the last call.
    pub(crate) fn take_pings(&self) -> u32 {
        self.shared.borrow_mut().frames.as_mut().map_or(0, ClientFrames::take_pings)
    }

    /// Adds a frame to what is to be sent, unless that ends within another one.
    pub(crate) fn gather_frame(&self, frame: &[u8]) {
        if !self.shared.borrow().write_cut {
            self.gather(frame);
        }
    }

    /// Adds to what is to be sent, whatever its bound.
    pub(crate) fn gather(&self, bytes: &[u8]) {
        self.shared.borrow_mut().gathered.extend_from_slice(bytes);
    }

    /// A new round begins: the socket may be read again.
    pub(crate) fn begin_round(&self) {
        self.shared.borrow_mut().read_pending = false;
    }

    /// Sends what was gathered.
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.borrow_mut().poll_send(cx)
    }

    /// Sends what was gathered, and closes the sending side.
    pub(crate) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shared = &mut *self.shared.borrow_mut();
        ready!(shared.poll_send(cx))?;
        Pin::new(&mut shared.socket).poll_shutdown(cx)
    }

    /// Gives back the memory of empty buffers.
    pub(crate) fn shrink(&self) {
        let shared = &mut *self.shared.borrow_mut();
        if shared.gathered.is_empty() {
            shared.gathered = BytesMut::new();
        }
        if shared.ahead.is_empty() {
            shared.ahead = BytesMut::new();
        }
    }

    /// Bytes received and sent since the last call.
    pub(crate) fn take_transferred(&self) -> (u64, u64) {
        let shared = &mut *self.shared.borrow_mut();
        (std::mem::take(&mut shared.received), std::mem::take(&mut shared.sent))
    }
}

impl<T> Shared<T> {
    /// The bytes go to HTTP/2 next.
    fn follow(&mut self, fresh: &mut [u8]) {
        if let Some(frames) = &mut self.frames {
            frames.push(fresh);
        }
    }
}

impl<T: AsyncWrite + Unpin> Shared<T> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.gathered))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(written);
            self.sent += written as u64;
        }
        if std::mem::take(&mut self.write_refused) {
            // The socket was full when HTTP/2 asked, and took everything now: nobody else would tell it.
            cx.waker().wake_by_ref();
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Io<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let shared = &mut *self.shared.borrow_mut();
        if !shared.ahead.is_empty() {
            let count = into.remaining().min(shared.ahead.len());
            into.put_slice(&shared.ahead[..count]);
            let before = into.filled().len() - count;
            shared.follow(&mut into.filled_mut()[before..]);
            shared.ahead.advance(count);
            return Poll::Ready(Ok(()));
        }
        if shared.read_pending {
            return Poll::Pending;
        }
        let before = into.filled().len();
        let read = Pin::new(&mut shared.socket).poll_read(cx, into);
        shared.read_pending = read.is_pending();
        let fresh = &mut into.filled_mut()[before..];
        shared.received += fresh.len() as u64;
        shared.follow(fresh);
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Io<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let shared = &mut *self.shared.borrow_mut();
        if shared.gathered.len() >= WRITE_BUFFER_MAX_BYTES
            && let Poll::Ready(Err(error)) = shared.poll_send(cx)
        {
            return Poll::Ready(Err(error));
        }
        let count = bytes.len().min(WRITE_BUFFER_MAX_BYTES.saturating_sub(shared.gathered.len()));
        shared.write_cut = count < bytes.len();
        shared.write_refused = count == 0 && !bytes.is_empty();
        if shared.write_refused {
            return Poll::Pending;
        }
        shared.gathered.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    /// Does nothing: the connection sends, once its poll has gathered all there is.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shared = &mut *self.shared.borrow_mut();
        ready!(shared.poll_send(cx))?;
        Pin::new(&mut shared.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    /// Full when it is first asked, empty from then on, and tells nobody: another thread read in between.
    #[derive(Debug, Default)]
    struct Drained {
        asked: bool,
    }

    impl AsyncRead for Drained {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Drained {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            if std::mem::replace(&mut self.asked, true) { Poll::Ready(Ok(bytes.len())) } else { Poll::Pending }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_writer_that_was_refused_learns_of_room() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        let mut io = Io::new(Drained::default());
        let frames = vec![0; WRITE_BUFFER_MAX_BYTES];
        let written = Pin::new(&mut io).poll_write(&mut cx, &frames);
        assert!(matches!(written, Poll::Ready(Ok(WRITE_BUFFER_MAX_BYTES))));
        assert!(Pin::new(&mut io).poll_write(&mut cx, b"more").is_pending());
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        assert!(io.poll_send(&mut cx).is_ready());
        assert_eq!(count.0.load(Ordering::SeqCst), 1, "there is room, and nobody else says so");
        assert!(Pin::new(&mut io).poll_write(&mut cx, b"more").is_ready());
        assert!(io.poll_send(&mut cx).is_ready());
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
