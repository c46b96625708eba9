//! The writing end of a log: gathers batches, and makes all that has gathered durable with one write.
//!
//! One record is in flight at a time; what is appended meanwhile goes into the next one. A flush that fails, or whose
//! future is dropped half-way, poisons the log: its offset is never written again.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::cursor::{GroupCursor, GroupState};
use super::record::{self, Section};
use super::recover::{LogRemains, SegmentRemains};
use super::spares::Spares;
use super::{Batch, Cut, HardState, LogPosition, Update, segment};
use crate::bounds::{
    BLOCK_BYTES, GATHERED_BYTES_MAX, PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX, SECTIONS_MAX, SEGMENT_BYTES_DEFAULT,
    SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN,
};
use crate::codec::padded;
use crate::disk::{Disk, File};
use crate::error::{Error, Result};
use crate::ids::GroupId;
use crate::planted::planted;

/// How a log is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Size of a segment in bytes: whole blocks.
    pub segment_bytes: u64,
    /// A number that no other start of this member has: the salts of its segments come from it.
    pub nonce: u64,
}

impl Options {
    /// Segments of the default size.
    #[must_use]
    pub fn new(nonce: u64) -> Self {
        Options { segment_bytes: SEGMENT_BYTES_DEFAULT, nonce }
    }
}

/// How many batches were appended to a log since it was opened. A flush answers with the last one that is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// The log of one executor. Its methods take `&self`, so that one task flushes while others append.
pub struct Log<D: Disk> {
    pub(super) disk: D,
    pub(super) directory: PathBuf,
    pub(super) options: Options,
    number: u32,
    pub(super) state: RefCell<State<D>>,
}

pub(super) struct State<D: Disk> {
    pub(super) groups: BTreeMap<GroupId, GroupCursor>,
    gathered: VecDeque<Gathered>,
    gathered_bytes: usize,
    appended: Ticket,
    durable: Ticket,
    flushing: bool,
    failed: Option<String>,
    active: Option<Active<D>>,
    pub(super) sealed: VecDeque<SegmentRemains>,
    pub(super) spares: Spares,
    next_sequence: u64,
    end: LogPosition,
}

/// A batch that waits for the disk.
struct Gathered {
    ticket: Ticket,
    /// What it adds to a record.
    bytes: usize,
    sections: Vec<Section>,
}

/// The segment that is written.
struct Active<D: Disk> {
    file: Rc<D::File>,
    salt: u64,
    remains: SegmentRemains,
}

/// What one flush writes.
struct Flight {
    ticket: Ticket,
    length: usize,
    sections: Vec<Section>,
}

impl<D: Disk> Log<D> {
    /// Opens the log that `remains` describes ([`LogRemains::new`] if there is none yet) and begins a new segment.
    ///
    /// # Errors
    /// Those of the disk; the device may be full.
    pub async fn open(disk: D, remains: LogRemains, options: Options) -> Result<Self> {
        assert!(
            options.segment_bytes.is_multiple_of(BLOCK_BYTES as u64)
                && (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&options.segment_bytes),
            "a segment is whole blocks, within its bounds",
        );
        let spares = Spares::open(&disk, &remains.directory, options.segment_bytes).await?;
        let state = State {
            groups: BTreeMap::new(),
            gathered: VecDeque::new(),
            gathered_bytes: 0,
            appended: Ticket(0),
            durable: Ticket(0),
            flushing: false,
            failed: None,
            active: None,
            next_sequence: remains.segments.last().map_or(1, |last| last.sequence + 1),
            end: remains.segments.last().map_or(LogPosition(0), |last| last.end),
            sealed: remains.segments.into(),
            spares,
        };
        let number = remains.number;
        let log = Log { disk, directory: remains.directory, options, number, state: RefCell::new(state) };
        log.next_segment().await?;
        Ok(log)
    }

    /// The log's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Takes a group in: from now on it is appended to this log and no other. A new group's cursor is the default one.
    pub fn adopt(&self, group: GroupId, cursor: GroupCursor) {
        let before = self.state.borrow_mut().groups.insert(group, cursor);
        assert!(before.is_none(), "group {group} is adopted once");
    }

    /// Gathers a batch for the next flush. Nothing is durable yet, and nothing is written. An empty batch is fine.
    ///
    /// # Errors
    /// [`Error::Poisoned`] after a failure; [`Error::TooLarge`] if the batch cannot be one record, or if more waits
    /// than the log may hold back.
    ///
    /// # Panics
    /// If a group is not adopted, or writes what no Raft group may: entries with a hole before them, over committed
    /// ones, or of an older term; a commit beyond the end.
    pub fn append(&self, batch: Batch) -> Result<Ticket> {
        let mut state = self.state.borrow_mut();
        self.check_not_failed(&state)?;
        let bytes = batch_bytes(&batch);
        let limit = self.record_bytes_max();
        bounded("a batch", record::HEADER_BYTES + bytes, limit)?;
        bounded("a batch's number of updates", batch.len(), SECTIONS_MAX)?;
        bounded("what waits for the log", state.gathered_bytes + bytes, GATHERED_BYTES_MAX)?;
        for entry in batch.iter().flat_map(|update| &update.entries) {
            bounded("an entry's payload", entry.payload.len(), PAYLOAD_BYTES_MAX)?;
        }
        let sections = batch.into_iter().map(|update| state.number(update)).collect();
        state.appended = Ticket(state.appended.0 + 1);
        state.gathered_bytes += bytes;
        let ticket = state.appended;
        state.gathered.push_back(Gathered { ticket, bytes, sections });
        Ok(ticket)
    }

    /// Whether a flush has something to write.
    #[must_use]
    pub fn has_gathered(&self) -> bool {
        !self.state.borrow().gathered.is_empty()
    }

    /// Bytes that wait for the next flushes.
    #[must_use]
    pub fn gathered_bytes(&self) -> usize {
        self.state.borrow().gathered_bytes
    }

    /// The most bytes that one record of this log may have.
    #[must_use]
    pub fn record_bytes_max(&self) -> usize {
        let segment = usize::try_from(self.options.segment_bytes - segment::HEADER_BYTES).unwrap_or(usize::MAX);
        RECORD_BYTES_MAX.min(segment)
    }

    /// Makes what has gathered durable, up to one record, and answers with the last ticket that is durable now.
    ///
    /// # Errors
    /// Those of the disk, and [`Error::Full`] if a new segment was needed and there is no room. The log is poisoned then.
    ///
    /// # Panics
    /// If another flush is under way.
    pub async fn flush(&self) -> Result<Ticket> {
        let flight = {
            let mut state = self.state.borrow_mut();
            self.check_not_failed(&state)?;
            assert!(!state.flushing, "one flush at a time");
            let Some(flight) = state.take(self.record_bytes_max()) else { return Ok(state.durable) };
            state.flushing = true;
            flight
        };
        let mut guard = Unfinished { state: &self.state, error: None };
        let written = self.write(&flight).await;
        match written {
            Ok(()) => {
                guard.disarm();
                let mut state = self.state.borrow_mut();
                state.flushing = false;
                state.durable = flight.ticket;
                Ok(flight.ticket)
            }
            Err(error) => {
                guard.error = Some(error.to_string());
                Err(error)
            }
        }
    }

    async fn write(&self, flight: &Flight) -> Result<()> {
        let bytes = padded(flight.length);
        if self.room() < bytes as u64 {
            self.next_segment().await?;
        }
        let (file, salt, offset, position) = {
            let state = self.state.borrow();
            let active = state.active.as_ref().expect("an open log has an active segment");
            let offset = segment::HEADER_BYTES + (state.end.0 - active.remains.start.0);
            (Rc::clone(&active.file), active.salt, offset, state.end)
        };
        let mut buffer = file.buffer(bytes);
        // All before this record is durable: one record is in flight at a time.
        record::encode(buffer.as_mut(), salt, position, position, flight.length, &flight.sections);
        let written = file.write(buffer, offset).await;
        if !planted!(WriteErrorIgnored) {
            written?;
        }
        let mut state = self.state.borrow_mut();
        state.end = LogPosition(position.0 + bytes as u64);
        let end = state.end;
        let active = state.active.as_mut().expect("an open log has an active segment");
        active.remains.end = end;
        active.remains.note(&flight.sections);
        Ok(())
    }

    /// Bytes left in the active segment.
    fn room(&self) -> u64 {
        let state = self.state.borrow();
        state.active.as_ref().map_or(0, |active| {
            let used = segment::HEADER_BYTES + (state.end.0 - active.remains.start.0);
            self.options.segment_bytes - used
        })
    }

    /// Puts a header on a spare, gives it its name, and goes on in it. All before is durable at this point.
    async fn next_segment(&self) -> Result<()> {
        let (sequence, start) = {
            let mut state = self.state.borrow_mut();
            let sequence = state.next_sequence;
            state.next_sequence += 1;
            (sequence, state.end)
        };
        let spare = self.take_spare().await?;
        let salt = salt(self.options.nonce, self.number, sequence);
        let bytes = self.options.segment_bytes;
        let header = segment::Header { log: self.number, sequence, start, salt, bytes };
        let path = self.directory.join(segment::segment_name(sequence));
        let file = super::spares::activate(&self.disk, &spare, &path, &header).await?;
        let remains = SegmentRemains { sequence, file_bytes: bytes, start, end: start, newest: BTreeMap::new() };
        let mut state = self.state.borrow_mut();
        let before = state.active.replace(Active { file: Rc::new(file), salt, remains });
        state.sealed.extend(before.map(|active| active.remains));
        Ok(())
    }

    /// What the manifest has to say of a group once a checkpoint that stands for all up to `cut` is durable.
    #[must_use]
    pub fn cut(&self, group: GroupId, cut: Cut) -> GroupState {
        self.with_group(group, |cursor| cursor.cut(cut))
    }

    /// What the manifest has to say of a group whose log an installed checkpoint replaces. Between this call and
    /// [`Log::restart`] nothing may be appended to the group.
    #[must_use]
    pub fn reset(&self, group: GroupId, cut: Cut, hard_state: HardState) -> GroupState {
        self.with_group(group, |cursor| cursor.reset(cut, hard_state))
    }

    /// Carries out [`Log::reset`], once the manifest that says so is durable.
    ///
    /// # Panics
    /// If something was appended to the group in between.
    pub fn restart(&self, group: GroupId, reset: &GroupState) {
        let mut state = self.state.borrow_mut();
        let cursor = state.groups.get_mut(&group).expect("the group is adopted");
        assert_eq!(cursor.next(), reset.floor, "group {group} is silent while it is reset");
        *cursor = GroupCursor::new(reset);
    }

    fn with_group<T>(&self, group: GroupId, read: impl FnOnce(&GroupCursor) -> T) -> T {
        read(self.state.borrow().groups.get(&group).expect("the group is adopted"))
    }

    fn check_not_failed(&self, state: &State<D>) -> Result<()> {
        match &state.failed {
            Some(first) => Err(Error::Poisoned { path: self.directory.clone(), first: first.clone() }),
            None => Ok(()),
        }
    }
}

impl<D: Disk> State<D> {
    /// Gives an update its group's next stamp.
    fn number(&mut self, update: Update) -> Section {
        let group = update.group;
        let cursor = self.groups.get_mut(&group).expect("the group is adopted");
        let stamp = cursor.accept(&update).unwrap_or_else(|what| panic!("group {group} may not append this: {what}"));
        Section { group, stamp, hard_state: update.hard_state, entries: update.entries }
    }

    /// Takes as many batches as one record holds, in order.
    fn take(&mut self, limit: usize) -> Option<Flight> {
        let first = self.gathered.pop_front()?;
        self.gathered_bytes -= first.bytes;
        let mut flight =
            Flight { ticket: first.ticket, length: record::HEADER_BYTES + first.bytes, sections: first.sections };
        while let Some(next) = self.gathered.front()
            && flight.length + next.bytes <= limit
            && flight.sections.len() + next.sections.len() <= SECTIONS_MAX
        {
            let next = self.gathered.pop_front().expect("it was just looked at");
            self.gathered_bytes -= next.bytes;
            flight.ticket = next.ticket;
            flight.length += next.bytes;
            flight.sections.extend(next.sections);
        }
        Some(flight)
    }
}

/// Poisons the log unless the flush got to its end.
struct Unfinished<'a, D: Disk> {
    state: &'a RefCell<State<D>>,
    error: Option<String>,
}

impl<D: Disk> Unfinished<'_, D> {
    fn disarm(self) {
        std::mem::forget(self);
    }
}

impl<D: Disk> Drop for Unfinished<'_, D> {
    fn drop(&mut self) {
        let error = self.error.take().unwrap_or_else(|| "a write was abandoned".to_owned());
        self.state.borrow_mut().failed = Some(error);
    }
}

/// What a batch adds to a record, bytes.
#[must_use]
pub fn batch_bytes(batch: &[Update]) -> usize {
    batch.iter().map(|update| record::section_bytes(update.hard_state.is_some(), &update.entries)).sum()
}

fn bounded(what: &'static str, bytes: usize, limit: usize) -> Result<()> {
    if bytes > limit { Err(Error::TooLarge { what, bytes: bytes as u64, limit: limit as u64 }) } else { Ok(()) }
}

/// A number that differs between any two uses of a file as a segment: splitmix64's finalizer over what names the use.
fn salt(nonce: u64, log: u32, sequence: u64) -> u64 {
    let mut mixed = nonce ^ (u64::from(log) << 48) ^ sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
