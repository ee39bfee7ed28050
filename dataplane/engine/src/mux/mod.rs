//! Many connections inside one: what goes to the same node, as the same service, to the same service, shares a socket,
//! so that what is ready at one time is one record, one write and one read. May not know HTTP, nor who is at its ends.
//!
//! The frames are yamux's (the protocol Consul's own servers speak to one another); each channel carries HTTP/1.1 as a
//! connection of its own would, so that nothing above sees a difference. `state` decides, without I/O; `link` moves the
//! bytes; `channel` is one connection's end.

mod channel;
mod frame;
mod link;
mod state;
#[cfg(test)]
mod tests;

pub use channel::Channel;
pub use frame::WINDOW;
pub use link::{Link, Manner, drive};
