//! The core's clock: nanoseconds since the process began to serve.

use campanile_core::time::Instant;

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    #[must_use]
    pub fn start() -> Clock {
        Clock { start: std::time::Instant::now() }
    }

    #[must_use]
    pub fn now(&self) -> Instant {
        let nanoseconds = u64::try_from(self.start.elapsed().as_nanos()).expect("no process runs for 584 years");
        Instant { nanoseconds }
    }
}
