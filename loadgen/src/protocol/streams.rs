//! The open streams of one connection, found by their ids in constant time and without hashing.
//!
//! A stream lives in the slot that the low bits of its id name. HTTP/2 wants ids to rise, not to be dense
//! (RFC 9113, section 5.1.1): an id whose slot is still taken by a straggler is skipped. The table has several
//! times more slots than streams, so a free one is always near.

/// The highest id that a client may use.
const STREAM_ID_MAX: u32 = 0x7fff_ffff;

/// Slots for each stream that may be open; a power of two keeps the search for a free one short.
const SLOTS_PER_STREAM: usize = 4;

#[derive(Debug)]
struct Slot<T> {
    /// The stream's id, or 0 if the slot is free.
    id: u32,
    /// What the caller wants to remember of the call.
    call: Option<T>,
    /// Whether the response's opening headers have come.
    answered: bool,
    /// The response's bytes so far, message prefix included. The memory is kept when a stream ends, so that
    /// the next one in this slot allocates nothing.
    body: Vec<u8>,
}

/// All open streams of a connection; never more than the limit it was made with.
#[derive(Debug)]
pub struct Streams<T> {
    slots: Vec<Slot<T>>,
    open: usize,
    limit: usize,
    next_id: u32,
}

/// What became of a stream id that a frame names.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    Open,
    /// It was open once. Frames may still be on their way.
    Closed,
    /// The peer speaks of a stream that this side never opened.
    Never,
}

impl<T> Streams<T> {
    /// `limit` streams at most will be open at once.
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0, "a connection carries at least one stream");
        let free = || Slot { id: 0, call: None, answered: false, body: Vec::new() };
        let slots = std::iter::repeat_with(free).take((limit * SLOTS_PER_STREAM).next_power_of_two()).collect();
        Self { slots, open: 0, limit, next_id: 1 }
    }

    /// Number of open streams.
    pub fn open_count(&self) -> usize {
        self.open
    }

    /// How many streams may be opened now: 0 at the limit, and for ever once the ids are used up.
    pub fn room(&self) -> usize {
        let ids_left = STREAM_ID_MAX.saturating_sub(self.next_id) as usize / (2 * self.slots.len());
        (self.limit - self.open).min(ids_left)
    }

    /// Whether the connection has used up its stream ids.
    pub fn exhausted(&self) -> bool {
        self.room() == 0 && self.open < self.limit
    }

    /// Opens a stream and returns its id. There must be room.
    pub fn open(&mut self, call: T) -> u32 {
        assert!(self.room() > 0, "a stream is opened only where there is room");
        loop {
            let id = self.next_id;
            self.next_id += 2;
            let at = self.index(id);
            let slot = &mut self.slots[at];
            if slot.id == 0 {
                *slot = Slot { id, call: Some(call), answered: false, body: std::mem::take(&mut slot.body) };
                self.open += 1;
                return id;
            }
        }
    }

    /// What is known of `id`.
    pub fn known(&self, id: u32) -> Known {
        if id.is_multiple_of(2) || id >= self.next_id {
            Known::Never
        } else if self.slots[self.index(id)].id == id {
            Known::Open
        } else {
            Known::Closed
        }
    }

    /// Marks the response of an open stream as begun; returns whether it had begun before.
    pub fn answer(&mut self, id: u32) -> bool {
        let at = self.index(id);
        let slot = &mut self.slots[at];
        assert_eq!(slot.id, id, "only an open stream is answered");
        std::mem::replace(&mut slot.answered, true)
    }

    /// The body of an open stream, to be appended to, and whether its response has begun.
    pub fn body(&mut self, id: u32) -> (&mut Vec<u8>, bool) {
        let at = self.index(id);
        let slot = &mut self.slots[at];
        assert_eq!(slot.id, id, "only an open stream has a body");
        (&mut slot.body, slot.answered)
    }

    /// Closes a stream and lends what it was to `take`.
    pub fn close<R>(&mut self, id: u32, take: impl FnOnce(T, &[u8]) -> R) -> R {
        let at = self.index(id);
        let slot = &mut self.slots[at];
        assert_eq!(slot.id, id, "only an open stream is closed");
        slot.id = 0;
        self.open -= 1;
        let result = take(slot.call.take().expect("an open stream has a call"), &slot.body);
        slot.body.clear();
        result
    }

    /// The ids of all open streams above `last`, in rising order.
    pub fn ids_above(&self, last: u32) -> Vec<u32> {
        let mut ids: Vec<u32> = self.slots.iter().map(|slot| slot.id).filter(|&id| id > last).collect();
        ids.sort_unstable();
        ids
    }

    fn index(&self, id: u32) -> usize {
        (id as usize >> 1) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn stragglers_keep_their_slots_while_others_pass() {
        let mut streams = Streams::new(2);
        let straggler = streams.open("slow");
        for _ in 0..1000 {
            let id = streams.open("quick");
            assert_eq!(streams.room(), 0);
            streams.close(id, |call, _| assert_eq!(call, "quick"));
            assert_eq!(streams.known(id), Known::Closed);
        }
        assert_eq!(streams.known(straggler), Known::Open);
        streams.close(straggler, |call, _| assert_eq!(call, "slow"));
        assert_eq!(streams.open_count(), 0);
    }

    #[test]
    fn a_seeded_walk_agrees_with_a_map() {
        use rand::{Rng, SeedableRng, rngs::StdRng};
        let seed = 7;
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let mut streams = Streams::new(9);
        let mut model = BTreeMap::new();
        for step in 0..20_000u32 {
            if streams.room() > 0 && random.random_bool(0.5) {
                let id = streams.open(step);
                streams.body(id).0.extend_from_slice(&step.to_le_bytes());
                assert!(model.insert(id, step).is_none());
            } else if !model.is_empty() {
                let id = *model.keys().nth(random.random_range(0..model.len())).unwrap();
                let (call, body) = streams.close(id, |call, body| (call, body.to_vec()));
                assert_eq!(Some(call), model.remove(&id));
                assert_eq!(body, call.to_le_bytes());
            }
            assert_eq!(streams.open_count(), model.len());
        }
        assert_eq!(streams.ids_above(0), model.into_keys().collect::<Vec<_>>());
    }

    #[test]
    fn ids_of_the_peer_and_of_the_future_were_never_opened() {
        let mut streams = Streams::new(1);
        assert_eq!(streams.known(1), Known::Never);
        let id = streams.open(());
        assert_eq!((id, streams.known(2)), (1, Known::Never));
    }

    #[test]
    fn used_up_ids_leave_no_room() {
        let mut streams = Streams::new(1);
        streams.next_id = STREAM_ID_MAX - 20;
        while streams.room() > 0 {
            let id = streams.open(());
            streams.close(id, |(), _| ());
        }
        assert!(streams.exhausted());
    }
}
