//! The request path from socket to socket: what clients send, what origins see, what comes back.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

mod answers;
mod bodies;
mod faults;
mod heads;
