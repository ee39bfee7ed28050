//! A proxy and its origins on real sockets, driven byte by byte.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meshnode_engine::serve::serve;
use meshnode_engine::shared::Shared;
use meshnode_engine::snapshot::Snapshot;
use meshnode_engine::worker::Worker;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;
use tokio::time::timeout;

/// Nothing in these tests takes longer; a wait this long is a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a test with what it spawns on one thread, as the proxy's threads do.
pub fn run(test: impl Future<Output = ()>) {
    run_for(PATIENCE, test);
}

/// The same, for a test that may take longer.
pub fn run_for(patience: Duration, test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        timeout(patience, test)
            .await
            .expect("the test did not end in time");
    });
}

/// What an origin does with its connections.
#[derive(Clone, Copy)]
pub enum Does {
    /// Answers each request with these bytes and goes on.
    Answer(&'static [u8]),
    /// Answers the first request of each connection and closes.
    AnswerAndClose(&'static [u8]),
    /// Reads the request and closes.
    Close,
    /// Reads the request and says nothing.
    Stall,
    /// Answers each request when the origin's gate lets it.
    AnswerAtGate(&'static [u8]),
    /// Answers at once, before it has read anything but the head.
    AnswerEarly(&'static [u8]),
    /// Answers its first request with the first of these, and so on; all that follow with the last.
    AnswerInTurn(&'static [&'static [u8]]),
}

/// A small origin that keeps what it was sent.
pub struct Origin {
    pub address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Vec<u8>>,
    pub connections: Arc<AtomicUsize>,
    pub gate: Arc<Notify>,
}

impl Origin {
    pub async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Notify::new());
        let (counted, gated) = (Arc::clone(&connections), Arc::clone(&gate));
        let answered = Arc::new(AtomicUsize::new(0));
        tokio::task::spawn_local(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::task::spawn_local(answer(
                    tcp,
                    does,
                    sender.clone(),
                    Arc::clone(&gated),
                    Arc::clone(&answered),
                ));
            }
        });
        Self {
            address,
            requests,
            connections,
            gate,
        }
    }

    /// The next request as it came, body and all.
    pub async fn request(&mut self) -> String {
        String::from_utf8(self.requests.recv().await.unwrap()).unwrap()
    }
}

async fn answer(
    mut tcp: TcpStream,
    does: Does,
    requests: mpsc::UnboundedSender<Vec<u8>>,
    gate: Arc<Notify>,
    answered: Arc<AtomicUsize>,
) {
    let mut input = Vec::new();
    loop {
        let is_early = matches!(does, Does::AnswerEarly(_));
        let Some(request) = read_message(&mut tcp, &mut input, is_early, "").await else {
            return;
        };
        let _ = requests.send(request);
        match does {
            Does::Answer(bytes) => tcp.write_all(bytes).await.unwrap(),
            Does::AnswerAndClose(bytes) | Does::AnswerEarly(bytes) => {
                tcp.write_all(bytes).await.unwrap();
                return;
            }
            Does::AnswerAtGate(bytes) => {
                gate.notified().await;
                tcp.write_all(bytes).await.unwrap();
            }
            Does::AnswerInTurn(answers) => {
                let turn = answered.fetch_add(1, Ordering::Relaxed);
                let bytes = answers[turn.min(answers.len() - 1)];
                tcp.write_all(bytes).await.unwrap();
            }
            Does::Close => return,
            Does::Stall => std::future::pending().await,
        }
    }
}

/// Reads one message off a connection: its head and, unless only that is wanted, its body.
pub async fn read_message(
    tcp: &mut TcpStream,
    input: &mut Vec<u8>,
    is_head_enough: bool,
    method: &str,
) -> Option<Vec<u8>> {
    loop {
        if let Some(end) = end_of_message(input, is_head_enough, method) {
            return Some(input.drain(..end).collect());
        }
        if tcp.read_buf(input).await.ok()? == 0 {
            // A body that ends with the connection.
            return (!input.is_empty()).then(|| std::mem::take(input));
        }
    }
}

fn end_of_message(input: &[u8], is_head_enough: bool, method: &str) -> Option<usize> {
    let head = input.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&input[..head]).to_ascii_lowercase();
    let status = text.strip_prefix("http/1.1 ").map_or("", |rest| &rest[..3]);
    if is_head_enough
        || method == "HEAD"
        || matches!(status, "100" | "101" | "102" | "103" | "204" | "304")
    {
        return Some(head);
    }
    if text.contains("transfer-encoding: chunked") {
        let rest = &input[head..];
        let last = rest
            .windows(5)
            .position(|five| five == b"0\r\n\r\n")
            .map(|at| at + 5);
        let trailers = rest
            .windows(3)
            .position(|three| three == b"0\r\n")
            .and_then(|at| Some(at + 4 + rest[at..].windows(4).position(|w| w == b"\r\n\r\n")?));
        return last.or(trailers).map(|end| head + end);
    }
    let length = text.split("content-length: ").nth(1).map(|rest| {
        rest.split("\r\n")
            .next()
            .unwrap_or_default()
            .parse::<usize>()
            .unwrap()
    });
    match length {
        Some(length) => (input.len() >= head + length).then_some(head + length),
        // A response without either ends with the connection; a request has no body.
        None => (!text.starts_with("http/")).then_some(head),
    }
}

/// A proxy with one listener.
pub struct Proxy {
    pub address: SocketAddr,
    pub worker: Rc<Worker>,
}

impl Proxy {
    /// An edge whose only route takes `shop.test/` to the cluster `shop`.
    pub async fn edge(origins: &[SocketAddr]) -> Self {
        Self::with(origins, |_| {}).await
    }

    /// The same, with the snapshot's `resources` changed first.
    pub async fn with(origins: &[SocketAddr], change: impl FnOnce(&mut Value)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut resources = resources(address, origins);
        change(&mut resources);
        let document = json!({
            "schema": 1, "kind": "full", "generation": 1, "digest": "sha256:1", "resources": resources,
        });
        let snapshot = Snapshot::empty()
            .apply(document.to_string().as_bytes())
            .unwrap();
        let config = Arc::clone(snapshot.listeners.values().next().unwrap());
        let shared = Arc::new(Shared::new());
        shared.put_snapshot(Arc::new(snapshot));
        let worker = Worker::new(0, shared);
        let serving = Rc::clone(&worker);
        tokio::task::spawn_local(async move {
            while let Ok((tcp, peer)) = listener.accept().await {
                let worker = Rc::clone(&serving);
                tokio::task::spawn_local(serve(worker, tcp, Arc::clone(&config), peer));
            }
        });
        Self { address, worker }
    }

    /// Puts another full document in force, as the control API does.
    pub fn put(&self, document: &Value) {
        let snapshot = self
            .worker
            .snapshot()
            .apply(document.to_string().as_bytes())
            .unwrap();
        self.worker.shared.put_snapshot(Arc::new(snapshot));
    }

    pub async fn connect(&self) -> Client {
        Client {
            tcp: TcpStream::connect(self.address).await.unwrap(),
            input: Vec::new(),
        }
    }

    /// One request on a connection of its own.
    pub async fn send(&self, request: &str) -> String {
        let mut client = self.connect().await;
        client.write(request).await;
        client.answer_to(request.split(' ').next().unwrap()).await
    }
}

fn resources(address: SocketAddr, origins: &[SocketAddr]) -> Value {
    let endpoints: Vec<Value> = origins
        .iter()
        .enumerate()
        .map(|(number, origin)| {
            json!({"id": format!("shop-{number}"), "node": "old-box", "address": origin.to_string(),
                   "weight": 1, "via": "clear"})
        })
        .collect();
    json!({
        "settings": {"node": {"node": "node-1", "datacenter": "dc1", "trust_domain": "test.consul",
            "intention_default": "allow", "trace_ratio": 0.0, "trusted_proxies": [],
            "limits": {"head_timeout_ms": 300, "idle_timeout_ms": 400, "body_idle_timeout_ms": 300,
                       "connect_timeout_ms": 500}}},
        "listeners": {"edge": {"kind": "edge", "address": address.to_string(), "identity": null}},
        "routes": {"shop": {"key": "mesh/routes/shop", "index": 7, "hosts": ["shop.test"],
            "path": {"prefix": "/"}, "action": {"split": [{"cluster": "shop", "weight": 1}]}}},
        "clusters": {"shop": {"service": "shop", "exists": true, "instances": origins.len(),
            "endpoints": endpoints}},
        "services": {}, "intentions": {},
    })
}

/// A client that speaks bytes.
pub struct Client {
    pub tcp: TcpStream,
    input: Vec<u8>,
}

impl Client {
    pub async fn write(&mut self, bytes: &str) {
        self.tcp.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// The next answer to a GET.
    pub async fn answer(&mut self) -> String {
        self.answer_to("GET").await
    }

    /// The next answer to a request of this method.
    pub async fn answer_to(&mut self, method: &str) -> String {
        let bytes = read_message(&mut self.tcp, &mut self.input, false, method).await;
        String::from_utf8(bytes.expect("the proxy closed without an answer")).unwrap()
    }

    /// Reads exactly these bytes.
    pub async fn expect(&mut self, bytes: &[u8]) {
        crate::manual::expect(&mut self.tcp, &mut self.input, bytes).await;
    }

    /// Reads until this text has come.
    pub async fn find(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.input).contains(text) {
            let count = self.tcp.read_buf(&mut self.input).await.unwrap();
            assert!(count > 0, "it ended before {text:?}");
        }
    }

    /// Whether what comes until the end is a whole message.
    pub async fn ends_whole(&mut self) -> bool {
        while matches!(self.tcp.read_buf(&mut self.input).await, Ok(1..)) {}
        end_of_message(&self.input, false, "GET").is_some()
    }

    /// Whether it ends with a TLS alert, as far as bytes say so.
    pub async fn find_alert(&mut self) -> bool {
        let mut rest = Vec::new();
        let _ = self.tcp.read_to_end(&mut rest).await;
        rest.starts_with(&[21, 3])
    }

    /// Whether the proxy closes, with nothing more to say.
    pub async fn is_closed(&mut self) -> bool {
        self.input.is_empty() && matches!(self.tcp.read_buf(&mut self.input).await, Ok(0) | Err(_))
    }
}

/// The body of an answer.
pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

/// The value of a header, without regard to its name's case.
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let head = message.split("\r\n\r\n").next().unwrap();
    head.split("\r\n").skip(1).find_map(|line| {
        let (found, value) = line.split_once(':').unwrap();
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
