//! A whole run: connect, note the revision, fill the keys, load, and note the revision again. It measures and
//! judges nothing; that is the report's.

use super::{
    control::Control,
    link::Link,
    pace::Rate,
    tally::Tally,
    worker::{Progress, Stage, StageLength, Worker},
};
use crate::{
    clock::Clock,
    error::Error,
    etcd::responses::RangeAnswer,
    load::{Length, Load},
    workload::{
        keys::Order,
        operation::{Mix, Operation},
        source::Source,
    },
};
use rustix::thread::{CpuSet, sched_setaffinity, set_current_timer_slack};
use std::{
    num::NonZeroU64,
    sync::atomic::Ordering,
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

/// How often the live line looks whether the run has ended.
const LIVE_STEP: Duration = Duration::from_millis(50);
const LIVE_PERIOD: Duration = Duration::from_secs(1);

/// Everything a run has seen.
#[derive(Debug)]
pub struct Outcome {
    /// The store before the first request.
    pub before: RangeAnswer,
    /// The store after the last answer; its count is that of the keys with the load's prefix.
    pub after: RangeAnswer,
    /// The filling of the keys, if there was one.
    pub prefill: Option<Tally>,
    pub load: Tally,
    /// The least number of concurrent streams that a server allows, if it is below what the load wanted.
    pub streams_limited: Option<usize>,
}

/// Runs a load to its end. `begin` is called when the keys are filled and the load itself begins.
///
/// # Errors
/// If the load is senseless, an endpoint cannot be reached, or the store cannot be asked for its revision. Requests
/// that fail are no error: they are counted.
pub fn run(load: &Load, begin: impl FnOnce() -> Result<(), Error>) -> Result<Outcome, Error> {
    load.check()?;
    check_cpus(&load.cpus)?;
    let mut control = Control::connect(&load.endpoints[0], load.timeout)?;
    let before = control.count(&load.prefix)?;
    let (mut workers, streams_limited) = workers(load, before.revision)?;
    let prefill = if load.prefill { Some(fill(load, &mut workers)?) } else { None };
    begin()?;
    let filled = prefill.as_ref().is_none_or(|fill| fill.failed == 0 && fill.unanswered == 0);
    let tally = if filled { main_stage(load, &mut workers)? } else { Tally::new() };
    drop(workers);
    let after = control.count(&load.prefix)?;
    Ok(Outcome { before, after, prefill, load: tally, streams_limited })
}

fn fill(load: &Load, workers: &mut [Worker]) -> Result<Tally, Error> {
    let puts = Mix::only(Operation::Put);
    for worker in workers.iter_mut() {
        worker.source().choose_by(&puts, Order::Sequential, load.zipf_exponent);
    }
    let tally = stage(load, workers, "fill", |worker, _| Stage {
        warm_up: Duration::ZERO,
        length: StageLength::Requests(worker.source().keys_owned()),
        rate: None,
        patience: load.timeout,
    })?;
    for worker in workers.iter_mut() {
        worker.source().choose_by(&load.mix, load.order, load.zipf_exponent);
    }
    Ok(tally)
}

fn main_stage(load: &Load, workers: &mut [Worker]) -> Result<Tally, Error> {
    let threads = load.threads as u64;
    stage(load, workers, &load.mix.to_string(), |_, thread| Stage {
        warm_up: load.warm_up,
        length: match load.length {
            Length::Time(time) => StageLength::Time(time),
            Length::Requests(count) => StageLength::Requests(count / threads + u64::from(thread < count % threads)),
        },
        rate: load.rate.map(|per_second| Rate { per_second, thread, threads }),
        patience: load.timeout,
    })
}

/// Runs one stage on all workers at once, each on a thread of its own.
fn stage(
    load: &Load,
    workers: &mut [Worker],
    name: &str,
    plan: impl Fn(&mut Worker, u64) -> Stage,
) -> Result<Tally, Error> {
    let progress: Vec<Progress> = workers.iter().map(|_| Progress::default()).collect();
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, (worker, progress)) in workers.iter_mut().zip(&progress).enumerate() {
            let stage = plan(worker, number as u64);
            let cpu = (!load.cpus.is_empty()).then(|| load.cpus[number % load.cpus.len()]);
            threads.push(scope.spawn(move || {
                prepare_thread(cpu)?;
                worker.run(stage, progress)
            }));
        }
        if load.verbose {
            live_line(name, &progress, &threads);
        }
        let mut total = Tally::new();
        for thread in threads {
            total.merge(thread.join().expect("a worker does not panic")?);
        }
        Ok(total)
    })
}

/// Opens every connection, each to the next endpoint in turn, and shares them out among the threads.
fn workers(load: &Load, first_fresh: i64) -> Result<(Vec<Worker>, Option<usize>), Error> {
    let mut shares: Vec<Vec<Link<_>>> = (0..load.threads).map(|_| Vec::new()).collect();
    let mut streams_limited: Option<usize> = None;
    for number in 0..load.connections {
        let endpoint = &load.endpoints[number % load.endpoints.len()];
        let calls = load.clients_of(number);
        let mut link = Link::open(endpoint, calls, load.timeout)?;
        if let Some(limit) = link.connection().peer_streams_max().filter(|&limit| limit < calls) {
            streams_limited = Some(streams_limited.map_or(limit, |least| least.min(limit)));
        }
        shares[number % load.threads].push(link);
    }
    let clock = Clock::start();
    let first_fresh = first_fresh.unsigned_abs();
    let workers = shares
        .into_iter()
        .enumerate()
        .map(|(thread, links)| Worker::new(clock, links, Source::new(load, thread as u64, first_fresh)));
    Ok((workers.collect::<Result<_, _>>()?, streams_limited))
}

fn prepare_thread(cpu: Option<usize>) -> Result<(), Error> {
    if let Some(cpu) = cpu {
        let mut only = CpuSet::new();
        only.set(cpu);
        sched_setaffinity(None, &only)
            .map_err(|source| Error::Io { what: format!("pinning to CPU {cpu}"), source: source.into() })?;
    }
    // An open loop sleeps until the next request is due; the kernel's usual slack of 50 µs would delay each.
    let shortest = NonZeroU64::new(1);
    set_current_timer_slack(shortest).map_err(|source| Error::Io { what: "timer slack".into(), source: source.into() })
}

/// Refuses CPUs that this process may not use, before anything is sent.
fn check_cpus(cpus: &[usize]) -> Result<(), Error> {
    let allowed = rustix::thread::sched_getaffinity(None)
        .map_err(|source| Error::Io { what: "CPU mask".into(), source: source.into() })?;
    match cpus.iter().find(|&&cpu| cpu >= CpuSet::MAX_CPU || !allowed.is_set(cpu)) {
        Some(cpu) => Err(Error::Options(format!("--cpu {cpu}: this process may not run there (see taskset -p $$)"))),
        None => Ok(()),
    }
}

/// Prints what the last second brought, once a second, until every thread has ended.
fn live_line<T>(name: &str, progress: &[Progress], threads: &[ScopedJoinHandle<'_, T>]) {
    let begin = Instant::now();
    let (mut next, mut last) = (begin + LIVE_PERIOD, 0);
    while threads.iter().any(|thread| !thread.is_finished()) {
        thread::sleep(LIVE_STEP);
        if Instant::now() < next {
            continue;
        }
        next += LIVE_PERIOD;
        let sum = |counter: fn(&Progress) -> u64| progress.iter().map(counter).sum::<u64>();
        let succeeded = sum(|progress| progress.succeeded.load(Ordering::Relaxed));
        let failed = sum(|progress| progress.failed.load(Ordering::Relaxed));
        let seconds = begin.elapsed().as_secs();
        eprintln!("{seconds:>4} s  {name}: {:>9}/s  {succeeded:>11} done  {failed:>7} failed", succeeded - last);
        last = succeeded;
    }
}
