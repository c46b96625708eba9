//! The alternating benchmark: row by row, the two sides measured in turn on new clusters, so that what the machine
//! does meanwhile meets both. Every run has to prove its work; the table is printed even if one does not, and the
//! exit code says so.

mod metrics;
pub mod options;
mod process;
mod row;
mod server;
mod table;

use crate::error::Error;
use options::{CompareOptions, Row};
use row::{Sample, Side};
use std::process::Command;
use table::{Line, Table, median};

/// Measures all rows and prints the tables. Tells whether every run proved its work.
///
/// # Errors
/// If a server does not start or cannot be reached; what was measured before is printed.
pub fn run(options: &CompareOptions) -> Result<bool, Error> {
    options.check()?;
    let mut tables: Vec<Table> = Vec::new();
    let mut proved = true;
    let result = options.rows().into_iter().try_for_each(|row| {
        let sides = row.sides(options);
        let (medians, held) = alternate(row, options, &sides)?;
        proved &= held;
        let lines = row.metrics().into_iter().zip(medians).map(|(metric, medians)| Line {
            row: row.title(options),
            metric,
            medians,
        });
        let names = sides.map(|side| side.name);
        match tables.iter_mut().find(|table| table.sides == names) {
            Some(table) => table.lines.extend(lines),
            None => tables.push(Table { sides: names, lines: lines.collect() }),
        }
        Ok(())
    });
    println!("{}\n", conditions(options));
    for table in &tables {
        println!("{table}");
    }
    if !proved {
        println!("A run did not prove its work (see above): these figures do not count.");
    }
    result.map(|()| proved)
}

/// Measures a row's sides in turn, and returns the medians of each metric.
fn alternate(row: Row, options: &CompareOptions, sides: &[Side; 2]) -> Result<(Vec<[f64; 2]>, bool), Error> {
    let mut samples: [Vec<Sample>; 2] = [Vec::new(), Vec::new()];
    for round in 1..=options.rounds {
        for (side, samples) in sides.iter().zip(&mut samples) {
            let sample = row.measure(options, side)?;
            narrate(row, options, side, round, &sample);
            samples.push(sample);
        }
    }
    let held = samples.iter().flatten().all(|sample| sample.reports.iter().all(|report| report.proof.holds()));
    let median_of = |samples: &[Sample], at: usize| median(samples.iter().map(|sample| sample.values[at]).collect());
    let medians = (0..row.metrics().len()).map(|at| [median_of(&samples[0], at), median_of(&samples[1], at)]);
    Ok((medians.collect(), held))
}

/// One measurement with its proofs, for who watches.
fn narrate(row: Row, options: &CompareOptions, side: &Side, round: usize, sample: &Sample) {
    let metrics = row.metrics();
    let figures =
        metrics.iter().zip(&sample.values).map(|(metric, value)| format!("{} {value:.2}{}", metric.name, metric.unit));
    eprintln!("{}: {}, round {round} of {}", row.title(options), side.name, options.rounds);
    eprintln!("  {}", figures.collect::<Vec<_>>().join(", "));
    for report in &sample.reports {
        for line in report.proof.to_string().lines() {
            eprintln!("  {line}");
        }
    }
    let mib = sample.usage.written_bytes >> 20;
    eprintln!("  {:.1} s of server CPU, {mib} MiB written to storage", sample.usage.cpu.as_secs_f64());
}

/// Under which conditions the figures hold.
fn conditions(options: &CompareOptions) -> String {
    let version = |path: &std::path::Path| {
        let output = Command::new(path).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        text.lines().next().unwrap_or("unknown version").to_owned()
    };
    let kernel = rustix::system::uname();
    format!(
        "Medians of {} alternating rounds of {:?} after {:?} of warm-up; {} keys, values of {} bytes; server on CPU {}, client on CPU {}; \
         Linux {}; etcd: {}; campanile: {}.",
        options.rounds,
        options.duration,
        options.warm_up,
        options.keys,
        options.value_size,
        options.server_cpu,
        options.client_cpu,
        kernel.release().to_string_lossy(),
        version(&options.etcd),
        version(&options.campanile),
    )
}
