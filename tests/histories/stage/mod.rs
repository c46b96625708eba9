//! The real cluster: processes, their network, and one small disk. Faults change it; dropping it leaves nothing behind.
//!
//! | file | what |
//! | --- | --- |
//! | `namespace` | one network namespace |
//! | `network` | links between members, and between members and clients |
//! | `member` | one process |

pub mod member;
pub mod namespace;
pub mod network;

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use campanile_simulate::check::Violation;
use campanile_test_support::{Client, Program, disk::Disk};
use member::Member;
use namespace::Namespace;
use network::Network;
use tempfile::TempDir;

use crate::plan::Shape;

const STANDS: &str = "a member stops by itself only where its disk leaves it no choice";
/// A member that has met a full disk may need so long to end.
const FULL_DISK_AFTERMATH: Duration = Duration::from_secs(2);
/// What a member with a full disk says before it ends.
const NO_SPACE: &str = "no space left on the device";
/// Room for the segments of ten starts on two executors.
const SMALL_DISK_MIB: u64 = 512;
/// Less than a segment of the log.
const SPARE_BYTES: u64 = 1 << 20;
const PROBE_LIMIT: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub struct Stage {
    pub network: Network,
    pub members: Vec<Member>,
    small_disk: usize,
    disk: Disk,
    /// While the disk is full.
    ballast: Option<PathBuf>,
    /// The same, for those who write much then.
    pub is_full: Arc<AtomicBool>,
    freed_at: Option<Instant>,
    /// Holds the other members' data, and all logs.
    _folder: TempDir,
    /// How often the full disk has ended its member.
    pub ends: usize,
}

impl Stage {
    /// Starts all members. `None` where this user may not mount a file system.
    ///
    /// # Errors
    /// If there are no namespaces to be had.
    pub fn begin(program: &Program, shape: &Shape) -> io::Result<Option<Stage>> {
        let Some(disk) = Disk::of(SMALL_DISK_MIB) else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("campanile-test-").tempdir()?;
        let network = Network::create(shape.members)?;
        let members = (0..shape.members)
            .map(|at| {
                let data = if at == shape.small_disk { disk.path() } else { folder.path().to_owned() };
                let log = folder.path().join(format!("m{at}.log"));
                Member::new(program, at, shape, &data.join(format!("m{at}")), log)
            })
            .collect();
        let small_disk = shape.small_disk;
        let mut stage = Stage {
            network,
            members,
            small_disk,
            disk,
            ballast: None,
            is_full: Arc::default(),
            freed_at: None,
            _folder: folder,
            ends: 0,
        };
        stage.start_all();
        Ok(Some(stage))
    }

    pub fn clients(&self) -> Arc<Namespace> {
        self.network.clients.clone()
    }

    pub fn start(&mut self, at: usize) {
        let member = &mut self.members[at];
        self.network.member(at).within(|| member.start());
    }

    pub fn start_all(&mut self) {
        (0..self.members.len()).for_each(|at| self.start(at));
    }

    /// Leaves no room on the small disk.
    pub fn fill_disk(&mut self) {
        if self.ballast.is_none() {
            self.ballast = Some(self.disk.fill_but(SPARE_BYTES));
            self.is_full.store(true, Ordering::Relaxed);
        }
    }

    /// Kills the member with the full disk, and starts it, unless another fault holds it down.
    pub fn crash_on_full_disk(&mut self) {
        if self.ballast.is_some() {
            self.members[self.small_disk].kill();
            self.members[self.small_disk].release();
            self.start(self.small_disk);
        }
    }

    pub fn free_disk(&mut self) {
        if let Some(ballast) = self.ballast.take() {
            self.is_full.store(false, Ordering::Relaxed);
            fs::remove_file(ballast).expect("the ballast goes");
            self.freed_at = Some(Instant::now());
        }
    }

    /// Looks whether a member has ended by itself. A full disk may do that to its member, which starts again.
    ///
    /// # Errors
    /// If it had no reason.
    pub fn look(&mut self) -> Result<(), Violation> {
        let is_full = self.ballast.is_some() || self.freed_at.is_some_and(|at| at.elapsed() < FULL_DISK_AFTERMATH);
        for at in 0..self.members.len() {
            let Some(status) = self.members[at].ended() else { continue };
            let may_end = at == self.small_disk && is_full && status.code() == Some(1);
            if !may_end || self.members[at].said(NO_SPACE) == 0 {
                let log = fs::read_to_string(&self.members[at].log).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let tail = lines[lines.len().saturating_sub(20)..].join("\n");
                return Err(Violation::new(STANDS, format!("member {at} ended with {status}:\n{tail}")));
            }
            self.ends += 1;
            // With the disk still full it ends again, and so on.
            self.start(at);
        }
        Ok(())
    }

    /// All faults are over, and everybody runs.
    pub fn calm(&mut self) {
        self.free_disk();
        self.network.mend_all();
        self.members.iter_mut().for_each(Member::release_all);
        self.start_all();
    }

    pub fn addresses(&self) -> Vec<String> {
        self.members.iter().map(|member| member.address.clone()).collect()
    }

    /// What the members have printed, in files.
    pub fn logs(&self) -> impl Iterator<Item = &PathBuf> {
        self.members.iter().map(|member| &member.log)
    }
}

/// The member that says of itself that it leads, by asking all at once.
pub async fn leader(addresses: &[String]) -> Option<usize> {
    let asked: Vec<_> = addresses
        .iter()
        .map(|address| {
            let client = Client::new(address);
            tokio::spawn(async move { tokio::time::timeout(PROBE_LIMIT, client.status()).await })
        })
        .collect();
    let mut leader = None;
    for (at, answer) in asked.into_iter().enumerate() {
        if let Ok(Ok(Ok(status))) = answer.await
            && status.leader != 0
            && status.header.is_some_and(|header| header.member_id == status.leader)
        {
            leader = leader.or(Some(at));
        }
    }
    leader
}
