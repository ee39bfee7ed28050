//! The mesh hop's handshake over real sockets: who is believed, and with which sentence the others are refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod believed;
mod meeting;
mod refused;
