//! Time, as the runtime supplies it.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// The runtime's clock.
pub trait Timer {
    fn now(&self) -> Instant;

    /// Ready once `duration` has passed. Dropping it gives the timer up.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()>>>;
}
