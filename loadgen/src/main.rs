//! Load generator for etcd and whatever speaks its API: so light that the server is the bottleneck, and never silent
//! about it when it is not. See `loadgen --help`.

mod clock;
mod compare;
mod driver;
mod endpoint;
mod error;
mod etcd;
mod load;
mod options;
mod protocol;
mod report;
mod workload;

use clap::Parser;
use error::Error;
use options::{Options, Output, Task};
use report::Report;
use std::process::ExitCode;

fn main() -> ExitCode {
    let task = Options::parse().command.into_task();
    let held = task.and_then(|task| match task {
        Task::Load(load, output) => {
            let report = Report::new(&load, &driver::run::run(&load, || Ok(()))?);
            print(&report, &output)?;
            Ok(report.proof.holds())
        }
        Task::Compare(options) => compare::run(&options),
    });
    match held {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(report: &Report, output: &Output) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(report).expect("a report has only plain values");
    if output.json {
        println!("{json}");
    } else {
        print!("{report}");
    }
    if let Some(path) = &output.json_file {
        std::fs::write(path, json).map_err(Error::io(path.display().to_string()))?;
    }
    Ok(())
}
