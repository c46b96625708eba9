//! The command line, the environment and the YAML file.
//!
//! The input is lines: those that begin with `--` are arguments, `ETCD_...=` the environment; all of it is the file as well.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;

use campanile_config::Command;
use rustix::fs::{MemfdFlags, memfd_create};

pub fn run(input: &[u8]) {
    let (mut arguments, mut environment) = (Vec::new(), Vec::new());
    for line in input.split(|byte| *byte == b'\n') {
        if line.starts_with(b"ETCD_") {
            let end = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
            let value = line.get(end + 1..).unwrap_or_default();
            environment.push((OsString::from_vec(line[..end].to_vec()), OsString::from_vec(value.to_vec())));
        } else {
            arguments.push(OsString::from_vec(line.to_vec()));
        }
    }
    // It would name a file of this machine.
    arguments.retain(|argument| !argument.to_string_lossy().contains("config-file"));
    environment.retain(|(name, _)| name != "ETCD_CONFIG_FILE");
    tell(Command::parse(arguments, environment));
    let Ok(file) = memfd_create("fuzz", MemfdFlags::CLOEXEC) else { return };
    let mut file = File::from(file);
    if file.write_all(input).is_ok() {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        tell(Command::parse([OsString::from("--config-file"), path.into()], []));
    }
}

/// An error has something to say.
fn tell<T, E: std::fmt::Display>(parsed: Result<T, E>) {
    if let Err(error) = parsed {
        assert!(!error.to_string().is_empty(), "an error says what is wrong");
    }
}
