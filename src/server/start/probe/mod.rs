//! Asks the kernel, before the first executor, for what executors and the log cannot do without.
//!
//! What is missing is an error that names it and says how to get it; what only costs speed or room is a caution. All of
//! it is asked by doing it (a ring, a direct durable write), not by comparing versions. Changes nothing but the soft
//! limit of descriptors, which is raised to the hard one.

mod disk;
mod limits;
mod uring;

use std::path::Path;

pub use disk::DiskError;
pub use limits::{Caution, LimitError};
pub use uring::UringError;

/// What this start is going to use.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// How many executors there will be.
    pub executors: usize,
    /// What each of an executor's rings registers.
    pub io_memory_bytes: u64,
    /// The directories that are written to directly and durably. They exist.
    pub directories: &'a [&'a Path],
}

/// What is missing.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error(transparent)]
    Uring(#[from] UringError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Limit(#[from] LimitError),
}

/// Asks for everything.
///
/// # Errors
/// The first thing that is missing.
pub fn probe(needs: &Needs<'_>) -> Result<Vec<Caution>, ProbeError> {
    let mut cautions = Vec::new();
    cautions.extend(limits::raise_descriptors(needs.executors)?);
    uring::check()?;
    cautions.extend(limits::check_locked_memory(needs.executors, needs.io_memory_bytes));
    for directory in needs.directories {
        cautions.extend(disk::check(directory)?);
    }
    cautions.extend(limits::check_cpu_quota(needs.executors));
    Ok(cautions)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A directory of one test, under the build's own: on a disk, where the system's temporary one may be in memory.
    pub(crate) struct Scratch(PathBuf);

    impl Scratch {
        pub(crate) fn new() -> Scratch {
            static NUMBER: AtomicU64 = AtomicU64::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let build = std::env::current_exe().unwrap().parent().unwrap().to_owned();
            let path = build.join(format!("scratch-{}-{number}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Scratch(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn this_machine_has_what_it_needs_or_says_what_not() {
        let scratch = Scratch::new();
        let needs = Needs { executors: 1, io_memory_bytes: 1 << 20, directories: &[scratch.path()] };
        match probe(&needs) {
            Ok(cautions) => assert!(cautions.len() < 5, "{cautions:?}"),
            Err(error) => assert!(error.to_string().contains("; "), "a refusal says what to do: {error}"),
        }
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "the probe leaves nothing behind");
    }
}
