//! `simulate`: runs seeds, replays one, looks for planted mistakes, and says what came of it.

use campanile_planted::Mistake;
use campanile_simulate::campaign::{self, Seeds, minimise, play, steps};
use campanile_simulate::hunt::{self, Found};
use campanile_simulate::plan::Plan;
use campanile_simulate::world::detour::Step;
use clap::{Parser, Subcommand};
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
        /// Only these faults of its list, by number; all if nothing is said.
        #[arg(long, value_delimiter = ',')]
        faults: Option<Vec<usize>>,
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
    /// Plants known mistakes, one after the other, and looks for each. Ends with 1 if one is not found.
    Planted {
        /// Only the mistake of this name.
        name: Option<String>,
        /// What each may take.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
    parsed.ok_or_else(|| format!("{text:?} is no range of seeds: write 0..1000"))
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
        Command::Planted { name, seconds } => planted(name.as_deref(), Duration::from_secs(seconds)),
        Command::Replay { seed, faults } => replay(seed, faults.as_deref()),
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
    let mut violations = 0;
    for step in Step::ALL {
        let tried = steps::vary(seed, step, steps);
        println!("{step:?}: {} runs, {} violations", tried.runs, tried.violations.len());
        for (_, detour, outcome) in tried.violations.iter().take(3) {
            println!("  {detour:?}: {}", outcome.violation.as_ref().map_or_else(String::new, ToString::to_string));
        }
        violations += tried.violations.len();
    }
    ExitCode::from(u8::from(violations > 0))
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
    let outcome = play(plan, true);
    println!("{} operations, {} faults, trace {:016x}", outcome.operations, outcome.faults, outcome.trace_hash);
    match outcome.violation {
        Some(violation) => {
            println!("VIOLATION {violation}");
            ExitCode::from(1)
        }
        None => ExitCode::SUCCESS,
    }
}

/// Looks for mistakes, and prints what found each.
fn planted(name: Option<&str>, patience: Duration) -> ExitCode {
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
        let found = hunt::hunt(mistake, patience);
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
