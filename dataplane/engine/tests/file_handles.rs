//! What happens when file handles are gone. Alone in its file, because the limit is the whole process's.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;

use meshnode_engine::engine::Engine;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use support::snapshot::{edge, with_listeners};
use support::wait::until;

#[tokio::test]
async fn without_file_handles_nothing_spins_and_nobody_is_lost() {
    let engine = Engine::start(1).unwrap();
    engine
        .apply(&with_listeners(&json!({ "edge": edge("127.0.0.1:0") })))
        .unwrap();
    let address = engine.reconcile().await.get("edge").unwrap().address;
    // The client's own handle is there before the last one is gone.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(128),
            maximum: limit.maximum,
        },
    )
    .unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let errors = || engine.shared.faults.accept_errors.load(Ordering::Relaxed);
    until("the first error", || errors() > 0);
    let begin = errors();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    // 10, 20, 40, ... ms: in half a second a handful of tries.
    assert!(errors() - begin < 10, "{} tries", errors() - begin);
    hoard.clear();
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 404"), "{text:?}");
}
