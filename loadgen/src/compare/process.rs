//! What the kernel knows of a process: CPU time, memory, and bytes written to storage. From `/proc/PID`, Linux alone.

use crate::error::Error;
use std::{io, time::Duration};

/// Usage of one process so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Bytes that it made the storage layer write.
    pub written_bytes: u64,
}

impl Usage {
    /// # Errors
    /// If the process is gone.
    pub fn of(pid: u32) -> Result<Self, Error> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            std::fs::read_to_string(&path).map_err(Error::io(path))
        };
        let parsed = |value: Option<u64>, file: &str| {
            let missing = || io::Error::new(io::ErrorKind::InvalidData, "a field is missing");
            value.ok_or_else(|| Error::Io { what: format!("/proc/{pid}/{file}"), source: missing() })
        };
        let ticks = parsed(cpu_ticks(&read("stat")?), "stat")?;
        let resident_kib = parsed(field(&read("status")?, "VmRSS:"), "status")?;
        Ok(Self {
            cpu: Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64),
            resident_bytes: resident_kib * 1024,
            written_bytes: parsed(field(&read("io")?, "write_bytes:"), "io")?,
        })
    }

    /// Adds another process of the same cluster.
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            resident_bytes: self.resident_bytes + other.resident_bytes,
            written_bytes: self.written_bytes + other.written_bytes,
        }
    }

    /// What was used since `earlier`; the memory is that of now.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            resident_bytes: self.resident_bytes,
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
        }
    }
}

/// Fields 14 and 15 of `/proc/PID/stat`, counted behind the program's name, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    const USER_AFTER_NAME: usize = 11;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(USER_AFTER_NAME);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let stat = "7 (a )b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 8 9 20 0";
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!(field("VmPeak:\t 9 kB\nVmRSS:\t   512 kB\n", "VmRSS:"), Some(512));
        assert_eq!((cpu_ticks("7 (x) S"), field("", "VmRSS:")), (None, None));
    }

    #[test]
    fn this_process_has_a_usage() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident_bytes > 0);
        assert!(Usage::of(0).is_err());
    }
}
