//! Listeners on real sockets: when they open, what they do about a taken port, how they close without losing anybody.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

use meshnode_engine::engine::Engine;
use meshnode_engine::listener::{ListenerState, Phase};
use serde_json::{Value, json};
use support::ca::Authority;
use support::snapshot::{edge, free_address, outbound, with, with_listeners};
use support::wait::{until, until_async};

const ANY: &str = "127.0.0.1:0";

async fn put(engine: &Engine, listeners: &Value) {
    engine.apply(&with_listeners(listeners)).unwrap();
    engine.reconcile().await;
}

fn state(engine: &Engine, name: &str) -> ListenerState {
    engine.listener_states().get(name).unwrap().clone()
}

/// One request over a connection that stays open, and the first line of its answer.
fn ask(stream: &mut TcpStream) -> Option<String> {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n")
        .ok()?;
    let mut bytes = [0; 4096];
    let count = stream.read(&mut bytes).ok().filter(|&count| count > 0)?;
    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
    text.lines().next().map(str::to_owned)
}

fn is_served(address: SocketAddr) -> bool {
    let answer = TcpStream::connect(address)
        .ok()
        .and_then(|mut stream| ask(&mut stream));
    answer.is_some_and(|line| line == "HTTP/1.1 404 Not Found")
}

#[tokio::test]
async fn the_edge_opens_on_all_threads_and_answers() {
    let engine = Engine::start(2).unwrap();
    assert!(engine.reconcile().await.is_empty());
    put(&engine, &json!({ "edge": edge(ANY) })).await;
    let edge = state(&engine, "edge");
    assert_eq!((edge.state, edge.error), (Phase::Open, None));
    assert_ne!(edge.address.port(), 0);
    for _ in 0..16 {
        assert!(is_served(edge.address));
    }
}

#[tokio::test]
async fn a_listener_waits_for_its_identity_and_opens_by_itself() {
    let engine = Engine::start(1).unwrap();
    let listeners = json!({
        "mesh": { "kind": "inbound", "address": ANY, "identity": null },
        "web": outbound(ANY, "web"),
        "edge": { "kind": "edge", "address": ANY, "identity": "edge" },
    });
    put(&engine, &listeners).await;
    let why = |name: &str| {
        (
            state(&engine, name).state,
            state(&engine, name).error.unwrap(),
        )
    };
    assert_eq!(
        why("mesh"),
        (Phase::Waiting, "waits for the first identity".to_owned())
    );
    assert_eq!(
        why("web"),
        (Phase::Waiting, "waits for the identity \"web\"".to_owned())
    );
    assert_eq!(
        why("edge"),
        (Phase::Waiting, "waits for the identity \"edge\"".to_owned())
    );
    let authority = Authority::new();
    engine.put_identity(&authority.document("web")).unwrap();
    until("web and mesh", || {
        ["web", "mesh"]
            .iter()
            .all(|name| state(&engine, name).state == Phase::Open)
    });
    assert_eq!(state(&engine, "edge").state, Phase::Waiting);
    engine.put_identity(&authority.document("edge")).unwrap();
    until("edge", || state(&engine, "edge").state == Phase::Open);
    assert!(is_served(state(&engine, "web").address));
}

#[tokio::test]
async fn a_taken_port_is_told_and_tried_again() {
    for kind in ["edge", "web"] {
        let taken = TcpListener::bind(ANY).unwrap();
        let address = taken.local_addr().unwrap();
        let engine = Engine::start(2).unwrap();
        engine
            .put_identity(&Authority::new().document("web"))
            .unwrap();
        let text = address.to_string();
        let listener = if kind == "edge" {
            edge(&text)
        } else {
            outbound(&text, "web")
        };
        put(&engine, &json!({ kind: listener, "other": edge(ANY) })).await;
        let failed = state(&engine, kind);
        assert_eq!(failed.state, Phase::Failed);
        let wanted = format!("can't listen on {address}: another process listens there");
        assert_eq!(failed.error, Some(wanted));
        assert!(
            is_served(state(&engine, "other").address),
            "one failed listener hurts no other"
        );
        drop(taken);
        until("the port", || state(&engine, kind).state == Phase::Open);
        assert!(is_served(address));
    }
}

#[tokio::test]
async fn a_second_proxy_of_the_same_user_gets_no_part_of_the_port() {
    let first = Engine::start(1).unwrap();
    put(&first, &json!({ "edge": edge(ANY) })).await;
    let address = state(&first, "edge").address.to_string();
    let second = Engine::start(1).unwrap();
    put(&second, &json!({ "edge": edge(&address) })).await;
    assert_eq!(state(&second, "edge").state, Phase::Failed);
}

#[tokio::test]
async fn a_listener_moves_and_its_old_address_closes() {
    let engine = Engine::start(2).unwrap();
    let (old, new) = (free_address(), free_address());
    put(&engine, &json!({ "edge": edge(&old.to_string()) })).await;
    assert!(is_served(old));
    put(&engine, &json!({ "edge": edge(&new.to_string()) })).await;
    assert!(is_served(new));
    assert!(TcpStream::connect(old).is_err());
    // Another name for the same address: it is closed first, then opened.
    put(&engine, &json!({ "front": edge(&new.to_string()) })).await;
    assert_eq!(state(&engine, "front").state, Phase::Open);
    assert!(is_served(new));
    put(&engine, &json!({})).await;
    assert!(engine.listener_states().is_empty());
    assert!(TcpStream::connect(new).is_err());
}

#[tokio::test]
async fn other_settings_do_not_close_a_socket() {
    let engine = Engine::start(1).unwrap();
    let authority = Authority::new();
    for service in ["web", "cart"] {
        engine.put_identity(&authority.document(service)).unwrap();
    }
    put(&engine, &json!({ "out": outbound(ANY, "web") })).await;
    let address = state(&engine, "out").address;
    let mut kept = TcpStream::connect(address).unwrap();
    assert!(ask(&mut kept).is_some());
    // With port 0 a new socket would have another port.
    put(&engine, &json!({ "out": outbound(ANY, "cart") })).await;
    assert_eq!(state(&engine, "out").address, address);
    assert!(ask(&mut kept).is_some());
    assert!(is_served(address));
}

#[tokio::test]
async fn connections_over_the_limit_are_turned_away_and_counted() {
    let engine = Engine::start(2).unwrap();
    let listeners = json!({ "edge": edge(ANY) });
    let limits = json!({ "connections": 3, "connections_per_client": 100 });
    let document = with(&json!({ "listeners": listeners, "limits": limits }));
    engine.apply(&document).unwrap();
    engine.reconcile().await;
    let address = state(&engine, "edge").address;
    let mut kept: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert!(kept.iter_mut().all(|stream| ask(stream).is_some()));
    assert!(!is_served(address));
    drop(kept.pop());
    until("room", || is_served(address));
    let stats: Value = serde_json::from_slice(&engine.stats().await).unwrap();
    let row = &stats["connections"][0];
    assert_eq!(row["listener"], "edge");
    assert!(row["refused"].as_u64().unwrap() >= 1 && row["accepted"].as_u64().unwrap() >= 4);
}

#[tokio::test]
async fn one_client_leaves_as_many_connections_to_others() {
    let engine = Engine::start(2).unwrap();
    engine
        .put_identity(&Authority::new().document("web"))
        .unwrap();
    let listeners = json!({ "edge": edge(ANY), "out": outbound(ANY, "web") });
    let document = with(&json!({ "listeners": listeners, "limits": { "connections": 8 } }));
    engine.apply(&document).unwrap();
    engine.reconcile().await;
    let address = state(&engine, "edge").address;
    let mut kept: Vec<_> = (0..4)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert!(kept.iter_mut().all(|stream| ask(stream).is_some()));
    assert!(!is_served(address), "it has its half");
    // Services of this machine have all one address.
    assert!(is_served(state(&engine, "out").address));
    let stats: Value = serde_json::from_slice(&engine.stats().await).unwrap();
    assert_eq!(
        stats["shed"],
        json!([{"cause": "client", "what": "connection", "count": 1}])
    );
    // A trusted proxy stands for many clients.
    let mut document: Value = serde_json::from_slice(&document).unwrap();
    document["generation"] = 2.into();
    document["digest"] = "sha256:2".into();
    document["resources"]["settings"]["node"]["trusted_proxies"] = json!(["127.0.0.1"]);
    engine.apply(document.to_string().as_bytes()).unwrap();
    assert!(is_served(address));
}

#[tokio::test]
async fn counts_of_connections_are_told() {
    let engine = Engine::start(2).unwrap();
    engine
        .put_identity(&Authority::new().document("web"))
        .unwrap();
    put(
        &engine,
        &json!({ "edge": edge(ANY), "out": outbound(ANY, "web") }),
    )
    .await;
    let mut kept = Vec::new();
    for (name, count) in [("edge", 3), ("out", 2)] {
        for _ in 0..count {
            let mut stream = TcpStream::connect(state(&engine, name).address).unwrap();
            assert!(ask(&mut stream).is_some());
            kept.push(stream);
        }
    }
    let rows = async || -> Value {
        let stats: Value = serde_json::from_slice(&engine.stats().await).unwrap();
        stats["connections"].clone()
    };
    assert_eq!(
        rows().await,
        json!([
            { "listener": "edge", "accepted": 3, "active": 3, "refused": 0 },
            { "listener": "out", "accepted": 2, "active": 2, "refused": 0 },
        ])
    );
    kept.clear();
    until_async("the end of all", async || {
        rows()
            .await
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["active"] == 0)
    })
    .await;
    assert_eq!(engine.connections(), 0);
}

#[tokio::test]
async fn mesh_connections_go_to_the_thread_with_the_fewest() {
    let engine = Engine::start(4).unwrap();
    engine
        .put_identity(&Authority::new().document("web"))
        .unwrap();
    put(&engine, &json!({ "out": outbound(ANY, "web") })).await;
    let address = state(&engine, "out").address;
    let mut kept: Vec<_> = (0..8)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert!(kept.iter_mut().all(|stream| ask(stream).is_some()));
    assert_eq!(engine.thread_loads(), [2, 2, 2, 2]);
}

#[tokio::test]
async fn draining_closes_listeners_after_their_queues_are_empty() {
    let engine = Engine::start(2).unwrap();
    engine
        .put_identity(&Authority::new().document("web"))
        .unwrap();
    put(
        &engine,
        &json!({ "edge": edge(ANY), "out": outbound(ANY, "web") }),
    )
    .await;
    let addresses = [
        state(&engine, "edge").address,
        state(&engine, "out").address,
    ];
    // Requests that are in the kernel's queue when the drain begins are answered.
    let mut queued: Vec<_> = (0..32)
        .map(|number| TcpStream::connect(addresses[number % 2]).unwrap())
        .collect();
    for stream in &mut queued {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .unwrap();
    }
    engine.drain(Duration::from_secs(20));
    engine.drained().await;
    for (number, stream) in queued.iter_mut().enumerate() {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 404"),
            "connection {number} got {text:?}"
        );
    }
    assert!(
        addresses
            .iter()
            .all(|address| TcpStream::connect(address).is_err())
    );
    assert!(engine.shared.is_draining() && engine.connections() == 0);
    assert!(
        engine.reconcile().await.is_empty(),
        "nothing opens while draining"
    );
}

#[tokio::test]
async fn a_request_on_its_way_when_the_drain_begins_is_answered() {
    let engine = Engine::start(1).unwrap();
    put(&engine, &json!({ "edge": edge(ANY) })).await;
    let mut early = TcpStream::connect(state(&engine, "edge").address).unwrap();
    let _silent = TcpStream::connect(state(&engine, "edge").address).unwrap();
    until("the connections", || engine.connections() == 2);
    engine.drain(Duration::from_secs(20));
    until("closed listeners", || engine.listener_states().is_empty());
    assert_eq!(ask(&mut early).unwrap(), "HTTP/1.1 404 Not Found");
    // Who never asks does not hold the drain up for its whole grace.
    tokio::time::timeout(Duration::from_secs(10), engine.drained())
        .await
        .unwrap();
}

#[tokio::test]
async fn idle_connections_end_with_a_drain() {
    let engine = Engine::start(1).unwrap();
    put(&engine, &json!({ "edge": edge(ANY) })).await;
    let mut idle = TcpStream::connect(state(&engine, "edge").address).unwrap();
    assert!(ask(&mut idle).is_some());
    engine.drain(Duration::from_secs(3600));
    engine.drained().await;
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
}

#[tokio::test]
async fn a_drain_ends_with_its_grace() {
    let engine = Engine::start(1).unwrap();
    put(&engine, &json!({ "edge": edge(ANY) })).await;
    let mut slow = TcpStream::connect(state(&engine, "edge").address).unwrap();
    // Half a head: a request that is being sent.
    slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    until("the connection", || engine.connections() == 1);
    engine.drain(Duration::from_secs(3600));
    let drained = engine.drained();
    tokio::pin!(drained);
    tokio::select! {
        () = &mut drained => panic!("it did not wait for what runs"),
        () = until_async("closed listeners", async || engine.listener_states().is_empty()) => {}
    }
    // The grace may be made shorter while it runs.
    engine.drain(Duration::ZERO);
    drained.await;
    assert_eq!(engine.shared.faults.panics.load(Ordering::Relaxed), 0);
}
