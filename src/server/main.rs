//! The binary `campanile`: a member of a cluster, started like etcd.

mod member;
mod metrics;
mod peers;
mod rpc;
mod runtime;
mod start;

use campanile_config::Command;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Command::parse(std::env::args_os().skip(1), std::env::vars_os()) {
        Ok(Command::PrintVersion) => {
            print!("{}", campanile_config::version());
            ExitCode::SUCCESS
        }
        Ok(Command::PrintHelp) => {
            print!("{}", campanile_config::help());
            ExitCode::SUCCESS
        }
        Ok(Command::Run { config, warnings }) => match member::run(&config, &warnings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                start::logging::fatal(&error.to_string());
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("campanile: {error}");
            ExitCode::from(2)
        }
    }
}
