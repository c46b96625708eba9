//! A message on its way out: gRPC's five bytes before it, and an account of when it has left.

use std::rc::Rc;

use bytes::{Buf, Bytes};

use crate::message::Message;
use crate::outbox::{ExchangeKey, Outbox, Queued, StreamQueue};

/// One flag byte and the length, before every message.
pub(crate) const PREFIX_BYTES: usize = 5;

/// A length-prefixed message. It counts as queued from its creation until it is dropped, which HTTP/2 does once its
/// last byte is in the write buffer, or its stream was reset.
#[derive(Debug)]
pub(crate) struct Segment {
    prefix: [u8; PREFIX_BYTES],
    prefix_sent: usize,
    message: Message,
    /// Pieces of the message that are wholly sent.
    pieces_sent: usize,
    remaining: usize,
    account: Account,
}

/// Takes the bytes off the counts when dropped. It may be dropped in the midst of h2: it calls nobody.
#[derive(Debug)]
struct Account {
    length: usize,
    connection: Rc<Queued>,
    stream: Option<(Rc<StreamQueue>, ExchangeKey)>,
}

impl Segment {
    pub(crate) fn new(message: Message, outbox: &Outbox, stream: Option<(&Rc<StreamQueue>, ExchangeKey)>) -> Segment {
        let length = message.len();
        let announced = u32::try_from(length).expect("an answer is shorter than 4 GiB");
        let [a, b, c, d] = announced.to_be_bytes();
        let remaining = PREFIX_BYTES + length;
        outbox.queued.add(remaining);
        let stream = stream.map(|(queue, key)| {
            queue.bytes.set(queue.bytes.get() + remaining);
            (Rc::clone(queue), key)
        });
        let account = Account { length: remaining, connection: Rc::clone(&outbox.queued), stream };
        Segment { prefix: [0, a, b, c, d], prefix_sent: 0, message, pieces_sent: 0, remaining, account }
    }

    /// Bytes that are no message of gRPC: without a prefix.
    pub(crate) fn plain(bytes: Bytes, outbox: &Outbox) -> Segment {
        let mut segment = Segment::new(bytes.into(), outbox, None);
        segment.advance(PREFIX_BYTES);
        segment
    }

    fn first_piece(&self) -> &[u8] {
        match &self.message {
            Message::Whole(bytes) => bytes,
            Message::Pieces(pieces) => pieces.get(self.pieces_sent).map_or(&[], |piece| piece),
        }
    }

    fn skip_empty_pieces(&mut self) {
        if let Message::Pieces(pieces) = &self.message {
            while pieces.get(self.pieces_sent).is_some_and(Bytes::is_empty) {
                self.pieces_sent += 1;
            }
        }
    }
}

impl Buf for Segment {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        let prefix = &self.prefix[self.prefix_sent..];
        if prefix.is_empty() { self.first_piece() } else { prefix }
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.remaining, "advanced beyond the end");
        self.remaining -= count;
        self.account.connection.note_written();
        let of_prefix = count.min(PREFIX_BYTES - self.prefix_sent);
        self.prefix_sent += of_prefix;
        let mut count = count - of_prefix;
        match &mut self.message {
            Message::Whole(bytes) => bytes.advance(count),
            Message::Pieces(pieces) => {
                while count > 0 {
                    let piece = &mut pieces[self.pieces_sent];
                    let of_piece = count.min(piece.len());
                    piece.advance(of_piece);
                    count -= of_piece;
                    self.pieces_sent += usize::from(piece.is_empty());
                }
            }
        }
        self.skip_empty_pieces();
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.connection.subtract(self.length);
        if let Some((queue, key)) = &self.stream {
            let left = queue.bytes.get().checked_sub(self.length).expect("what is written was queued");
            queue.bytes.set(left);
            if queue.paused.get() && queue.has_drained() {
                self.connection.note_drained(*key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::ConnectionWaker;

    fn drained(mut segment: Segment, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while segment.has_remaining() {
            let taken = segment.chunk().len().min(step);
            assert!(taken > 0, "something remains, so there is a chunk");
            all.extend_from_slice(&segment.chunk()[..taken]);
            segment.advance(taken);
        }
        assert!(segment.chunk().is_empty());
        all
    }

    #[test]
    fn pieces_follow_the_prefix_in_order() {
        let outbox = Outbox::new(ConnectionWaker::new());
        let piece = Bytes::from_static;
        for step in 1..8 {
            let pieces = vec![piece(b""), piece(b"ab"), piece(b""), piece(b""), piece(b"cde"), piece(b"")];
            let segment = Segment::new(pieces.into(), &outbox, None);
            assert_eq!(drained(segment, step), b"\0\0\0\0\x05abcde");
            let segment = Segment::new(piece(b"abc").into(), &outbox, None);
            assert_eq!(drained(segment, step), b"\0\0\0\0\x03abc");
            assert_eq!(drained(Segment::new(Vec::<Bytes>::new().into(), &outbox, None), step), b"\0\0\0\0\0");
        }
        assert_eq!(drained(Segment::plain(piece(b"abc"), &outbox), 2), b"abc");
        let mut whole = Segment::new(vec![piece(b"ab"), piece(b"cd")].into(), &outbox, None);
        assert_eq!(whole.copy_to_bytes(9), &b"\0\0\0\0\x04abcd"[..]);
    }

    #[test]
    fn bytes_count_until_the_segment_is_gone() {
        let outbox = Outbox::new(ConnectionWaker::new());
        let queue = StreamQueue::new(10);
        let key = ExchangeKey { slot: 1, generation: 2 };
        let message = || Message::Whole(Bytes::from_static(b"abc"));
        let first = Segment::new(message(), &outbox, Some((&queue, key)));
        let second = Segment::new(message(), &outbox, Some((&queue, key)));
        queue.paused.set(true);
        assert_eq!((outbox.queued.bytes.get(), queue.bytes.get()), (16, 16));
        drop(first);
        assert_eq!((outbox.queued.bytes.get(), queue.bytes.get()), (8, 8));
        assert!(outbox.queued.take_drained().is_empty());
        drop(second);
        assert_eq!((outbox.queued.bytes.get(), queue.bytes.get()), (0, 0));
        assert_eq!(outbox.queued.take_drained(), [key]);
    }
}
