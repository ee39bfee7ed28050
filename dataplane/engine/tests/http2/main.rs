//! HTTP/2 from clients: what they send, what origins see, what comes back, and what nobody is to do.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod client;
mod drain;
mod floods;
mod frames;
mod instance;
mod messages;
#[path = "../requests/manual.rs"]
#[expect(dead_code, reason = "some of it is for the tests of tunnels")]
mod manual;
#[path = "../requests/support.rs"]
#[expect(dead_code, reason = "some of it is for the tests of HTTP/1.1")]
mod support;
