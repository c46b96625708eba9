//! One member as a process in its namespace: started, killed, held and started again. Several faults may hold it down or
//! stopped at once; it comes back when the last of them is over.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
};

use campanile_test_support::{Program, process::Process};

use super::network::{client_address, peer_address};
use crate::plan::Shape;

const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;

/// A member, whether it runs or not.
#[derive(Debug)]
pub struct Member {
    program: Program,
    arguments: Vec<String>,
    pub log: PathBuf,
    /// `host:port` for clients.
    pub address: String,
    process: Option<Process>,
    /// SIGSTOP was sent to this very process.
    is_stopped: bool,
    /// Faults that keep it from running.
    down: u32,
}

impl Member {
    /// A member that has never run.
    pub fn new(program: &Program, at: usize, shape: &Shape, data: &Path, log: PathBuf) -> Member {
        Member {
            program: program.clone(),
            arguments: arguments(at, shape, data),
            log,
            address: format!("{}:{CLIENT_PORT}", client_address(at)),
            process: None,
            is_stopped: false,
            down: 0,
        }
    }

    /// Starts the process, if it does not run and nothing holds it down. To be called in the member's namespace.
    pub fn start(&mut self) {
        if self.process.is_some() || self.down > 0 {
            return;
        }
        let process = Process::start(&self.program.path, &self.arguments, &self.log)
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.path.display()));
        self.process = Some(process);
        self.is_stopped = false;
    }

    /// kill -9. It stays down until every fault that killed it has [let it go](Member::release).
    pub fn kill(&mut self) {
        self.down += 1;
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// One fault less holds it down.
    pub fn release(&mut self) {
        self.down -= 1;
    }

    /// No fault holds it down, or stopped.
    pub fn release_all(&mut self) {
        self.down = 0;
        self.go_on();
    }

    /// SIGSTOP.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.as_mut().filter(|_| !self.is_stopped)
            && process.ended().is_none()
        {
            process.signal("STOP");
            self.is_stopped = true;
        }
    }

    /// SIGCONT, if this very process was stopped.
    pub fn go_on(&mut self) {
        if let Some(process) = self.process.as_mut().filter(|_| self.is_stopped)
            && process.ended().is_none()
        {
            process.signal("CONT");
        }
        self.is_stopped = false;
    }

    /// How the process has ended by itself, once.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.process.as_mut()?.ended()?;
        self.process = None;
        Some(status)
    }

    /// How often this text stands in what it has printed in all its lives.
    pub fn said(&self, text: &str) -> usize {
        std::fs::read_to_string(&self.log).map_or(0, |log| log.matches(text).count())
    }
}

fn arguments(at: usize, shape: &Shape, data: &Path) -> Vec<String> {
    let (client, peer) = (client_address(at), peer_address(at));
    let peers: Vec<String> =
        (0..shape.members).map(|other| format!("m{other}=http://{}:{PEER_PORT}", peer_address(other))).collect();
    let mut arguments = vec![
        format!("--name=m{at}"),
        format!("--data-dir={}", data.display()),
        format!("--listen-client-urls=http://{client}:{CLIENT_PORT}"),
        format!("--advertise-client-urls=http://{client}:{CLIENT_PORT}"),
        format!("--listen-peer-urls=http://{peer}:{PEER_PORT}"),
        format!("--initial-advertise-peer-urls=http://{peer}:{PEER_PORT}"),
        format!("--initial-cluster={}", peers.join(",")),
        "--initial-cluster-token=campanile-histories".to_owned(),
        format!("--shards={}", shape.shards),
    ];
    arguments.extend(shape.flags.iter().cloned());
    arguments
}
