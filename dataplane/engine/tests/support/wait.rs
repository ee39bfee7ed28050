//! Waits for a condition, never for a time.

use std::time::{Duration, Instant};

/// Longer than anything takes; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks again and again until `condition` holds.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        pause();
    }
}

/// The same on a runtime.
pub async fn until_async(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begin = now();
    while !condition().await {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the system's own time, which no test pauses"
)]
fn now() -> Instant {
    Instant::now()
}

#[allow(
    clippy::disallowed_methods,
    reason = "between two looks at a condition"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}
