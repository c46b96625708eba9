//! Members of a cluster as processes on loopback: started, killed and started again on the same ports and folders.

use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;

use crate::{Client, Program, ports, process::Process, wait};

/// From start to the first linearizable answer, recovery included. Generous: the machine may be busy.
const READY_LIMIT: Duration = Duration::from_secs(60);
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// What a test may choose about a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    pub members: usize,
    /// Ignored by programs that have no shards.
    pub shards: usize,
    pub heartbeat_ms: u32,
    pub election_ms: u32,
    /// Where the members keep their data, one for each; in the cluster's own folder if there are none.
    pub data_folders: Vec<PathBuf>,
    /// Further flags, of those that every program under test knows.
    pub flags: Vec<String>,
}

impl Default for Options {
    /// One member, one shard, etcd's own timeouts.
    fn default() -> Self {
        Self {
            members: 1,
            shards: 1,
            heartbeat_ms: 100,
            election_ms: 1000,
            data_folders: Vec::new(),
            flags: Vec::new(),
        }
    }
}

/// One member: its folder and ports stay, its process comes and goes.
#[derive(Debug)]
pub struct Member {
    program: Program,
    arguments: Vec<String>,
    log: PathBuf,
    /// `host:port` for clients.
    pub address: String,
    process: Option<Process>,
}

impl Member {
    /// Starts the process, without waiting for it to serve.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "the member runs already");
        let process = Process::start(&self.program.path, &self.arguments, &self.log)
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.path.display()));
        self.process = Some(process);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.take().expect("the member runs").kill();
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// How often this text stands in what the member has printed in all its lives.
    pub fn said(&self, text: &str) -> usize {
        std::fs::read_to_string(&self.log).map_or(0, |log| log.matches(text).count())
    }

    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// The running process. Panics if there is none.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the member runs")
    }

    /// Forgets a process that has ended by itself, so that the member can be started again.
    pub fn bury(&mut self) {
        let mut process = self.process.take().expect("the member ran");
        assert!(process.ended().is_some(), "only the dead are buried");
    }

    /// What the process is started with; the last of a repeated flag counts.
    pub fn arguments(&mut self) -> &mut Vec<String> {
        &mut self.arguments
    }

    /// Until a linearizable read is answered. Panics with the log if the process ends, or after [`READY_LIMIT`].
    pub async fn ready(&mut self) {
        let process = self.process.as_mut().expect("the member runs");
        let name = self.program.path.display().to_string();
        let client = Client::new(&self.address);
        let deadline = std::time::Instant::now() + READY_LIMIT;
        loop {
            if let Some(status) = process.ended() {
                panic!("{name} ended at its start: {status}\n{}", process.log_tail());
            }
            if let Ok(Ok(())) = tokio::time::timeout(PROBE_LIMIT, client.probe()).await {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{name} does not serve\n{}", process.log_tail());
            tokio::time::sleep(wait::POLL_INTERVAL).await;
        }
    }
}

/// A cluster whose members run on this machine, in a folder that goes away with it.
#[derive(Debug)]
pub struct Cluster {
    pub members: Vec<Member>,
    folder: TempDir,
}

impl Cluster {
    /// Starts all members and waits until each of them serves.
    pub async fn start(program: &Program, options: &Options) -> Self {
        let mut cluster = Self::begin(program, options);
        for member in &mut cluster.members {
            member.ready().await;
        }
        cluster
    }

    /// Starts all members, whether they will ever serve or not.
    pub fn begin(program: &Program, options: &Options) -> Self {
        let folder = tempfile::Builder::new().prefix("campanile-test-").tempdir().expect("a temporary folder");
        let ports: Vec<(u16, u16)> = (0..options.members).map(|_| (ports::free(), ports::free())).collect();
        let peers: Vec<String> =
            ports.iter().enumerate().map(|(at, (_, peer))| format!("m{at}=http://127.0.0.1:{peer}")).collect();
        let members = (0..options.members)
            .map(|at| Member {
                program: program.clone(),
                arguments: arguments(program, options, &folder, at, ports[at], &peers.join(",")),
                log: folder.path().join(format!("m{at}.log")),
                address: format!("127.0.0.1:{}", ports[at].0),
                process: None,
            })
            .collect();
        let mut cluster = Self { members, folder };
        cluster.members.iter_mut().for_each(Member::start);
        cluster
    }

    /// Starts the members that do not run, and waits for all.
    pub async fn start_all(&mut self) {
        for member in self.members.iter_mut().filter(|member| !member.is_running()) {
            member.start();
        }
        for member in &mut self.members {
            member.ready().await;
        }
    }

    pub fn kill_all(&mut self) {
        self.members.iter_mut().for_each(Member::kill);
    }

    /// A scratch folder that goes away with the cluster.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn client(&self, at: usize) -> Client {
        Client::new(&self.members[at].address)
    }

    pub fn addresses(&self) -> Vec<String> {
        self.members.iter().map(|member| member.address.clone()).collect()
    }

    /// The member that says of itself that it leads. `None` while nobody does.
    pub async fn leader(&self) -> Option<usize> {
        for (at, member) in self.members.iter().enumerate().filter(|(_, member)| member.is_running()) {
            let client = Client::new(&member.address);
            if let Ok(Ok(status)) = tokio::time::timeout(PROBE_LIMIT, client.status()).await
                && status.leader != 0
                && status.header.is_some_and(|header| header.member_id == status.leader)
            {
                return Some(at);
            }
        }
        None
    }
}

fn arguments(
    program: &Program,
    options: &Options,
    folder: &TempDir,
    at: usize,
    (client, peer): (u16, u16),
    peers: &str,
) -> Vec<String> {
    let data_folder = options.data_folders.get(at).cloned().unwrap_or_else(|| folder.path().join(format!("m{at}")));
    let mut arguments = vec![
        format!("--name=m{at}"),
        format!("--data-dir={}", data_folder.display()),
        format!("--listen-client-urls=http://127.0.0.1:{client}"),
        format!("--advertise-client-urls=http://127.0.0.1:{client}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-cluster={peers}"),
        "--initial-cluster-state=new".to_owned(),
        "--initial-cluster-token=campanile-test".to_owned(),
        format!("--heartbeat-interval={}", options.heartbeat_ms),
        format!("--election-timeout={}", options.election_ms),
    ];
    if program.is_campanile() {
        arguments.push(format!("--shards={}", options.shards));
    }
    arguments.extend(options.flags.iter().cloned());
    arguments
}
