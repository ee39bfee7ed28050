//! The engine's modules with atomics of their own, by path. One that gets some is added here with a test of what holds
//! in whatever order; what is kept under a lock, or swapped as a whole, needs none.

/// In place of the engine's.
pub mod atomic {
    pub use loom::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
}
#[path = "../../engine/src/network.rs"]
pub mod network;
#[path = "../../engine/src/limiter.rs"]
pub mod limiter;
#[path = "../../engine/src/router/retry.rs"]
pub mod retry;
