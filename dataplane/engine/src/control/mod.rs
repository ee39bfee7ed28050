//! The control API (docs/boundary.md): HTTP/1.1 and JSON on a Unix socket, on a thread of its own. It may not touch a
//! connection of users, nor let anybody but our own user and root in.

mod answer;
mod calls;
mod secrets;
mod serve;
mod socket;

pub use self::serve::Control;

/// The number of the protocol spoken here; the agent compares it before it adopts a running proxy.
pub const PROTOCOL: u32 = 3;
