//! The data plane of meshnode. It knows sockets; it knows neither Python nor Consul.
//!
//! The order of the modules is the order of the arrows: a module may use those above it, never one below.

pub mod clock;
pub mod alarm;
pub mod error;
pub mod http1;
pub mod network;
pub mod normal;
pub mod random;
pub mod trace;
pub mod shared_map;
pub mod router;
pub mod authorizer;
pub mod snapshot;
pub mod balancer;
pub mod span;
pub mod stats;
pub mod spiffe;
mod sock_diag;
pub mod callers;
mod trust;
pub mod identity;
pub mod tls;
pub mod edge_tls;
pub mod shared;

pub mod buffers;
pub mod session;
pub mod mux;
pub mod stream;
pub mod side;
pub mod pool;
pub mod idle;
pub mod turn;
pub mod worker;
pub mod plan;
pub mod rewrite;
pub mod decide;
pub mod answer;
pub mod request;
pub mod explain;
pub mod upstream;
pub mod exchange;
pub mod tunnel;
pub mod patience;
pub mod tries;
pub mod forward;
pub mod record;
pub mod serve;
pub mod listener;
pub mod threads;
pub mod reconcile;
pub mod engine;
pub mod control;
