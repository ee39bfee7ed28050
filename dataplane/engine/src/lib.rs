//! The data plane of meshnode. It knows sockets; it knows neither Python nor Consul.
//!
//! The order of the modules is the order of the arrows: a module may use those above it, never one below.

pub mod callers;
pub mod clock;
pub mod error;
pub mod http1;
pub mod identity;
mod sock_diag;
pub mod spiffe;
pub mod tls;
mod trust;
