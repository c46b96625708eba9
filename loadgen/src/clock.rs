//! Time as the generator counts it: nanoseconds since it began, of the monotonic clock. And the CPU time that the
//! calling thread has used, with the time that it waited for a CPU: what tells whether the client was the bottleneck.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Nanoseconds since the clock's origin.
pub type Nanos = u64;

/// A monotonic clock; copies share their origin.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub fn now(&self) -> Nanos {
        nanos(self.origin.elapsed())
    }
}

/// A duration in nanoseconds; 584 years are the most.
pub fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a thread has used and missed so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuUse {
    /// CPU time used, in nanoseconds.
    pub used: Nanos,
    /// Time in which it was ready to run but another thread had the CPU, in nanoseconds; 0 if the kernel keeps no count.
    pub waited: Nanos,
}

impl CpuUse {
    /// Of the calling thread.
    pub fn of_this_thread() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let used = Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32);
        let waited = std::fs::read_to_string("/proc/thread-self/schedstat")
            .ok()
            .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse().ok());
        Self { used: nanos(used), waited: waited.unwrap_or(0) }
    }

    /// What was used and missed since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self { used: self.used.saturating_sub(earlier.used), waited: self.waited.saturating_sub(earlier.waited) }
    }
}
