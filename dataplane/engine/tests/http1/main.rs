//! The codec's proofs: the raw cases, properties, and the comparison with hyper. `cargo test --test http1`.

#![allow(missing_docs)] // a test binary
#![allow(clippy::unwrap_used)] // clippy.toml allows it in tests, but does not see that helpers here are tests

mod differential;
mod feed;
mod generator;
mod hyper;
mod invariants;
mod properties;
mod raw;
