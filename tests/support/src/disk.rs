//! A small disk of its own for a test: what is full there is full nowhere else.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{environment, wait};

const UNMOUNT_LIMIT: Duration = Duration::from_secs(10);
const FILL_LIMIT: Duration = Duration::from_secs(5);
/// Of a block device's `stat`, counted from 0 (Linux, Documentation/block/stat.rst).
const FLUSHES_COLUMN: usize = 15;

/// An ext4 file system in a file; it is unmounted when the value goes.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// `None` where this user may not mount.
    pub fn of(mib: u64) -> Option<Disk> {
        let folder = tempfile::Builder::new().prefix("campanile-test-").tempdir().expect("a temporary folder");
        let disk = Disk { folder };
        fs::create_dir(disk.path()).expect("a mount point");
        let image = disk.folder.path().join("image");
        fs::File::create(&image).and_then(|file| file.set_len(mib << 20)).expect("an image");
        let image = image.to_string_lossy().into_owned();
        let path = disk.path().to_string_lossy().into_owned();
        let is_mounted = succeeds("mkfs.ext4", &["-q", "-F", "-m", "0", &image])
            && succeeds("mount", &["-o", "loop", &image, &path]);
        if !is_mounted {
            assert!(!environment::is_ci(), "no file system of its own can be mounted, and CI is set");
            eprintln!("no file system of its own can be mounted (root?): skipped");
        }
        is_mounted.then_some(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// How often the device below was told to make durable what it had taken. Nobody else's writes are counted here.
    pub fn flushes(&self) -> u64 {
        let device = rustix::fs::stat(self.path()).expect("a mounted disk").st_dev;
        let file = format!("/sys/dev/block/{}:{}/stat", rustix::fs::major(device), rustix::fs::minor(device));
        let counters = fs::read_to_string(file).expect("the kernel counts what a device does");
        let flushes = counters.split_ascii_whitespace().nth(FLUSHES_COLUMN);
        flushes.expect("Linux counts flushes since 5.5").parse().expect("a number")
    }

    /// Fills what is free, but for so many bytes. Removing the file that is returned frees it again.
    ///
    /// Whoever writes meanwhile may be faster: what is left is looked up anew then.
    pub fn fill_but(&self, spare_bytes: u64) -> PathBuf {
        let ballast = self.path().join(".ballast");
        let deadline = Instant::now() + FILL_LIMIT;
        loop {
            let statistics = rustix::fs::statvfs(self.path()).expect("a mounted disk");
            let bytes = (statistics.f_bavail * statistics.f_frsize).saturating_sub(spare_bytes);
            let is_full = bytes == 0 && fs::File::create(&ballast).is_ok();
            if is_full || succeeds("fallocate", &["-l", &bytes.to_string(), &ballast.to_string_lossy()]) {
                return ballast;
            }
            assert!(Instant::now() < deadline, "the disk can be filled");
        }
    }
}

impl Drop for Disk {
    /// The kernel takes down the rings of a process that has ended in its own time, and their files with them.
    fn drop(&mut self) {
        let path = self.path().to_string_lossy().into_owned();
        let deadline = Instant::now() + UNMOUNT_LIMIT;
        while !succeeds("umount", &[&path]) {
            if Instant::now() >= deadline {
                eprintln!("cannot unmount {path}");
                break;
            }
            thread::sleep(wait::POLL_INTERVAL);
        }
    }
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
