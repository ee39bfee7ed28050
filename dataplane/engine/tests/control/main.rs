//! The control API over its socket: every call, every refusal with its sentence, and who may speak.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod node;
mod socket;
