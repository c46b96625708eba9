//! A client that watches: one stream at a time, with one or more watches on it, each resumed on the next stream where it
//! stood. Now and then it reads slowly, asks how far it is, cancels a watch, or closes the stream.

use crate::dice::{Dice, Part};
use crate::moment::Moment;
use crate::plan::Shape;
use crate::record::Counts;
use crate::record::watching::{Kind, Watched, told};
use bytes::Bytes;
use campanile_core::request::{KeyRange, RangeEnd};
use campanile_core::watch::{CreateWatch, StreamId, WatchResponse};
use campanile_storage::ids::Revision;
use std::collections::BTreeMap;

/// Where a stream is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub member: usize,
    pub life: u32,
    pub executor: u16,
    pub stream: StreamId,
}

pub struct Watcher {
    pub dice: Dice,
    pub session: Option<Session>,
    /// Watches of the open stream by the id that the client gave them; where each stands in the record.
    open: BTreeMap<i64, usize>,
    /// Wishes to be resumed on the next stream.
    pub wishes: Vec<CreateWatch>,
    /// Whether the stream has said that there is something to read.
    pub has_unread: bool,
    /// When a question about progress was asked on this stream.
    pub asked_progress: bool,
}

impl Watcher {
    #[must_use]
    pub fn new(seed: u64, number: usize, shape: &Shape) -> Watcher {
        let mut dice = Dice::of(seed, Part::Watcher(number as u64));
        let wishes = (0..dice.within(1..4)).map(|id| wish(id.cast_signed() + 1, shape, &mut dice)).collect();
        Watcher { dice, session: None, open: BTreeMap::new(), wishes, has_unread: false, asked_progress: false }
    }

    /// The stream of this watcher is open there; its watches are created.
    pub fn begin(&mut self, session: Session, watches: &mut Vec<Watched>, counts: &mut Counts) {
        self.session = Some(session);
        self.has_unread = false;
        self.asked_progress = false;
        for wish in &self.wishes {
            for (is_set, what) in [
                (true, "watch: created"),
                (wish.start.0 > 0, "watch: from a revision on"),
                (wish.previous, "watch: with what was there before"),
                (wish.no_put || wish.no_delete, "watch: filtered"),
                (wish.progress_notify, "watch: with progress notices"),
                (!wish.keys.is_single(), "watch: of several keys"),
            ] {
                counts.add(what, u64::from(is_set));
            }
            self.open.insert(wish.watch_id, watches.len());
            let wish = wish.clone();
            watches.push(Watched { wish, member: session.member, told: Vec::new(), read_up_to: None });
        }
    }

    /// The stream is over; what it brought says where to go on.
    pub fn end(&mut self, watches: &[Watched]) {
        self.session = None;
        for (watch_id, place) in std::mem::take(&mut self.open) {
            self.resume(watch_id, &watches[place]);
        }
    }

    fn resume(&mut self, watch_id: i64, watch: &Watched) {
        let next = watch.next();
        if let Some(wish) = self.wishes.iter_mut().find(|wish| wish.watch_id == watch_id) {
            wish.start = next;
        }
    }

    /// A response came.
    pub fn read(&mut self, response: &WatchResponse, at: Moment, watches: &mut [Watched], counts: &mut Counts) {
        let told = told(response, at);
        counts.note(match &told.kind {
            Kind::Created => "watch: begun",
            Kind::Events(_) => "watch: events",
            Kind::Progress if response.watch_id == -1 => "watch: progress of a stream",
            Kind::Progress => "watch: progress notice",
            Kind::Canceled { compacted, .. } if compacted.0 > 0 => "watch: ended by a compaction",
            Kind::Canceled { .. } => "watch: cancelled",
        });
        let open: Vec<_> = self.open.iter().map(|(id, place)| (*id, *place)).collect();
        for (watch_id, place) in open {
            if response.watch_id == watch_id || response.watch_id == -1 && !response.canceled {
                watches[place].told.push(told.clone());
            }
        }
        if matches!(told.kind, Kind::Canceled { .. })
            && let Some(place) = self.open.remove(&response.watch_id)
        {
            self.resume(response.watch_id, &watches[place]);
        }
    }

    /// Watches that are open, in the record.
    pub fn open(&self) -> impl Iterator<Item = (i64, usize)> {
        self.open.iter().map(|(id, place)| (*id, *place))
    }

    #[must_use]
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }
}

fn wish(watch_id: i64, shape: &Shape, dice: &mut Dice) -> CreateWatch {
    let key = |number: u64| -> Bytes { format!("key-{number:02}").into() };
    let start = key(dice.below(shape.keys));
    let end = match dice.below(4) {
        0 => RangeEnd::Single,
        1 => RangeEnd::Before(key(shape.keys)),
        _ => RangeEnd::Unbounded,
    };
    let start = if end == RangeEnd::Unbounded { key(0) } else { start };
    CreateWatch {
        watch_id,
        keys: KeyRange { start, end },
        start: Revision(if dice.coin() { 0 } else { dice.within(1..20).cast_signed() }),
        no_put: dice.one_in(8),
        no_delete: dice.one_in(8),
        previous: dice.coin(),
        progress_notify: dice.one_in(3),
        fragment: dice.coin(),
    }
}
