//! The time, as the rest of the engine takes it: tokio's, so that tests can pause it.

use std::time::{SystemTime, UNIX_EPOCH};

pub use tokio::time::Instant;

/// Now, on the monotonic clock of the runtime.
pub fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since the Unix epoch, as OTLP wants them.
pub fn unix_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_nanos() as u64)
}
