//! Starts and stops the servers of a comparison: each with a new data directory on a real disk, pinned, durable, and
//! on ports of its own. A server never outlives the comparison, nor does its directory.

use super::{metrics, process::Usage};
use crate::{driver::control::Control, endpoint::Endpoint, error::Error};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take until it answers for the first time; a restart with a million keys is the longest.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take to end when it is asked to; then it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(1);
/// etcd's quota of 2 GiB would end a long comparison.
const QUOTA_BYTES: u64 = 8 << 30;
/// The counter of finished checkpoints.
const CHECKPOINTS: &str = "etcd_disk_backend_commit_duration_seconds_count";
/// Lines of a server's log that are shown if it does not start: its first words, and its last.
const LOG_LINES_FIRST: usize = 5;
const LOG_LINES_LAST: usize = 10;

/// How a cluster is started.
#[derive(Debug, Clone)]
pub struct Plan {
    pub binary: PathBuf,
    pub members: usize,
    /// Cores that every member may use.
    pub cpus: Vec<usize>,
    /// Shards of a campanile, which is also told its cores; none for an etcd.
    pub shards: Option<usize>,
    /// Each member of a campanile is told one of the cores, in turn: members that share cores do not share executors'.
    pub one_core_each: bool,
    /// Further flags.
    pub flags: Vec<String>,
    pub data_root: PathBuf,
}

impl Plan {
    /// What a campanile is told besides: its shards, and the cores for its executors.
    fn campanile_arguments(&self, member: usize) -> Vec<String> {
        let Some(shards) = self.shards else { return Vec::new() };
        let cpus = if self.one_core_each { vec![self.cpus[member % self.cpus.len()]] } else { self.cpus.clone() };
        vec![format!("--shards={shards}"), format!("--cpus={}", list(&cpus))]
    }
}

/// A member's process and its place.
#[derive(Debug)]
struct Member {
    child: Child,
    arguments: Vec<String>,
    endpoint: Endpoint,
    directory: PathBuf,
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    plan: Plan,
    members: Vec<Member>,
}

impl Cluster {
    /// Starts a new cluster and waits until every member answers a linearizable read.
    ///
    /// # Errors
    /// If it does not start; the message holds the end of its log.
    pub fn start(plan: Plan) -> Result<Self, Error> {
        let mut cluster = Self { plan, members: Vec::new() };
        let ports = free_ports(2 * cluster.plan.members)?;
        let names: Vec<(String, u16, u16)> =
            ports.chunks(2).enumerate().map(|(number, ports)| (format!("m{number}"), ports[0], ports[1])).collect();
        let peers: Vec<String> =
            names.iter().map(|(name, _, peer)| format!("{name}=http://127.0.0.1:{peer}")).collect();
        for (number, (name, client, peer)) in names.iter().enumerate() {
            let directory = new_directory(&cluster.plan.data_root)?;
            let mut arguments = arguments(name, *client, *peer, &peers.join(","), &directory);
            arguments.extend(cluster.plan.campanile_arguments(number));
            arguments.extend(cluster.plan.flags.iter().cloned());
            let endpoint = format!("127.0.0.1:{client}").parse().expect("a valid endpoint");
            let child = spawn(&cluster.plan, &arguments, &directory);
            match child {
                Ok(child) => cluster.members.push(Member { child, arguments, endpoint, directory }),
                Err(error) => {
                    remove(&directory);
                    return Err(error);
                }
            }
        }
        cluster.await_answers()?;
        Ok(cluster)
    }

    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.members.iter().map(|member| member.endpoint.clone()).collect()
    }

    /// What all members have used so far.
    ///
    /// # Errors
    /// If one has died.
    pub fn usage(&self) -> Result<Usage, Error> {
        self.members.iter().try_fold(Usage::default(), |sum, member| Ok(sum.plus(Usage::of(member.child.id())?)))
    }

    /// The checkpoints, or an etcd's commits of its backend, that all members have finished.
    ///
    /// # Errors
    /// If one does not tell.
    pub fn checkpoints(&self) -> Result<u64, Error> {
        let count = |member: &Member| metrics::sample(&member.endpoint, CHECKPOINTS);
        self.members.iter().try_fold(0, |sum, member| Ok(sum + count(member)?))
    }

    /// Stops every member, starts all again on their data, and returns the time from the start to the last one's first
    /// answer.
    ///
    /// # Errors
    /// If it does not start again.
    pub fn restart(&mut self) -> Result<Duration, Error> {
        for member in &mut self.members {
            stop(&mut member.child);
        }
        let begin = Instant::now();
        for member in &mut self.members {
            member.child = spawn(&self.plan, &member.arguments, &member.directory)?;
        }
        self.await_answers()?;
        Ok(begin.elapsed())
    }

    fn await_answers(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_PATIENCE;
        for member in &mut self.members {
            loop {
                // One long question, not many short ones: a server that listens before it serves answers it at once.
                let answer =
                    Control::connect(&member.endpoint, START_PATIENCE).and_then(|mut control| control.get(b"\0"));
                let Err(error) = answer else { break };
                if let Some(status) = member.child.try_wait().map_err(Error::io("waiting for a server"))? {
                    return Err(member.did_not_start(&format!("it ended with {status}")));
                }
                if Instant::now() >= deadline {
                    return Err(member.did_not_start(&error.to_string()));
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            stop(&mut member.child);
            remove(&member.directory);
        }
    }
}

impl Member {
    fn did_not_start(&self, reason: &str) -> Error {
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let mut lines: Vec<&str> = log.lines().collect();
        if lines.len() > LOG_LINES_FIRST + LOG_LINES_LAST {
            lines.splice(LOG_LINES_FIRST..lines.len() - LOG_LINES_LAST, ["…"]);
        }
        Error::NotStarted(format!("{reason}\nits flags: {}\nits log:\n{}", self.arguments.join(" "), lines.join("\n")))
    }
}

/// etcd's flags.
fn arguments(name: &str, client: u16, peer: u16, cluster: &str, directory: &Path) -> Vec<String> {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let data = directory.join("data");
    [
        ("name", name),
        ("data-dir", &data.to_string_lossy()),
        ("listen-client-urls", &client),
        ("advertise-client-urls", &client),
        ("listen-peer-urls", &peer),
        ("initial-advertise-peer-urls", &peer),
        ("initial-cluster", cluster),
        ("initial-cluster-state", "new"),
        ("initial-cluster-token", "compare"),
        ("quota-backend-bytes", &QUOTA_BYTES.to_string()),
        ("log-level", "error"),
    ]
    .map(|(flag, value)| format!("--{flag}={value}"))
    .into()
}

/// Starts a member that dies with this process, on its cores alone.
fn spawn(plan: &Plan, arguments: &[String], directory: &Path) -> Result<Child, Error> {
    let log_path = directory.join("log");
    let log =
        File::options().create(true).append(true).open(&log_path).map_err(Error::io(log_path.display().to_string()))?;
    let errors = log.try_clone().map_err(Error::io("a server's log"))?;
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "taskset", "-c", &list(&plan.cpus)])
        .arg(&plan.binary)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(Error::io("setpriv and taskset (of util-linux) start the servers"))
}

/// Asks a process to end, and kills it if it does not.
fn stop(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a positive pid");
    // A child that was not waited for keeps its pid: the signal cannot reach another process.
    if matches!(child.try_wait(), Ok(None)) && kill_process(pid, Signal::TERM).is_ok() {
        let deadline = Instant::now() + STOP_PATIENCE;
        while Instant::now() < deadline {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(POLL);
        }
        eprintln!("server {} does not end: killed", child.id());
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A new directory with a name of its own. It refuses a file system in memory: nothing is durable there.
fn new_directory(root: &Path) -> Result<PathBuf, Error> {
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let kind = rustix::fs::statfs(root)
        .map_err(|source| Error::Io { what: root.display().to_string(), source: source.into() })?
        .f_type;
    if kind.cast_unsigned() == TMPFS_MAGIC {
        return Err(Error::Options(format!(
            "--data-root {}: this is tmpfs; give a directory on a disk",
            root.display()
        )));
    }
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let directory = root.join(format!("loadgen-compare-{}-{number}", std::process::id()));
    fs::create_dir(&directory).map_err(Error::io(directory.display().to_string()))?;
    Ok(directory)
}

fn remove(directory: &Path) {
    if let Err(error) = fs::remove_dir_all(directory) {
        eprintln!("{} could not be removed: {error}", directory.display());
    }
}

/// Ports that nobody uses now. All are held until all are found, so that they differ.
fn free_ports(count: usize) -> Result<Vec<u16>, Error> {
    let bind = |_| TcpListener::bind("127.0.0.1:0").map_err(Error::io("finding a free port"));
    let listeners: Vec<TcpListener> = (0..count).map(bind).collect::<Result<_, _>>()?;
    let port = |listener: &TcpListener| Ok(listener.local_addr().map_err(Error::io("finding a free port"))?.port());
    listeners.iter().map(port).collect()
}

fn list(cpus: &[usize]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
