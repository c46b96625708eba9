//! Runs of the program that end by themselves: how, and with which words.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use campanile_test_support::{Cluster, wait};

use crate::CAMPANILE;

const END_LIMIT: Duration = Duration::from_secs(20);

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub status: Option<i32>,
    /// What it printed, on either output.
    pub text: String,
}

impl Outcome {
    /// Panics unless the run failed with a message that has all these words.
    pub fn is_refusal(&self, words: &[&str]) {
        assert!(matches!(self.status, Some(status) if status != 0), "it did not fail: {self:?}");
        for word in words {
            assert!(self.text.contains(word), "no {word:?} in what it said:\n{}", self.text);
        }
    }
}

/// Runs the program with these arguments, to its end.
pub fn run<S: AsRef<str>>(arguments: &[S]) -> Outcome {
    let mut command = Command::new(CAMPANILE);
    command.args(arguments.iter().map(AsRef::as_ref));
    finish(command)
}

/// Runs a command to its end; panics if it does not come.
pub fn finish(mut command: Command) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log");
    let output = std::fs::File::create(&log).expect("a file in it");
    command.stdin(Stdio::null()).stdout(output.try_clone().expect("a second handle")).stderr(output);
    let mut child = command.spawn().expect("the program starts");
    let deadline = Instant::now() + END_LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().expect("our own child can be asked") {
            break status;
        }
        if Instant::now() >= deadline {
            // An error means that it has just ended.
            let _ = child.kill();
            let _ = child.wait();
            panic!("it does not end:\n{}", read(&log));
        }
        std::thread::sleep(wait::POLL_INTERVAL);
    };
    Outcome { status: status.code(), text: read(&log) }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Starts a stopped member as it was, with further flags; it must end by itself.
pub fn start_again(cluster: &mut Cluster, further: &[&str]) -> Outcome {
    let mut arguments = cluster.members[0].arguments().clone();
    arguments.extend(further.iter().map(|&flag| flag.to_owned()));
    run(&arguments)
}
