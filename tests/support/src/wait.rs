//! Waiting for a condition with a deadline. Nothing here waits a fixed time and hopes.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How often a condition that sends no notice is looked at.
pub const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Looks at `condition` until it yields a value; panics with `what` once `limit` has passed.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
