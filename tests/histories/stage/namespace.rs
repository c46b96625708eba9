//! A network namespace that goes away with its value, and with this process, however that ends.
//!
//! It has a name only while it is made. What keeps it alive is an open handle, so nothing is left behind to clean up: no
//! name, no link in it, no address.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::fd::{AsFd, AsRawFd},
    path::Path,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use campanile_test_support::environment;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where `ip netns` keeps the names.
const NAMES: &str = "/run/netns";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An open namespace.
#[derive(Debug)]
pub struct Namespace {
    handle: File,
}

impl Namespace {
    /// # Errors
    /// If `ip` is missing, or this user may not make namespaces.
    pub fn create() -> io::Result<Namespace> {
        let name = format!("campanile-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        succeed(Command::new("ip").args(["netns", "add", &name]))?;
        let handle = File::open(Path::new(NAMES).join(&name));
        succeed(Command::new("ip").args(["netns", "delete", &name]))?;
        Ok(Namespace { handle: handle? })
    }

    /// Whether namespaces can be had here. Where they cannot, a test goes without, but for continuous integration.
    pub fn is_possible() -> bool {
        let Err(error) = Namespace::create() else { return true };
        assert!(!environment::is_ci(), "no network namespace can be made, and CI is set: {error}");
        eprintln!("no network namespace can be made (root? iproute2?): skipped: {error}");
        false
    }

    /// Moves the calling thread into it. What the thread opens, and the processes that it starts, are there from now on.
    ///
    /// # Errors
    /// If this user may not.
    pub fn enter(&self) -> io::Result<()> {
        Ok(move_into_link_name_space(self.handle.as_fd(), Some(LinkNameSpaceType::Network))?)
    }

    /// Does something in it, on a thread of its own.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let enter_and_act = || {
            self.enter().expect("whoever made a namespace may enter it");
            act()
        };
        thread::scope(|scope| scope.spawn(enter_and_act).join()).expect("what is done in a namespace does not panic")
    }

    /// Carries out commands of `ip` in it, one a line. Panics if one fails: then nothing that follows means anything.
    pub fn ip(&self, commands: &str) {
        let done = self.within(|| -> io::Result<()> {
            let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn()?;
            child.stdin.take().expect("it was asked for").write_all(commands.as_bytes())?;
            let status = child.wait()?;
            if status.success() { Ok(()) } else { Err(io::Error::other(format!("ip: {status}"))) }
        });
        done.unwrap_or_else(|error| panic!("{error}:\n{commands}"));
    }

    /// How other processes name it, while this one holds it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.handle.as_raw_fd())
    }
}

fn succeed(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// Names of this process that a crash between two commands would have left.
pub fn leftovers() -> Vec<String> {
    let own = format!("campanile-{}-", process::id());
    let names = fs::read_dir(NAMES).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.starts_with(&own)).collect()
}
