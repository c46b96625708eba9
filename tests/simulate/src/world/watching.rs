//! Watch streams: opened on some member, read at the client's own pace, resumed elsewhere when the member ends.

use super::World;
use super::queue::{Happening, Place};
use crate::check::Violation;
use crate::client::watcher::Session;
use campanile_core::executor::effect::Input;
use campanile_core::executor::watching::WatchCommand;
use campanile_core::watch::StreamId;
use std::time::Duration;

/// What a watcher waits for between two things that it does.
const PACE: std::ops::Range<Duration> = Duration::from_micros(100)..Duration::from_millis(400);
/// The same when the faults have stopped: what is left comes in slices, as small as one event.
const CALM_PACE: std::ops::Range<Duration> = Duration::from_millis(1)..Duration::from_millis(5);
/// Responses that a watcher reads at once.
const READS_MAX: u64 = 4;
const NOTICE_INTERVALS: [Duration; 3] = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(600)];

impl World {
    /// A stream has something to read.
    pub(super) fn watch_is_ready(&mut self, place: Place, stream: StreamId) {
        let is_here = |session: &Session| session.member == place.member && session.stream == stream;
        let watcher = self.watchers.iter_mut().find(|watcher| watcher.session.as_ref().is_some_and(is_here));
        if let Some(watcher) = watcher {
            watcher.has_unread = true;
        }
    }

    /// A watcher's turn: it opens a stream, reads, or does something else with it.
    pub(super) fn watcher_acts(&mut self, number: usize) -> Result<(), Violation> {
        let again = self.watchers[number].dice.time(if self.is_calm { CALM_PACE } else { PACE });
        self.queue.push(self.now + again, Happening::Watcher(number));
        match self.watchers[number].session {
            Some(session) => self.use_stream(number, session),
            None => self.open_stream(number),
        }
    }

    fn use_stream(&mut self, number: usize, session: Session) -> Result<(), Violation> {
        let watcher = &mut self.watchers[number];
        let reads = if self.is_calm { u64::MAX } else { watcher.dice.within(1..READS_MAX + 1) };
        let (reads_now, choice) = (watcher.has_unread, watcher.dice.below(200));
        if reads_now {
            self.read_stream(number, session, reads)?;
        }
        let place = self.place(session);
        let watcher = &mut self.watchers[number];
        let first = watcher.open().next();
        match (choice, first) {
            _ if self.is_calm => {}
            (0..20, _) => {
                watcher.asked_progress = true;
                self.command(place, session.stream, WatchCommand::Progress)?;
            }
            (20..23, Some((watch_id, _))) => self.command(place, session.stream, WatchCommand::Cancel { watch_id })?,
            (23..26, _) => {
                self.counts.note("watch: stream closed");
                self.watchers[number].end(&self.watches);
                self.command(place, session.stream, WatchCommand::Close)?;
            }
            _ => {}
        }
        if !self.watchers[number].has_open() && self.watchers[number].session.is_some() {
            // Every watch of the stream has ended: a new stream begins.
            self.watchers[number].end(&self.watches);
            self.command(place, session.stream, WatchCommand::Close)?;
        }
        Ok(())
    }

    fn place(&self, session: Session) -> Place {
        Place { member: session.member, life: session.life, executor: session.executor }
    }

    fn command(&mut self, place: Place, stream: StreamId, command: WatchCommand) -> Result<(), Violation> {
        self.trace.tell(self.now, "watch", &(place.member, place.executor, stream, &command));
        self.arrive(place, Input::Watch { stream, command })
    }

    fn open_stream(&mut self, number: usize) -> Result<(), Violation> {
        let members = self.members.len();
        let watcher = &mut self.watchers[number];
        let (member, executor) = (watcher.dice.place(members), watcher.dice.draw());
        let notice_interval = watcher.dice.pick(&NOTICE_INTERVALS);
        let Some(process) = self.members[member].process() else { return Ok(()) };
        let executor = (executor % u64::from(process.executors())) as u16;
        let stream = StreamId(self.streams_drawn);
        self.streams_drawn += 1;
        let session = Session { member, life: self.members[member].life, executor, stream };
        watcher.begin(session, &mut self.watches, &mut self.counts);
        let wishes = watcher.wishes.clone();
        let place = self.place(session);
        self.command(place, stream, WatchCommand::Open { notice_interval })?;
        for wish in wishes {
            self.command(place, stream, WatchCommand::Create(wish))?;
        }
        Ok(())
    }

    /// Takes up to so many responses. A stream that is not read to its end says nothing more until it is.
    fn read_stream(&mut self, number: usize, session: Session, reads: u64) -> Result<(), Violation> {
        let place = self.place(session);
        for _ in 0..reads {
            let Some(process) = self.members[session.member].process() else { return Ok(()) };
            let seat = std::rc::Rc::clone(&process.seats[usize::from(session.executor)]);
            if seat.borrow().is_paused {
                return Ok(());
            }
            let response = seat.borrow_mut().core.next_watch_response(session.stream);
            seat.borrow_mut().is_due = true;
            self.call(place);
            let Some(response) = response else {
                self.watchers[number].has_unread = false;
                return Ok(());
            };
            self.trace.tell(
                self.now,
                "watched",
                &(number, response.watch_id, response.revision, response.events.len()),
            );
            if !response.canceled || response.compact_revision.0 == 0 {
                self.shown.show(response.revision, &self.ledger, &self.durability)?;
                self.calls.shown = self.calls.shown.max(response.revision);
            }
            self.watchers[number].read(&response, self.now, &mut self.watches, &mut self.counts);
        }
        Ok(())
    }

    /// A member has ended, and all streams on it.
    pub(super) fn end_sessions(&mut self, member: usize) {
        for watcher in &mut self.watchers {
            if watcher.session.is_some_and(|session| session.member == member) {
                self.counts.note("watch: stream lost with its member");
                watcher.end(&self.watches);
            }
        }
    }
}
