//! HTTP/2 from clients: what they send, what origins see, what comes back, and what nobody is to do.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod client;
mod drain;
#[path = "../http1/feed.rs"]
mod feed;
mod floods;
mod frames;
#[path = "../http1/generator.rs"]
mod generator;
mod instance;
mod messages;
mod through;
mod translation;
mod websockets;
#[path = "../requests/manual.rs"]
#[expect(dead_code, reason = "some of it is for the tests of tunnels")]
mod manual;
#[path = "../requests/support.rs"]
#[expect(dead_code, reason = "some of it is for the tests of HTTP/1.1")]
mod support;
