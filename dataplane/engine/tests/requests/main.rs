//! The request path from socket to socket: what clients send, what origins see, what comes back.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "../support/believes_all.rs"]
mod believes_all;
#[path = "../support/ca.rs"]
#[expect(dead_code, reason = "forgeries are for the tests of TLS")]
mod ca;
mod support;
#[path = "../support/wait.rs"]
#[expect(dead_code, reason = "tests on no runtime wait otherwise")]
mod wait;

mod answers;
mod at_once;
mod bodies;
#[path = "../http2/client.rs"]
#[expect(dead_code, reason = "some of it is for the tests of HTTP/2")]
mod client;
mod closing;
mod detection;
mod explain;
mod faults;
mod heads;
mod https;
mod instance_tls;
mod limits;
mod links;
mod last_line;
mod manual;
mod mesh;
mod passthrough;
mod paths;
mod reasons;
mod streams;
mod tls;
mod tls_clients;
mod tls_sessions;
mod tries;
mod tunnels;
mod upgrades;
mod waiting;
