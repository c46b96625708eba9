//! `simulate`: runs seeds, replays one, and says what came of it.

use campanile_simulate::campaign::{self, Seeds, minimise, play};
use campanile_simulate::plan::Plan;
use clap::{Parser, Subcommand};
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

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
    println!(
        "seeds {}, operations {}, faults {}, violations {}",
        report.seeds,
        report.operations,
        report.faults,
        report.violations.len()
    );
    ExitCode::from(u8::from(!report.violations.is_empty()))
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
