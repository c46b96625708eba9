//! Limits of the process: descriptors, locked memory, CPU time.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::start::placement::cpu_quota;

/// An executor's rings, files, event descriptors and listeners, generously.
const DESCRIPTORS_PER_EXECUTOR: u64 = 64;
/// What is left for connections at the very least.
const DESCRIPTORS_FOR_CONNECTIONS_MIN: u64 = 128;
/// From here on, nobody is cautioned: ten thousand idle connections and then some.
const DESCRIPTORS_COMFORTABLE: u64 = 16 << 10;
/// glommio's main ring, its ring for latencies and its polling ring register I/O memory each.
const RINGS_PER_EXECUTOR: u64 = 3;
/// The bit of CAP_IPC_LOCK, which lifts the limit of locked memory.
const CAPABILITY_IPC_LOCK: u32 = 14;

/// What works, but less well than it could.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Caution {
    #[error(
        "the limit of {limit} open files leaves room for few connections; raise it (ulimit -n, LimitNOFILE= of the \
         unit, --ulimit nofile= of the container) to {DESCRIPTORS_COMFORTABLE} or more"
    )]
    FewDescriptors { limit: u64 },
    #[error(
        "{needed} bytes of I/O memory do not fit the limit of {limit} bytes of locked memory, so that executors run \
         without registered buffers and slower; raise it (ulimit -l, LimitMEMLOCK= of the unit, --ulimit memlock= of \
         the container) or lower --executor-io-memory-bytes"
    )]
    LockedMemory { needed: u64, limit: u64 },
    #[error(
        "{executors} executors share a quota of {quota:.2} CPUs and will be stopped together when it is used up; name \
         fewer CPUs with --cpus, or raise the quota"
    )]
    CpuQuota { executors: usize, quota: f64 },
    #[error("{directory} is on {kind}, which may not keep what it reported as written; use a local disk")]
    RemoteDisk { directory: String, kind: &'static str },
}

/// A limit that leaves no room to work in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    #[error(
        "the limit of {limit} open files is too low for {executors} executors; raise it to {needed} or more (ulimit -n, \
         LimitNOFILE= of the unit, --ulimit nofile= of the container)"
    )]
    Descriptors { limit: u64, executors: usize, needed: u64 },
}

/// Raises the soft limit of descriptors to the hard one, and judges that.
pub(super) fn raise_descriptors(executors: usize) -> Result<Option<Caution>, LimitError> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { maximum } else { current };
    judge_descriptors(limit, executors)
}

/// None is no limit.
fn judge_descriptors(limit: Option<u64>, executors: usize) -> Result<Option<Caution>, LimitError> {
    let limit = limit.unwrap_or(u64::MAX);
    let needed = DESCRIPTORS_PER_EXECUTOR.saturating_mul(executors as u64) + DESCRIPTORS_FOR_CONNECTIONS_MIN;
    if limit < needed {
        return Err(LimitError::Descriptors { limit, executors, needed });
    }
    Ok((limit < DESCRIPTORS_COMFORTABLE).then_some(Caution::FewDescriptors { limit }))
}

/// Compares what executors will register with the limit, unless this process is exempt from it.
pub(super) fn check_locked_memory(executors: usize, io_memory_bytes: u64) -> Option<Caution> {
    let limit = getrlimit(Resource::Memlock).current?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    judge_locked_memory(limit, &status, executors, io_memory_bytes)
}

fn judge_locked_memory(limit: u64, status: &str, executors: usize, io_memory_bytes: u64) -> Option<Caution> {
    let needed = RINGS_PER_EXECUTOR.saturating_mul(executors as u64).saturating_mul(io_memory_bytes);
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    let exempt = capabilities >> CAPABILITY_IPC_LOCK & 1 == 1;
    (needed > limit && !exempt).then_some(Caution::LockedMemory { needed, limit })
}

/// Compares the number of executors with the control group's quota.
pub(super) fn check_cpu_quota(executors: usize) -> Option<Caution> {
    cpu_quota().filter(|quota| executors as f64 > *quota).map(|quota| Caution::CpuQuota { executors, quota })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_judged() {
        assert_eq!(judge_descriptors(None, 64), Ok(None));
        assert_eq!(judge_descriptors(Some(20_000), 2), Ok(None));
        assert_eq!(judge_descriptors(Some(1024), 2), Ok(Some(Caution::FewDescriptors { limit: 1024 })));
        let refusal = judge_descriptors(Some(1024), 64).unwrap_err();
        assert!(refusal.to_string().contains("raise it to 4224 or more"), "{refusal}");
    }

    #[test]
    fn the_soft_limit_is_raised() {
        let before = getrlimit(Resource::Nofile);
        let _ = raise_descriptors(1);
        assert_eq!(getrlimit(Resource::Nofile).maximum, before.maximum);
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
    }

    #[test]
    fn locked_memory_is_judged() {
        let user = "Name:\tcampanile\nCapEff:\t0000000000000000\n";
        let root = "CapEff:\t000001ffffffffff\n";
        let mib = 1 << 20;
        assert_eq!(judge_locked_memory(8 * mib, user, 2, mib), None);
        let caution = judge_locked_memory(8 * mib, user, 3, mib).unwrap();
        assert_eq!(caution, Caution::LockedMemory { needed: 9 * mib, limit: 8 * mib });
        assert_eq!(judge_locked_memory(8 * mib, root, 3, mib), None);
        // A status that cannot be read lifts no limit.
        assert!(judge_locked_memory(0, "", 1, 1).is_some());
    }
}
