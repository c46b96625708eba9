//! What waits for one connection: three classes of frames, each in its own order, bounded in bytes and in number.
//!
//! What is urgent (heartbeats, votes, acknowledgements, questions) goes first and whole; then one chunk of requests and
//! one of bulk (appends, answers). So an urgent frame waits for what the kernel holds and one chunk, never for the whole
//! queue, and bulk cannot crowd it out. Frames are encoded where they will leave from: sending allocates nothing but
//! the chunks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use super::bounds::CHUNK_BYTES;

/// What goes ahead of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Urgent = 0,
    Requests = 1,
    Bulk = 2,
}

/// When a class takes no more.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub bytes: usize,
    pub frames: usize,
}

#[cfg(test)]
impl Class {
    pub const ALL: [Class; 3] = [Class::Urgent, Class::Requests, Class::Bulk];
}

impl Bound {
    /// For what is bounded by other means.
    pub const NONE: Bound = Bound { bytes: usize::MAX, frames: usize::MAX };
}

#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    frames: usize,
}

#[derive(Debug)]
struct Queue {
    bound: Bound,
    chunks: VecDeque<Chunk>,
    bytes: usize,
    frames: usize,
    /// Frames that were ever put in.
    put: u64,
}

#[derive(Debug)]
pub struct Outbox {
    queues: RefCell<[Queue; 3]>,
    /// An emptied chunk, for its memory.
    spare: RefCell<Vec<u8>>,
    taker: RefCell<Option<Waker>>,
    is_broken: Cell<bool>,
    watcher: RefCell<Option<Waker>>,
}

/// A frame that was not put in: its class is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Queue {
    fn pop(&mut self) -> Option<Vec<u8>> {
        let chunk = self.chunks.pop_front()?;
        self.bytes -= chunk.bytes.len();
        self.frames -= chunk.frames;
        Some(chunk.bytes)
    }

    fn pop_into(&mut self, batch: &mut Vec<u8>) -> bool {
        match self.pop() {
            Some(chunk) if batch.is_empty() => *batch = chunk,
            Some(chunk) => batch.extend_from_slice(&chunk),
            None => return false,
        }
        true
    }
}

impl Outbox {
    /// Bounds in the order of the classes.
    #[must_use]
    pub fn new(bounds: [Bound; 3]) -> Outbox {
        let queue = |bound| Queue { bound, chunks: VecDeque::new(), bytes: 0, frames: 0, put: 0 };
        Outbox {
            queues: RefCell::new(bounds.map(queue)),
            spare: RefCell::default(),
            taker: RefCell::default(),
            is_broken: Cell::new(false),
            watcher: RefCell::default(),
        }
    }

    /// Puts the frame in that `write` appends. Returns its number in its class.
    ///
    /// # Errors
    /// If the class is full.
    pub fn put(&self, class: Class, write: impl FnOnce(&mut Vec<u8>)) -> Result<u64, Full> {
        let queue = &mut self.queues.borrow_mut()[class as usize];
        if queue.bytes >= queue.bound.bytes || queue.frames >= queue.bound.frames {
            return Err(Full);
        }
        let number = queue.put;
        self.append(queue, write);
        Ok(number)
    }

    /// Puts a frame in whatever the bound: for what has a bound of its own.
    pub fn put_always(&self, class: Class, write: impl FnOnce(&mut Vec<u8>)) {
        self.append(&mut self.queues.borrow_mut()[class as usize], write);
    }

    fn append(&self, queue: &mut Queue, write: impl FnOnce(&mut Vec<u8>)) {
        if queue.chunks.back().is_none_or(|chunk| chunk.bytes.len() >= CHUNK_BYTES) {
            queue.chunks.push_back(Chunk { bytes: self.spare.take(), frames: 0 });
        }
        let chunk = queue.chunks.back_mut().expect("there is a chunk");
        let before = chunk.bytes.len();
        write(&mut chunk.bytes);
        if chunk.bytes.len() == before {
            // Nothing that travels: an empty chunk must not be left to be taken.
            if before == 0 {
                queue.chunks.pop_back();
            }
            return;
        }
        chunk.frames += 1;
        queue.bytes += chunk.bytes.len() - before;
        queue.frames += 1;
        queue.put += 1;
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
    }

    /// Waits for frames, and takes what is to leave in one write.
    pub async fn take(&self) -> Vec<u8> {
        self.wait().await;
        let queues = &mut *self.queues.borrow_mut();
        let mut batch = Vec::new();
        while queues[Class::Urgent as usize].pop_into(&mut batch) {}
        queues[Class::Requests as usize].pop_into(&mut batch);
        queues[Class::Bulk as usize].pop_into(&mut batch);
        batch
    }

    /// Waits until there are frames.
    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.queues.borrow().iter().any(|queue| queue.frames > 0) {
                return Poll::Ready(());
            }
            *self.taker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Gives a batch's memory back once it has left.
    pub fn recycle(&self, mut batch: Vec<u8>) {
        if batch.capacity() <= 2 * CHUNK_BYTES && batch.capacity() > self.spare.borrow().capacity() {
            batch.clear();
            *self.spare.borrow_mut() = batch;
        }
    }

    /// Drops everything that waits, for the connection is no more, and returns how many frames there were of each class.
    pub fn clear(&self) -> [usize; 3] {
        self.is_broken.set(false);
        let mut dropped = [0; 3];
        for (queue, dropped) in self.queues.borrow_mut().iter_mut().zip(&mut dropped) {
            *dropped = std::mem::take(&mut queue.frames);
            queue.bytes = 0;
            queue.chunks.clear();
        }
        *self.spare.borrow_mut() = Vec::new();
        dropped
    }

    /// Bytes that wait in the class.
    #[must_use]
    pub fn bytes(&self, class: Class) -> usize {
        self.queues.borrow()[class as usize].bytes
    }

    /// How many frames of the class were taken or dropped: those with lower numbers.
    #[must_use]
    pub fn taken(&self, class: Class) -> u64 {
        let queue = &self.queues.borrow()[class as usize];
        queue.put - queue.frames as u64
    }

    /// The connection is to end, whatever it waits for.
    pub fn break_off(&self) {
        self.is_broken.set(true);
        if let Some(watcher) = self.watcher.take() {
            watcher.wake();
        }
    }

    /// Waits for [`Outbox::break_off`], which is over with that.
    pub async fn broken(&self) {
        poll_fn(|context| {
            if self.is_broken.replace(false) {
                return Poll::Ready(());
            }
            *self.watcher.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    fn outbox() -> Outbox {
        Outbox::new([
            Bound { bytes: 1 << 20, frames: 10 },
            Bound { bytes: 1 << 20, frames: 10 },
            Bound { bytes: 2 * CHUNK_BYTES, frames: 10_000 },
        ])
    }

    fn put(outbox: &Outbox, class: Class, bytes: &[u8]) -> Result<u64, Full> {
        outbox.put(class, |buffer| buffer.extend_from_slice(bytes))
    }

    #[test]
    fn urgent_goes_first_and_each_class_keeps_its_order() {
        let outbox = outbox();
        for (class, bytes) in [
            (Class::Bulk, "b1"),
            (Class::Requests, "r1"),
            (Class::Urgent, "u1"),
            (Class::Bulk, "b2"),
            (Class::Urgent, "u2"),
        ] {
            put(&outbox, class, bytes.as_bytes()).unwrap();
        }
        assert_eq!(block_on(outbox.take()), b"u1u2r1b1b2");
        assert_eq!(block_on(poll_once(outbox.take())), None);
        assert_eq!(outbox.taken(Class::Bulk), 2);
    }

    #[test]
    fn bulk_leaves_in_chunks_and_urgent_passes_it() {
        let outbox = outbox();
        let frame = vec![1; CHUNK_BYTES];
        put(&outbox, Class::Bulk, &frame).unwrap();
        put(&outbox, Class::Bulk, &frame).unwrap();
        assert_eq!(put(&outbox, Class::Bulk, &frame), Err(Full));
        assert_eq!(put(&outbox, Class::Bulk, &[]), Err(Full));
        put(&outbox, Class::Urgent, b"vote").unwrap();
        assert_eq!(block_on(outbox.take()).len(), 4 + CHUNK_BYTES);
        assert_eq!(outbox.bytes(Class::Bulk), CHUNK_BYTES);
        assert_eq!(put(&outbox, Class::Bulk, &frame), Ok(2));
        put(&outbox, Class::Urgent, b"vote").unwrap();
        assert_eq!(&block_on(outbox.take())[..4], b"vote");
    }

    #[test]
    fn frames_are_bounded_in_number() {
        let outbox = outbox();
        for number in 0..10 {
            assert_eq!(put(&outbox, Class::Urgent, b"u"), Ok(number));
        }
        assert_eq!(put(&outbox, Class::Urgent, b"u"), Err(Full));
        outbox.put_always(Class::Urgent, |buffer| buffer.push(b'p'));
        assert_eq!(block_on(outbox.take()), b"uuuuuuuuuup");
        assert_eq!(outbox.taken(Class::Urgent), 11);
    }

    #[test]
    fn what_does_not_travel_leaves_nothing() {
        let outbox = outbox();
        outbox.put_always(Class::Bulk, |_| {});
        assert_eq!(block_on(poll_once(outbox.take())), None);
        assert_eq!(outbox.clear(), [0, 0, 0]);
    }

    #[test]
    fn clearing_counts_and_empties() {
        let outbox = outbox();
        put(&outbox, Class::Urgent, b"u").unwrap();
        put(&outbox, Class::Bulk, b"b").unwrap();
        put(&outbox, Class::Bulk, b"b").unwrap();
        assert_eq!(outbox.clear(), [1, 0, 2]);
        assert_eq!((outbox.bytes(Class::Bulk), outbox.taken(Class::Bulk)), (0, 2));
        assert_eq!(block_on(poll_once(outbox.take())), None);
    }

    #[test]
    fn breaking_off_is_seen_once() {
        let outbox = outbox();
        assert_eq!(block_on(poll_once(outbox.broken())), None);
        outbox.break_off();
        assert_eq!(block_on(poll_once(outbox.broken())), Some(()));
        assert_eq!(block_on(poll_once(outbox.broken())), None);
    }
}
