//! What happens when there is too much of something: new connections go first, new requests next, and all is taken again
//! once there is room. Alone in its file, because files and memory are the whole process's; one test at a time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meshnode_engine::engine::Engine;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use support::snapshot::{edge, with_listeners};
use support::wait::until;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
/// What keeps a thread busy: the route answers it itself.
const BUSY: &[u8] = b"GET / HTTP/1.1\r\nHost: busy.test\r\n\r\n";

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An engine with one thread whose requests go to an instance that nobody is: an answer of 502 is one that was taken.
struct Mesh {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    address: SocketAddr,
}

impl Mesh {
    fn start(limits: &Value) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let engine = Engine::start(1).unwrap();
        let listeners = with_listeners(&json!({ "edge": edge("127.0.0.1:0") }));
        let mut document: Value = serde_json::from_slice(&listeners).unwrap();
        let resources = &mut document["resources"];
        resources["settings"]["node"]["limits"] = limits.clone();
        resources["routes"] = json!({"shop": {"key": "mesh/routes/shop", "index": 7, "hosts": ["shop.test"],
            "path": {"prefix": "/"}, "action": {"split": [{"cluster": "shop", "weight": 1}]}},
            "busy": {"key": "mesh/routes/busy", "index": 8, "hosts": ["busy.test"], "path": {"prefix": "/"},
                "action": {"answer": {"status": 200, "body": "hello"}}}});
        resources["clusters"] = json!({"shop": {"service": "shop", "exists": true, "instances": 1, "endpoints": [
            {"id": "shop-1", "node": "old-box", "address": "127.0.0.1:1", "weight": 1, "via": "clear"}]}});
        engine.apply(document.to_string().as_bytes()).unwrap();
        let address = runtime
            .block_on(engine.reconcile())
            .get("edge")
            .unwrap()
            .address;
        Self {
            runtime,
            engine,
            address,
        }
    }

    fn stats(&self) -> Value {
        serde_json::from_slice(&self.runtime.block_on(self.engine.stats())).unwrap()
    }

    /// How often this was not taken for this cause.
    fn shed(&self, cause: &str, what: &str) -> u64 {
        let stats = self.stats();
        let rows = stats["shed"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| row["cause"] == cause && row["what"] == what);
        row.map_or(0, |row| row["count"].as_u64().unwrap())
    }

    /// The answer to one request on a connection of its own; none: it is closed without one.
    fn ask(&self) -> Option<String> {
        answer(&mut TcpStream::connect(self.address).unwrap())
    }
}

/// The head of the answer to one request.
fn answer(client: &mut TcpStream) -> Option<String> {
    client.write_all(GET).ok()?;
    let mut head = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        if let Some((lines, body)) = text.split_once("\r\n\r\n") {
            let length = lines.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return Some(text);
            }
        }
        match client.read(&mut bytes) {
            Ok(0) | Err(_) => return None,
            Ok(count) => head.extend_from_slice(&bytes[..count]),
        }
    }
}

fn is_taken(answer: Option<&str>) -> bool {
    answer.is_some_and(|answer| answer.starts_with("http/1.1 502 "))
}

fn is_refused(answer: Option<&str>, reason: &str) -> bool {
    answer.is_some_and(|answer| {
        answer.starts_with("http/1.1 503 ")
            && answer.contains(&format!("mesh-reason: {reason}\r\n"))
            && answer.contains("\r\nretry-after: 1\r\n")
    })
}

fn open_files() -> u64 {
    std::fs::metadata("/proc/self/fd").unwrap().len()
}

/// Opens files until so many are open.
fn hoard(files: &mut Vec<File>, most: u64) {
    while open_files() < most {
        files.push(File::open("/dev/null").unwrap());
    }
}

#[test]
fn a_node_without_file_handles_sheds_connections_first_and_requests_next() {
    let _alone = alone();
    let mesh = Mesh::start(&json!({}));
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(400),
            maximum: limit.maximum,
        },
    )
    .unwrap();
    until("the limit is seen", || {
        mesh.stats()["overload"]["handles_most"] == 400
    });
    // Of the 400 a quarter is its own, and each connection takes two.
    assert_eq!(mesh.stats()["overload"]["connections_most"], 150);
    let mut early = TcpStream::connect(mesh.address).unwrap();
    assert!(is_taken(answer(&mut early).as_deref()));
    let mut files = Vec::new();
    hoard(&mut files, 362);
    until("connections are shed", || mesh.ask().is_none());
    assert!(mesh.shed("handles", "connection") > 0);
    assert_eq!(mesh.shed("handles", "request"), 0);
    // Who is in is served.
    assert!(is_taken(answer(&mut early).as_deref()));
    hoard(&mut files, 386);
    until("requests are shed, too", || {
        is_refused(answer(&mut early).as_deref(), "overloaded")
    });
    assert!(mesh.shed("handles", "request") > 0);
    files.clear();
    // Looked at anew: what was measured is over.
    assert!(mesh.ask().is_some());
    until("requests are taken again", || {
        is_taken(answer(&mut early).as_deref())
    });
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn a_node_without_memory_sheds_connections_first_and_requests_next() {
    let _alone = alone();
    let begin = Mesh::start(&json!({})).stats()["overload"]["memory_bytes"]
        .as_u64()
        .unwrap();
    let most = begin + (256 << 20);
    let mesh = Mesh::start(&json!({ "overload_memory_bytes": most }));
    let mut early = TcpStream::connect(mesh.address).unwrap();
    assert!(is_taken(answer(&mut early).as_deref()));
    assert_eq!(mesh.stats()["overload"]["memory_most_bytes"], most);
    // Between 18 and 19 twentieths, and over both.
    let room = |twentieths: u64| (most * twentieths / 40 - begin) as usize;
    let some = vec![1_u8; room(37)];
    until("connections are shed", || mesh.ask().is_none());
    assert!(is_taken(answer(&mut early).as_deref()));
    let more = vec![1_u8; room(40) - room(37)];
    until("requests are shed, too", || {
        is_refused(answer(&mut early).as_deref(), "overloaded")
    });
    assert!(mesh.shed("memory", "connection") > 0 && mesh.shed("memory", "request") > 0);
    assert_eq!((some[some.len() - 1], more[more.len() - 1]), (1, 1));
    drop((some, more));
    until("requests are taken again", || {
        is_taken(answer(&mut early).as_deref())
    });
    assert!(is_taken(mesh.ask().as_deref()));
}

#[test]
fn a_thread_that_comes_to_nothing_sheds_by_its_lag() {
    let _alone = alone();
    let mesh = Mesh::start(&json!({ "overload_lag_ms": 2 }));
    let mut early = TcpStream::connect(mesh.address).unwrap();
    assert!(is_taken(answer(&mut early).as_deref()));
    let is_over = Arc::new(AtomicBool::new(false));
    let address = mesh.address;
    // Each has a hundred connections that always want something: more than a thread can do in 4 ms.
    let load: Vec<_> = (0..2)
        .map(|_| {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || {
                let connections = (0..100).map(|_| TcpStream::connect(address).unwrap());
                let mut connections: Vec<_> = connections.collect();
                for client in &connections {
                    client
                        .set_read_timeout(Some(Duration::from_millis(1)))
                        .unwrap();
                }
                let (many, mut bytes) = (BUSY.repeat(200), vec![0; 64 << 10]);
                while !is_over.load(Ordering::Relaxed) {
                    for client in &mut connections {
                        let _ = client.write(&many);
                    }
                    for client in &mut connections {
                        let _ = client.read(&mut bytes);
                    }
                }
            })
        })
        .collect();
    until("connections and requests are shed", || {
        // A new connection now and then, so that one may be refused.
        let _ = TcpStream::connect(mesh.address);
        let _ = answer(&mut early);
        mesh.shed("cpu", "connection") > 0 && mesh.shed("cpu", "request") > 0
    });
    is_over.store(true, Ordering::Relaxed);
    for thread in load {
        thread.join().unwrap();
    }
    until("all is taken again", || is_taken(mesh.ask().as_deref()));
}
