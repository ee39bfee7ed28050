//! The atomics of what threads share by an argument about their order. It may hold nothing else: where `dataplane/loom`
//! goes through all orders, loom's stand in their place.

pub use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
