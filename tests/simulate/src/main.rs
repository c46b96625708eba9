//! `simulate`: runs seeds, replays one, looks for planted mistakes, and says what came of it.

use campanile_planted::Mistake;
use campanile_simulate::campaign::operations::cluster::{self, Cluster};
use campanile_simulate::campaign::operations::{self, Case, Effort, Undisturbed};
use campanile_simulate::campaign::steps::{self, Tried};
use campanile_simulate::campaign::{self, Outcome, Seeds, minimise, play};
use campanile_simulate::hunt::{self, Found, Run};
use campanile_simulate::plan::Plan;
use campanile_simulate::world::detour::Step;
use campanile_simulate::world::interruption::{How, Strike};
use clap::{Parser, Subcommand};
use std::fmt::Display;
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Whole clusters on virtual time, under every fault that a seed says.
#[derive(Parser)]
#[command(name = "simulate")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a range of seeds. Ends with 1 if a promise is broken.
    Run {
        /// From the first to before the last: 0..1000.
        #[arg(long, value_parser = range)]
        seeds: Range<u64>,
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// Print how often each thing was reached.
        #[arg(long)]
        counts: bool,
    },
    /// Runs one seed, and prints everything that happens.
    Replay {
        seed: u64,
        /// Only these faults of its list, by number, or none of them (--faults=); all if nothing is said.
        #[arg(long, value_parser = numbers)]
        faults: Option<Numbers>,
    },
    /// Runs a seed, or a scenario with a seed (trace-9/3), perhaps with a mistake, and prints everything that happens.
    Scenario {
        run: String,
        /// The mistake that is planted.
        #[arg(long)]
        mistake: Option<String>,
    },
    /// Varies the order of what happens at each step of an opening, a transaction, a revoke, a checkpoint and its
    /// installation, with a crash anywhere among it. Ends with 1 if a promise is broken.
    Steps {
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Steps of each kind.
        #[arg(long, default_value_t = 20)]
        steps: usize,
    },
    /// Strikes a member at every operation of its disk: power lost, process killed, an error given. Ends with 1 if a promise
    /// is broken, or if something that a disk is used for was never struck.
    Operations {
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// Only every so manyth operation, each in one way.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        stride: u64,
        /// No run is struck a second time, which is most of them.
        #[arg(long)]
        once: bool,
        /// Only operations of these numbers: 1..100.
        #[arg(long, value_parser = range)]
        among: Option<Range<u64>>,
        /// Only this cluster: 1x1, 1x2, 3x2 (members and shards) or 3x2-amended.
        #[arg(long, value_parser = named)]
        cluster: Option<&'static Cluster>,
        /// Print how often each thing was struck.
        #[arg(long)]
        counts: bool,
        /// Replay: the number of the operation that is struck; every event is printed.
        #[arg(long, requires = "cluster")]
        at: Option<u64>,
        #[arg(long, default_value = "lost", value_parser = how)]
        how: How,
        /// Power is lost once more, at this operation of the start that follows.
        #[arg(long)]
        again: Option<u64>,
    },
    /// Plants known mistakes, one after the other, and looks for each. Ends with 1 if one is not found.
    Planted {
        /// Only the mistake of this name.
        name: Option<String>,
        /// What each may take.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// Without the runs that found each before.
        #[arg(long)]
        anew: bool,
    },
}

#[derive(Clone)]
struct Numbers(Vec<usize>);

fn numbers(text: &str) -> Result<Numbers, String> {
    let numbers = text.split(',').filter(|number| !number.is_empty()).map(str::parse);
    numbers.collect::<Result<_, _>>().map(Numbers).map_err(|_| format!("{text:?} is no list of numbers: write 3,9"))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
    parsed.ok_or_else(|| format!("{text:?} is no range: write 0..1000"))
}

fn named(name: &str) -> Result<&'static Cluster, String> {
    let names = || cluster::ALL.iter().map(|cluster| cluster.name).collect::<Vec<_>>().join(", ");
    Cluster::named(name).ok_or_else(|| format!("there is no such cluster, only {}", names()))
}

fn how(text: &str) -> Result<How, String> {
    let ways = || How::ALL.map(|how| how.to_string()).join(", ");
    How::ALL.into_iter().find(|how| how.to_string() == text).ok_or_else(|| format!("it is one of {}", ways()))
}

fn main() -> ExitCode {
    if cfg!(panic = "abort") {
        eprintln!("this build ends with the first assertion that fails; use `cargo simulate`");
        return ExitCode::from(2);
    }
    std::panic::set_hook(Box::new(|_| {}));
    match Arguments::parse().command {
        Command::Run { seeds, threads, counts } => run(&Seeds { range: seeds, threads }, counts),
        Command::Steps { seed, steps } => vary(seed, steps),
        Command::Planted { name, seconds, anew } => planted(name.as_deref(), Duration::from_secs(seconds), anew),
        Command::Scenario { run, mistake } => scenario(&run, mistake.as_deref()),
        Command::Operations { seed, cluster: Some(cluster), at: Some(at), how, again, .. } => {
            replay_case(&Case { cluster, seed, strike: Strike { at, how, again } })
        }
        Command::Operations { seed, threads, stride, once, among, cluster, counts, .. } => {
            let is_whole = among.is_none() && cluster.is_none();
            let among = among.unwrap_or(0..u64::MAX);
            strike_everywhere(cluster, &Effort { seed, stride, once, among, threads }, counts, is_whole)
        }
        Command::Replay { seed, faults } => replay(seed, faults.as_ref().map(|Numbers(numbers)| &numbers[..])),
    }
}

fn run(seeds: &Seeds, counts: bool) -> ExitCode {
    let began = Instant::now();
    let report = campaign::run(seeds, |seed, violation| println!("seed {seed}: {violation}"));
    if let Some((seed, _)) = report.violations.first() {
        tell(*seed);
    }
    if counts {
        print!("{}", report.counts);
    }
    println!(
        "{} s of virtual time, {} events, in {:.1} s",
        report.microseconds / 1_000_000,
        report.events,
        began.elapsed().as_secs_f64()
    );
    let missing: Vec<_> = report.counts.missing().filter(|_| report.seeds >= CAMPAIGN_SEEDS_MIN).collect();
    missing.iter().for_each(|corner| println!("never reached: {corner}"));
    println!(
        "seeds {}, operations {}, faults {}, violations {}",
        report.seeds,
        report.operations,
        report.faults,
        report.violations.len()
    );
    ExitCode::from(u8::from(!report.violations.is_empty() || !missing.is_empty()))
}

/// A campaign of so many seeds must reach every corner.
const CAMPAIGN_SEEDS_MIN: u64 = 1_000;

/// Tries every way at every step.
fn vary(seed: u64, steps: usize) -> ExitCode {
    let mut is_good = true;
    for step in Step::ALL {
        let tried = steps::vary(seed, step, steps);
        let Tried { runs, ended, ref violations } = tried;
        println!("{step:?}: {runs} runs, it came to its end in {ended}, {} violations", violations.len());
        for (_, detour, outcome) in violations.iter().take(3) {
            println!("  {detour:?}: {}", outcome.violation.as_ref().map_or_else(String::new, ToString::to_string));
        }
        is_good &= tried.is_good();
    }
    ExitCode::from(u8::from(!is_good))
}

/// Strikes at every operation.
fn strike_everywhere(cluster: Option<&'static Cluster>, effort: &Effort, counts: bool, is_whole: bool) -> ExitCode {
    let clusters: Vec<_> = cluster::ALL.iter().filter(|one| cluster.is_none_or(|only| only.name == one.name)).collect();
    let told = |case: &Case, violation: &_| println!("{violation}\n  replay it with: {case}");
    let report = match operations::run(&clusters, effort, told) {
        Ok(report) => report,
        Err(violation) => {
            println!("VIOLATION without a strike {violation}");
            return ExitCode::from(1);
        }
    };
    if counts {
        print!("{}", report.struck);
    }
    let missing: Vec<_> = report.missing.iter().filter(|_| is_whole).collect();
    missing.iter().for_each(|corner| println!("never struck: {corner}"));
    println!("operations {}, runs {}, violations {}", report.operations, report.runs, report.violations.len());
    ExitCode::from(u8::from(!report.violations.is_empty() || !missing.is_empty()))
}

fn replay_case(case: &Case) -> ExitCode {
    let undisturbed = Undisturbed::run(case.cluster, case.seed).points;
    match undisturbed.get((case.strike.at as usize).wrapping_sub(1)) {
        Some(point) => println!("operation {} of {}: {point:#?}", case.strike.at, undisturbed.len()),
        None => {
            eprintln!("the run has {} operations", undisturbed.len());
            return ExitCode::from(2);
        }
    }
    told(case.run(&undisturbed, true).outcome)
}

/// Says how a replay ended.
fn told(outcome: Outcome) -> ExitCode {
    told_of(outcome.operations, outcome.faults, outcome.trace_hash, outcome.violation)
}

fn told_of(operations: u64, faults: u64, trace_hash: u64, violation: Option<impl Display>) -> ExitCode {
    println!("{operations} operations, {faults} faults, trace {trace_hash:016x}");
    match violation {
        Some(violation) => {
            println!("VIOLATION {violation}");
            ExitCode::from(1)
        }
        None => ExitCode::SUCCESS,
    }
}

/// Says how to have a failing seed again, with as few faults as it takes.
fn tell(seed: u64) {
    let plan = Plan::of(seed);
    let faults = minimise::minimise(&plan);
    println!("seed {seed} fails with {} of its {} faults:", faults.len(), plan.faults.len());
    for &number in &faults {
        println!("  {number}: {}", plan.faults[number]);
    }
    let list: Vec<String> = faults.iter().map(usize::to_string).collect();
    println!("replay it with: cargo simulate replay {seed} --faults={}", list.join(","));
}

fn replay(seed: u64, faults: Option<&[usize]>) -> ExitCode {
    let mut plan = Plan::of(seed);
    if let Some(faults) = faults {
        plan = plan.with_faults(faults);
    }
    println!("seed {seed}: {:#?}", plan.shape);
    told(play(plan, true))
}

/// Plays a run of the list of planted mistakes, and prints all of it.
fn scenario(run: &str, mistake: Option<&str>) -> ExitCode {
    let (Some(run), mistake) = (Run::read(run), mistake.map(Mistake::named)) else {
        eprintln!("there is no such run: write a seed, or a scenario and a seed: trace-9/3");
        return ExitCode::from(2);
    };
    if mistake == Some(None) {
        eprintln!("there is no such mistake");
        return ExitCode::from(2);
    }
    let outcome = run.replay(mistake.flatten());
    print!("{}", outcome.counts);
    told_of(outcome.operations, outcome.faults, outcome.trace_hash, outcome.violation)
}

/// Looks for mistakes, and prints what found each.
fn planted(name: Option<&str>, patience: Duration, anew: bool) -> ExitCode {
    let mistakes: Vec<Mistake> = match name.map(Mistake::named) {
        None => Mistake::ALL.to_vec(),
        Some(Some(mistake)) => vec![mistake],
        Some(None) => {
            eprintln!("there is no such mistake; without a name all are planted");
            return ExitCode::from(2);
        }
    };
    let mut missed = 0;
    println!("{:24} {:>5} {:>16} {:>9} {:>7}  broken promise", "mistake", "trace", "seed", "events", "seconds");
    for mistake in mistakes {
        let began = Instant::now();
        let found = hunt::hunt(mistake, patience, anew);
        let seconds = began.elapsed().as_secs_f64();
        match found {
            Some(Found { run, events, promise, what }) => {
                println!("{mistake:24} {:>5} {run:>16} {events:>9} {seconds:>7.1}  {promise}", mistake.trace());
                if name.is_some() {
                    println!("{what}");
                }
            }
            None => {
                missed += 1;
                println!("{mistake:24} {:>5} {:>16} {:>9} {seconds:>7.1}  NOT FOUND", mistake.trace(), "", "");
            }
        }
    }
    ExitCode::from(u8::from(missed > 0))
}
