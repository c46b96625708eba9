//! Where executors run: inside the process's own CPU mask, whatever `taskset`, a cpuset or an orchestrator made of it.
//!
//! The mask is taken before any executor exists: glommio's own placements look at the machine, not at the mask. Never
//! pins anything itself.

use std::fs;

use campanile_config::CpuChoice;
use rustix::thread::{CpuSet, sched_getaffinity};

/// Where executors run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// One executor on each of these CPUs; at least one.
    Pinned(Vec<usize>),
    /// So many executors, at least one, wherever the kernel puts them.
    Free(usize),
}

impl Placement {
    /// How many executors there are.
    #[must_use]
    pub fn executors(&self) -> usize {
        match self {
            Placement::Pinned(cpus) => cpus.len(),
            Placement::Free(executors) => *executors,
        }
    }

    /// The CPU of an executor; none if it is free.
    #[must_use]
    pub fn cpu(&self, executor: usize) -> Option<usize> {
        match self {
            Placement::Pinned(cpus) => cpus.get(executor).copied(),
            Placement::Free(_) => None,
        }
    }
}

/// Why executors cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// The list names CPUs that the process may not run on.
    #[error(
        "--cpus names CPU {}, but this process may run on {} only; widen its mask (taskset, cpuset) or change --cpus",
        list(missing),
        list(mask)
    )]
    OutsideMask { missing: Vec<usize>, mask: Vec<usize> },
    /// The kernel does not say which CPUs there are.
    #[error("cannot read this process's CPU mask: {0}")]
    Mask(String),
}

/// Places executors inside the process's own mask.
///
/// # Errors
/// If the choice names a CPU outside of it.
pub fn place(choice: &CpuChoice) -> Result<Placement, PlacementError> {
    place_within(choice, &own_mask()?)
}

/// The CPUs that this process may run on, in ascending order; at least one.
///
/// # Errors
/// If the kernel refuses to say.
pub fn own_mask() -> Result<Vec<usize>, PlacementError> {
    let set = sched_getaffinity(None).map_err(|error| PlacementError::Mask(error.to_string()))?;
    let mask: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect();
    assert!(!mask.is_empty(), "a running thread has a CPU to run on");
    Ok(mask)
}

fn place_within(choice: &CpuChoice, mask: &[usize]) -> Result<Placement, PlacementError> {
    match choice {
        CpuChoice::Inherited => Ok(Placement::Pinned(mask.to_vec())),
        CpuChoice::Unpinned => Ok(Placement::Free(mask.len())),
        CpuChoice::Listed(cpus) => {
            let missing: Vec<usize> = cpus.iter().copied().filter(|cpu| !mask.contains(cpu)).collect();
            if missing.is_empty() {
                Ok(Placement::Pinned(cpus.clone()))
            } else {
                Err(PlacementError::OutsideMask { missing, mask: mask.to_vec() })
            }
        }
    }
}

/// How many CPUs' worth of time the control group of this process grants, if it limits it (cgroup v2's `cpu.max`). More
/// executors than that are throttled all together, which looks like a dead member to the others.
#[must_use]
pub fn cpu_quota() -> Option<f64> {
    let group = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = group.lines().find_map(|line| line.strip_prefix("0::"))?;
    // Inside a container the root of the hierarchy is the container's own group, whatever the path says.
    let places = [format!("/sys/fs/cgroup{path}/cpu.max"), "/sys/fs/cgroup/cpu.max".to_owned()];
    places.iter().find_map(|place| parse_quota(&fs::read_to_string(place).ok()?))
}

/// `max 100000` or `150000 100000`: microseconds granted of microseconds passed.
fn parse_quota(text: &str) -> Option<f64> {
    let (granted, period) = text.trim().split_once(' ')?;
    let (granted, period) = (granted.parse::<u32>().ok()?, period.parse::<u32>().ok()?);
    (period > 0).then(|| f64::from(granted) / f64::from(period))
}

/// CPUs in the kernel's notation, `0,2-3`.
fn list(cpus: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let text = |(first, last): &(usize, usize)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(text).collect::<Vec<String>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executors_stay_inside_the_mask() {
        let mask = [1, 2, 3, 7];
        assert_eq!(place_within(&CpuChoice::Inherited, &mask), Ok(Placement::Pinned(mask.to_vec())));
        assert_eq!(place_within(&CpuChoice::Unpinned, &mask), Ok(Placement::Free(4)));
        assert_eq!(place_within(&CpuChoice::Listed(vec![2, 7]), &mask), Ok(Placement::Pinned(vec![2, 7])));
        let refusal = place_within(&CpuChoice::Listed(vec![0, 2, 4]), &mask).unwrap_err().to_string();
        assert!(refusal.starts_with("--cpus names CPU 0,4, but this process may run on 1-3,7 only"), "{refusal}");
    }

    #[test]
    fn the_own_mask_is_the_runtimes_parallelism() {
        let parallelism = std::thread::available_parallelism().unwrap().get();
        assert!(own_mask().unwrap().len() >= parallelism);
        let placement = place(&CpuChoice::Inherited).unwrap();
        assert_eq!(placement.cpu(0), own_mask().unwrap().first().copied());
        assert_eq!(placement.cpu(placement.executors()), None);
    }

    #[test]
    fn quotas_are_read() {
        assert_eq!(parse_quota("max 100000\n"), None);
        assert_eq!(parse_quota("150000 100000\n"), Some(1.5));
        assert_eq!(parse_quota("1 0"), None);
        assert_eq!(parse_quota(""), None);
    }
}
