//! One thread of the generator: an epoll loop over its own links. Each turn takes all answers that have come, refills
//! the freed places, and writes once for each link. Threads share nothing but counters for the live line.

use super::{
    link::Link,
    pace::{Limit, Pace, Rate},
    tally::Tally,
};
use crate::{
    clock::{Clock, CpuUse, Nanos, nanos},
    error::Error,
    protocol::grpc::{Code, Failure},
    workload::source::{Effect, Request, Source},
};
use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Links whose events are taken in one turn.
const EVENTS_MAX: usize = 256;

/// What the link remembers of a call until its answer comes.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    request: Request,
    intended: Nanos,
}

/// What the live line shows; written by one thread, once a turn.
#[derive(Debug, Default)]
pub struct Progress {
    pub succeeded: AtomicU64,
    pub failed: AtomicU64,
}

/// A part of a run: the filling of the keys, or the load itself.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub warm_up: Duration,
    /// Counts of requests are this thread's share.
    pub length: StageLength,
    pub rate: Option<Rate>,
    /// How long the last answers, or any answer at all, may take.
    pub patience: Duration,
}

#[derive(Debug, Clone, Copy)]
pub enum StageLength {
    Time(Duration),
    Requests(u64),
}

/// A link, and whether epoll shall say when its socket takes more.
#[derive(Debug)]
struct Lane {
    link: Link<Call>,
    awaits_writing: bool,
}

/// One thread's links and requests.
#[derive(Debug)]
pub struct Worker {
    clock: Clock,
    /// A lost link leaves its place empty.
    lanes: Vec<Option<Lane>>,
    epoll: OwnedFd,
    source: Source,
    message: Vec<u8>,
}

/// Whose requests count for the measurement: those intended from `from` on and before `until`.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Nanos,
    until: Nanos,
}

/// What one stage keeps while it runs.
struct Run<'a> {
    pace: Pace,
    window: Window,
    tally: Tally,
    progress: &'a Progress,
    succeeded: u64,
    in_flight: u64,
    /// When something was last sent or answered.
    last_news: Nanos,
    /// Where the next request of an open loop goes first.
    turn: usize,
}

impl Worker {
    /// # Errors
    /// If the kernel gives no epoll instance or a link cannot be registered.
    pub fn new(clock: Clock, links: Vec<Link<Call>>, source: Source) -> Result<Self, Error> {
        let failed = |source: rustix::io::Errno| Error::Io { what: "epoll".into(), source: source.into() };
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        for (place, link) in links.iter().enumerate() {
            link.set_nonblocking()?;
            let place = epoll::EventData::new_u64(place as u64);
            epoll::add(&epoll, link.socket(), place, epoll::EventFlags::IN).map_err(failed)?;
        }
        let lanes = links.into_iter().map(|link| Some(Lane { link, awaits_writing: false })).collect();
        Ok(Self { clock, lanes, epoll, source, message: Vec::new() })
    }

    pub fn source(&mut self) -> &mut Source {
        &mut self.source
    }

    /// Runs one stage to its end, and waits for the last answers.
    ///
    /// # Errors
    /// If epoll fails. What goes wrong with a link or a request is counted in the tally.
    pub fn run(&mut self, stage: Stage, progress: &Progress) -> Result<Tally, Error> {
        let start = self.clock.now();
        let from = start + nanos(stage.warm_up);
        let (limit, until) = match stage.length {
            StageLength::Time(time) => (Limit::Until(from + nanos(time)), from + nanos(time)),
            StageLength::Requests(count) => (Limit::Count(count), Nanos::MAX),
        };
        let mut run = Run {
            pace: Pace::new(start, nanos(stage.warm_up), limit, stage.rate),
            window: Window { from, until },
            tally: Tally::new(),
            progress,
            succeeded: 0,
            in_flight: 0,
            last_news: start,
            turn: 0,
        };
        let (mut cpu_before, mut cpu_after) = (None, None);
        let mut ready = Vec::with_capacity(EVENTS_MAX);
        loop {
            let now = self.clock.now();
            if cpu_before.is_none() && now >= from {
                cpu_before = Some(CpuUse::of_this_thread());
            }
            self.refill(&mut run, now);
            self.flush(&mut run);
            let over = run.pace.is_over(now);
            if over && cpu_after.is_none() {
                cpu_after = Some(CpuUse::of_this_thread());
            }
            if (over && run.in_flight == 0) || self.lanes.iter().all(Option::is_none) {
                break;
            }
            let give_up = run.last_news + nanos(stage.patience);
            if run.in_flight > 0 && now >= give_up {
                run.tally.unanswered += run.in_flight;
                break;
            }
            let wake = self.wake_time(&run, give_up, now);
            self.wait(&mut ready, wake.saturating_sub(now))?;
            for event in ready.drain(..) {
                self.receive(event as usize, &mut run);
            }
            run.progress.succeeded.store(run.succeeded, Ordering::Relaxed);
            run.progress.failed.store(run.tally.failed, Ordering::Relaxed);
        }
        let end = self.clock.now().min(until);
        run.tally.window = end.saturating_sub(from);
        run.tally.unsent = run.pace.unsent();
        let after = cpu_after.unwrap_or_else(CpuUse::of_this_thread);
        run.tally.cpu = vec![after.since(cpu_before.unwrap_or(after))];
        Ok(run.tally)
    }

    /// Starts every request that is due, where there is room: link by link in a closed loop, in turn in an open one.
    fn refill(&mut self, run: &mut Run<'_>, now: Nanos) {
        let places = self.lanes.len();
        let mut full = 0;
        while full < places {
            let place = run.turn % places;
            let Some(lane) = self.lanes[place].as_mut().filter(|lane| lane.link.has_room()) else {
                run.turn += 1;
                full += 1;
                continue;
            };
            let Some(intended) = run.pace.take(now) else { return };
            run.in_flight += 1;
            run.last_news = now;
            let request = self.source.next(&mut self.message);
            lane.link.start(request.method(), &self.message, Call { request, intended });
            if run.pace.is_open_loop() {
                run.turn += 1;
                full = 0;
            }
        }
    }

    fn flush(&mut self, run: &mut Run<'_>) {
        for place in 0..self.lanes.len() {
            let Some(lane) = &mut self.lanes[place] else { continue };
            match lane.link.flush() {
                Ok(all) if all != lane.awaits_writing => {}
                Ok(all) => {
                    lane.awaits_writing = !all;
                    let writing = if all { epoll::EventFlags::empty() } else { epoll::EventFlags::OUT };
                    let data = epoll::EventData::new_u64(place as u64);
                    epoll::modify(&self.epoll, lane.link.socket(), data, epoll::EventFlags::IN | writing)
                        .expect("the socket was registered when the worker was made");
                }
                Err(error) => self.lose(place, &error, run),
            }
        }
    }

    /// Takes what has come with one read: epoll tells again if there is more.
    fn receive(&mut self, place: usize, run: &mut Run<'_>) {
        let Some(lane) = &mut self.lanes[place] else { return };
        let received = lane.link.read().and_then(|_| {
            let now = self.clock.now();
            lane.link.dispatch(|call, result| run.record(&mut self.source, call, result, now))
        });
        if let Err(error) = received {
            return self.lose(place, &error, run);
        }
        let connection = lane.link.connection();
        if connection.is_retired() && connection.open_count() == 0 {
            run.tally.connections_lost += 1;
            self.lanes[place] = None;
        }
    }

    /// A link has failed, and all its calls with it.
    fn lose(&mut self, place: usize, error: &Error, run: &mut Run<'_>) {
        let Some(mut lane) = self.lanes[place].take() else { return };
        run.tally.connections_lost += 1;
        let failure = Failure::new(Code::UNAVAILABLE, error.to_string());
        let (source, now) = (&mut self.source, self.clock.now());
        lane.link.connection().fail_all(&failure, |call, result| run.record(source, call, result, now));
    }

    /// When the loop has something to do even if no answer comes.
    fn wake_time(&self, run: &Run<'_>, give_up: Nanos, now: Nanos) -> Nanos {
        let mut wake = if run.in_flight > 0 { give_up } else { Nanos::MAX };
        if run.pace.is_open_loop() && self.lanes.iter().flatten().any(|lane| lane.link.has_room()) {
            wake = wake.min(run.pace.due(now).unwrap_or(Nanos::MAX));
        }
        for boundary in [run.window.from, run.window.until] {
            if boundary > now {
                wake = wake.min(boundary);
            }
        }
        wake
    }

    /// Sleeps until a link has news, or the time is over.
    fn wait(&self, ready: &mut Vec<u64>, timeout: Nanos) -> Result<(), Error> {
        let mut events = [const { std::mem::MaybeUninit::uninit() }; EVENTS_MAX];
        let timeout = Duration::from_nanos(timeout);
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        match epoll::wait(&self.epoll, &mut events, Some(&timeout)) {
            Ok((events, _)) => ready.extend(events.iter().map(|event| event.data.u64())),
            Err(rustix::io::Errno::INTR) => {}
            Err(source) => return Err(Error::Io { what: "epoll".into(), source: source.into() }),
        }
        Ok(())
    }
}

impl Run<'_> {
    fn record(&mut self, source: &mut Source, call: Call, result: Result<&[u8], Failure>, now: Nanos) {
        self.in_flight -= 1;
        self.last_news = now;
        source.ended(call.request);
        let effect = result.and_then(|message| {
            let effect = source.answered(call.request, message);
            effect.map_err(|error| Failure::new(Code::INTERNAL, error.to_string()))
        });
        let effect = match effect {
            Ok(effect) => effect,
            Err(failure) => return self.tally.fail(failure),
        };
        self.succeeded += 1;
        let series = self.tally.series_mut(call.request.operation);
        series.succeeded += 1;
        if (self.window.from..self.window.until).contains(&call.intended) {
            series.record(now - call.intended);
        }
        if (self.window.from..self.window.until).contains(&now) {
            series.in_window += 1;
        }
        match effect {
            Effect::Written(revision) => self.tally.written.add(revision),
            Effect::Conflict => self.tally.conflicts += 1,
            Effect::Missing => self.tally.missing += 1,
            Effect::Found => {}
        }
    }
}
