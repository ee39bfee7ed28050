//! What happens when file handles are gone. Alone in its file, because the limit is the whole process's; one test at a time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use meshnode_engine::engine::Engine;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use support::snapshot::{edge, with_listeners};
use support::wait::{until, until_async};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All handles the process may have; they are free again once it is dropped.
struct Hoard {
    files: Vec<File>,
    limit: Rlimit,
}

impl Hoard {
    fn all() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let few = Rlimit {
            current: Some(128),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, few).unwrap();
        let mut files = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        Self { files, limit }
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        self.files.clear();
        setrlimit(Resource::Nofile, self.limit).unwrap();
    }
}

#[tokio::test]
#[expect(
    clippy::await_holding_lock,
    reason = "one test at a time is what it is for"
)]
async fn without_file_handles_nothing_spins_and_nobody_is_lost() {
    let _alone = alone();
    let engine = Engine::start(1).unwrap();
    engine
        .apply(&with_listeners(&json!({ "edge": edge("127.0.0.1:0") })))
        .unwrap();
    let address = engine.reconcile().await.get("edge").unwrap().address;
    // The client's own handle is there before the last one is gone.
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let hoard = Hoard::all();
    client.connect(&address.into()).unwrap();
    let mut client = TcpStream::from(client);
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let errors = || engine.shared.faults.accept_errors.load(Ordering::Relaxed);
    until("the first error", || errors() > 0);
    let begin = errors();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    // 10, 20, 40, ... ms: in half a second a handful of tries.
    assert!(errors() - begin < 10, "{} tries", errors() - begin);
    drop(hoard);
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 404"), "{text:?}");
}

/// An instance that answers one request a connection.
fn instance() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        // While there are no handles, taking fails here as well.
        for mut taken in listener.incoming().flatten() {
            let _ = taken.read(&mut [0; 1024]);
            let _ = taken.write_all(OK);
        }
    });
    address
}

/// A service `shop` whose only instance is at `address`.
fn with_shop(address: SocketAddr) -> Vec<u8> {
    let listeners = with_listeners(&json!({ "edge": edge("127.0.0.1:0") }));
    let mut document: Value = serde_json::from_slice(&listeners).unwrap();
    document["resources"]["routes"] = json!({"shop": {"key": "mesh/routes/shop", "index": 7, "hosts": ["shop.test"],
        "path": {"prefix": "/"}, "action": {"split": [{"cluster": "shop", "weight": 1}]}}});
    document["resources"]["clusters"] = json!({"shop": {"service": "shop", "exists": true, "instances": 1, "endpoints": [
        {"id": "shop-1", "node": "old-box", "address": address.to_string(), "weight": 1, "via": "clear"}]}});
    document.to_string().into_bytes()
}

/// One answer on a connection that may go on: its head and the body behind; nothing, where it was closed.
fn ask(client: &mut TcpStream) -> String {
    // Where the node sheds connections still, this one is closed before or after it was read.
    let _ = client.write_all(GET);
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = client.read(&mut piece).unwrap_or(0);
        text.extend_from_slice(&piece[..count]);
        let told = String::from_utf8_lossy(&text);
        let whole = told.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse().unwrap())
            });
            body.len() >= length.unwrap_or(0)
        });
        if whole || count == 0 {
            return told.into_owned();
        }
    }
}

/// The node sheds what is new once it has noticed; what it finds out itself, between two looks, is no fault of who was
/// to be connected to.
#[tokio::test]
#[expect(
    clippy::await_holding_lock,
    reason = "one test at a time is what it is for"
)]
async fn a_handle_that_is_not_there_is_no_fault_of_the_instance() {
    let _alone = alone();
    let engine = Engine::start(1).unwrap();
    engine.apply(&with_shop(instance())).unwrap();
    let address = engine.reconcile().await.get("edge").unwrap().address;
    let stats = async || serde_json::from_slice::<Value>(&engine.stats().await).unwrap();
    let mut told = String::new();
    until_async("an answer that names the handle", async || {
        // Connected and answered before: only the way to the instance needs a handle.
        let mut client = TcpStream::connect(address).unwrap();
        if !ask(&mut client).starts_with("HTTP/1.1 200 ") {
            return false;
        }
        let hoard = Hoard::all();
        told = ask(&mut client);
        drop(hoard);
        if told.starts_with("HTTP/1.1 200 ") {
            // The connection before was closed late, and its handle was free.
            return false;
        }
        assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
        assert!(told.contains("mesh-reason: overloaded\r\n"), "{told}");
        told.contains("no file handle left for a connection to 127.0.0.1:")
    })
    .await;
    assert!(told.contains("Retry-After: 1\r\n"), "{told}");
    let stats = stats().await;
    let upstream = &stats["upstreams"][0];
    assert_eq!(
        (&upstream["connect_errors"], &upstream["running"]),
        (&json!(0), &json!(0))
    );
    let shed = stats["shed"].as_array().unwrap();
    let is_counted = |row: &Value| row["cause"] == "handles" && row["what"] == "request";
    assert!(shed.iter().any(is_counted), "{shed:?}");
    let mut client = TcpStream::connect(address).unwrap();
    until("an instance that is asked again", || {
        client = TcpStream::connect(address).unwrap();
        ask(&mut client).starts_with("HTTP/1.1 200 ")
    });
}
