//! The engine's pure modules, by path: they need neither TLS nor a runtime, so the fuzzers are built in a minute, not
//! in seven. A module that is fuzzed is added here with what it uses; nothing else may be.

#[path = "../../engine/src/atomic.rs"]
pub mod atomic;
#[path = "../../engine/src/error.rs"]
pub mod error;
#[path = "../../engine/src/http1/mod.rs"]
pub mod http1;
#[path = "../../engine/src/http2/mod.rs"]
pub mod http2;
#[path = "../../engine/src/opening.rs"]
pub mod opening;
#[path = "../../engine/src/random.rs"]
pub mod random;
#[path = "../../engine/src/trace/mod.rs"]
pub mod trace;
#[path = "../../engine/src/network.rs"]
pub mod network;
#[path = "../../engine/src/normal.rs"]
pub mod normal;
#[path = "../../engine/src/client_hello.rs"]
pub mod client_hello;
#[path = "../../engine/src/detect.rs"]
pub mod detect;
#[path = "../../engine/src/shared_map.rs"]
pub mod shared_map;
#[path = "../../engine/src/limiter.rs"]
pub mod limiter;
#[path = "../../engine/src/router/mod.rs"]
pub mod router;
#[path = "../../engine/src/authorizer.rs"]
pub mod authorizer;
#[path = "../../engine/src/snapshot/mod.rs"]
pub mod snapshot;
#[path = "../../engine/src/buffers.rs"]
pub mod buffers;
/// Of the links between nodes, what reads what the other one sends; not what has a socket.
#[path = "../../engine/src/mux"]
pub mod mux {
    pub mod frame;
    pub mod state;
}
