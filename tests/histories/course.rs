//! One history, from the start of its cluster to the verdict.

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::{Duration, Instant},
};

use campanile_simulate::{check::Violation, record::Counts};
use campanile_test_support::Program;
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

use crate::{
    clients::{Clients, Common, leases::Board},
    observe::Recorded,
    plan::Plan,
    record::Recorder,
    settle,
    stage::{Stage, namespace::Namespace},
    strike,
    watchers::{Goal, Watchers, Watching},
};

const PROMISE: &str = "when the faults stop, everybody is served within a bound";
const STACK_BYTES: usize = 8 << 20;
/// What is missing in operations is made up for after the faults, but not for longer than this.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(20);
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(50);
/// What watchers have for reading the rest.
const READING_LIMIT: Duration = Duration::from_secs(15);

/// A history that has run.
#[derive(Debug)]
pub struct Ran {
    /// What was recorded, if the run came to its end.
    pub recorded: Result<Recorded, Violation>,
    pub counts: Counts,
    pub operations: usize,
    /// Requests without an answer.
    pub open: usize,
    pub faults: usize,
    pub took: Duration,
    /// Copies of what the members printed.
    pub logs: Vec<(String, Vec<u8>)>,
}

/// Runs a plan. `None` where this machine has no namespaces or no mounts for us.
pub fn run(program: &Program, plan: &Plan) -> Option<Ran> {
    if !Namespace::is_possible() {
        return None;
    }
    let stage = Stage::begin(program, &plan.shape).unwrap_or_else(|error| panic!("no stage: {error}"))?;
    let clients = stage.clients();
    let course = || {
        clients.enter().expect("whoever made a namespace may enter it");
        let runtime = runtime(&clients);
        let ran = runtime.block_on(play(stage, plan));
        runtime.shutdown_timeout(Duration::from_secs(1));
        ran
    };
    let spawned = thread::scope(|scope| {
        let course = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, course);
        course.expect("there is room for a thread").join()
    });
    Some(spawned.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Every socket that it opens is in the clients' namespace.
fn runtime(clients: &Arc<Namespace>) -> Runtime {
    let clients = clients.clone();
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || clients.enter().expect("whoever made a namespace may enter it"))
        .build()
        .expect("a runtime")
}

async fn play(mut stage: Stage, plan: &Plan) -> Ran {
    let begun = Instant::now();
    let recorder = Arc::new(Recorder::new(plan.shape.members));
    let (mut counts, mut faults) = (Counts::default(), 0);
    let played = act(&mut stage, plan, &recorder, &mut counts, &mut faults).await;
    let operations = recorder.asked();
    let recorded = played.map(|(collectors, others)| {
        let watches = |watching: Vec<Watching>| watching.into_iter().map(|one| one.watches).collect::<Vec<_>>();
        Recorded { book: recorder.take(), collectors: watches(collectors), watches: watches(others).concat() }
    });
    let open =
        recorded.as_ref().map_or(0, |recorded| recorded.book.calls.list.iter().filter(|call| call.is_open()).count());
    counts.add("member ended by a full disk", stage.ends as u64);
    let logs = stage.logs().map(|log| (name(log), fs::read(log).unwrap_or_default())).collect();
    Ran { recorded, counts, operations, open, faults, took: begun.elapsed(), logs }
}

async fn act(
    stage: &mut Stage,
    plan: &Plan,
    recorder: &Arc<Recorder>,
    counts: &mut Counts,
    faults: &mut usize,
) -> Result<(Vec<Watching>, Vec<Watching>), Violation> {
    let addresses = stage.addresses();
    // Nothing strikes before the cluster has come into being.
    settle::settle(stage, recorder).await?;
    let watchers = Watchers::start(plan.seed, plan.shape.watchers, plan.shape.keys, recorder, &addresses);
    let common = Common {
        recorder: recorder.clone(),
        shape: plan.shape.clone(),
        addresses,
        board: Board::new(),
        is_full: stage.is_full.clone(),
        stop: AtomicBool::new(false),
    };
    let clients = Clients::start(plan.seed, Arc::new(common));
    *faults = strike::strike(stage, &plan.strikes, plan.size.safety, counts).await?;
    stage.calm();
    let until = Instant::now() + CATCH_UP_LIMIT;
    while recorder.asked() < plan.size.operations && Instant::now() < until {
        stage.look()?;
        sleep(CATCH_UP_INTERVAL).await;
    }
    counts.merge(&clients.stop().await);
    settle::settle(stage, recorder).await?;
    settle::compare_hashes(stage, recorder, recorder.shown()).await?;
    let goal = Goal { revision: recorder.shown(), by: Instant::now() + READING_LIMIT };
    let (collectors, others) = watchers.stop(goal, || recorder.shown()).await.expect("no watcher panics");
    stage.look()?;
    for watching in collectors.iter().chain(&others) {
        counts.merge(&watching.counts);
        if let Some(missed) = &watching.missed {
            let what = format!("{missed}, {:?} after the last request, and not at {}", READING_LIMIT, goal.revision);
            return Err(Violation::new(PROMISE, what));
        }
    }
    Ok((collectors, others))
}

fn name(log: &Path) -> String {
    log.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
