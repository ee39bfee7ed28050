//! Connections that carry many streams at once (RFC 9113): who drives them, how many there are, when they end. They may
//! not know what a stream says.

pub mod client;
mod resets;
pub mod server;
mod wire;

pub use wire::{Outlet, Wire};
