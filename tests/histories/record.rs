//! What clients write down while a history runs: what they asked, what they were told, and when somebody was first shown
//! each revision. One clock and one order for all: every entry is made under one lock, so what was shown before a request
//! was surely shown before it was sent.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use campanile_core::request::Request;
use campanile_simulate::{
    moment::Moment,
    record::{CallId, Calls},
};
use campanile_storage::ids::Revision;

use crate::wire::{self, Heard};

/// Written down so far.
#[derive(Debug)]
pub struct Recorder {
    begun: Instant,
    book: Mutex<Book>,
}

#[derive(Clone, Debug, Default)]
pub struct Book {
    pub calls: Calls,
    /// When the newest revision that anybody was shown rose, and to what.
    pub shown: Vec<(Moment, Revision)>,
    /// By collector: it has read everything up to here.
    collected: Vec<Revision>,
    /// Answers that mean nothing.
    pub nonsense: Vec<String>,
}

impl Recorder {
    pub fn new(collectors: usize) -> Recorder {
        let book = Book { collected: vec![Revision::EMPTY; collectors], ..Book::default() };
        Recorder { begun: Instant::now(), book: Mutex::new(book) }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment(self.begun.elapsed().as_micros() as u64)
    }

    /// To be called before the request is sent.
    pub fn ask(&self, request: Request, member: usize) -> CallId {
        let mut book = self.book();
        let now = self.now();
        book.calls.ask(request, member, now)
    }

    /// To be called when it has been answered, or given up.
    pub fn hear(&self, call: CallId, heard: &Heard) {
        let mut book = self.book();
        let now = self.now();
        match heard {
            // What stood in the logs by then is worked out when the history is known.
            Heard::Answer(result) => book.calls.answer(call, result.clone(), now, Revision(0)),
            Heard::Nothing => {}
            Heard::Nonsense(nonsense) => book.nonsense.push(nonsense.0.clone()),
        }
        if let Some(revision) = wire::shown(heard) {
            book.show(revision, now);
        }
    }

    /// A watch was told that the keyspace is so far.
    pub fn show(&self, revision: Revision) -> Moment {
        let mut book = self.book();
        let now = self.now();
        book.show(revision, now);
        now
    }

    pub fn complain(&self, nonsense: String) {
        self.book().nonsense.push(nonsense);
    }

    /// A collector has read everything up to here.
    pub fn collect(&self, collector: usize, revision: Revision) {
        let collected = &mut self.book().collected[collector];
        *collected = revision.max(*collected);
    }

    /// What every collector has read, and what one of them has.
    pub fn collected(&self) -> (Revision, Revision) {
        let book = self.book();
        let least = book.collected.iter().min().copied().unwrap_or(Revision::EMPTY);
        (least, book.collected.iter().max().copied().unwrap_or(Revision::EMPTY))
    }

    /// The newest revision that anybody was shown.
    pub fn shown(&self) -> Revision {
        self.book().calls.shown
    }

    /// Requests so far.
    pub fn asked(&self) -> usize {
        self.book().calls.list.len()
    }

    /// Everything that was written down; the record is empty then.
    pub fn take(&self) -> Book {
        std::mem::take(&mut self.book())
    }
}

impl Book {
    fn show(&mut self, revision: Revision, now: Moment) {
        self.calls.shown = self.calls.shown.max(revision);
        if self.shown.last().is_none_or(|(_, before)| *before < revision) {
            self.shown.push((now, revision));
        }
    }
}
