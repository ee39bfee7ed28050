//! Calls between two nodes that share a connection: many at once, large ones, those that are given up.

use std::rc::Rc;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use meshnode_engine::mux::WINDOW;
use meshnode_engine::stats::Outside;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::ca::Authority;
use crate::mesh::{CALL, ONE, by_port, handshakes, inbound, outbound};
use crate::support::{Does, Origin, Proxy, body, run};
use crate::wait::until_async;

/// An answer that fills many windows.
static LARGE: LazyLock<&'static [u8]> = LazyLock::new(|| {
    let size = 5 * WINDOW as usize;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
    Vec::leak([head.into_bytes(), vec![b'x'; size]].concat())
});

#[test]
fn what_runs_at_one_moment_shares_connections() {
    run(async {
        let authority = Authority::new();
        let mut origin = Origin::start(Does::AnswerAtGate(ONE)).await;
        let there = inbound(&authority, &[origin.address, origin.address], json!([])).await;
        let here = Rc::new(outbound(Some(&authority), there.address, by_port()).await);
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let here = Rc::clone(&here);
            calls.spawn_local(async move { here.send(CALL).await });
        }
        for _ in 0..50 {
            origin.request().await;
        }
        origin.gate.notify_waiters();
        while let Some(answer) = calls.join_next().await {
            assert_eq!(body(&answer.unwrap()), "one");
        }
        assert_eq!(handshakes(&here), "handshakes: 2", "of 32 channels each");
        assert_eq!(origin.connections.load(Ordering::Relaxed), 50);
    });
}

#[test]
fn a_large_answer_comes_whole_and_the_next_one_by_a_connection_of_its_own() {
    run(async {
        let authority = Authority::new();
        let origin = Origin::start(Does::Answer(&LARGE)).await;
        let there = inbound(&authority, &[origin.address, origin.address], json!([])).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        for connections in [1, 2, 2] {
            let answer = here.send(CALL).await;
            assert_eq!(body(&answer).len(), 5 * WINDOW as usize);
            assert_eq!(handshakes(&here), format!("handshakes: {connections}"));
        }
    });
}

#[test]
fn a_large_request_goes_through_a_channel_whole() {
    run(async {
        let authority = Authority::new();
        let mut origin = Origin::start(Does::Answer(ONE)).await;
        let there = inbound(&authority, &[origin.address, origin.address], json!([])).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        let size = 3 * WINDOW as usize;
        let request =
            format!("POST /x HTTP/1.1\r\nHost: cart.mesh\r\nContent-Length: {size}\r\n\r\n");
        let mut client = here.connect().await;
        client.write(&request).await;
        client.write(&"y".repeat(size)).await;
        assert_eq!(body(&client.answer().await), "one");
        assert_eq!(body(&origin.request().await).len(), size);
    });
}

/// Requests under way at this node's instances.
fn running(proxy: &Proxy) -> u64 {
    let stats = proxy.worker.take_stats().to_json(&Outside::default());
    let report: Value = serde_json::from_slice(&stats).unwrap();
    let upstreams = report["upstreams"].as_array().unwrap();
    upstreams
        .iter()
        .map(|row| row["running"].as_u64().unwrap())
        .sum()
}

#[test]
fn a_call_that_is_given_up_ends_at_the_far_end_and_disturbs_no_other() {
    run(async {
        let authority = Authority::new();
        let mut origin = Origin::start(Does::AnswerAtGate(ONE)).await;
        let there = inbound(&authority, &[origin.address, origin.address], json!([])).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        let (mut lost, mut kept) = (here.connect().await, here.connect().await);
        // More than its answer could be: a client that goes away in the middle of its request.
        lost.write("POST /lost HTTP/1.1\r\nHost: cart.mesh\r\nContent-Length: 10\r\n\r\nabc")
            .await;
        kept.write(CALL).await;
        assert!(origin.request().await.starts_with("GET /x "));
        until_async("the lost one's start", async || running(&there) == 2).await;
        lost.tcp.shutdown().await.unwrap();
        drop(lost);
        origin.gate.notify_waiters();
        assert_eq!(body(&kept.answer().await), "one");
        until_async("the lost one's end", async || running(&there) == 0).await;
        assert_eq!(handshakes(&here), "handshakes: 1");
    });
}

#[test]
fn a_node_that_drains_serves_what_is_under_way_and_is_left() {
    run(async {
        let authority = Authority::new();
        let mut origin = Origin::start(Does::AnswerAtGate(ONE)).await;
        let there = inbound(&authority, &[origin.address, origin.address], json!([])).await;
        let here = outbound(Some(&authority), there.address, by_port()).await;
        let mut client = here.connect().await;
        client.write(CALL).await;
        origin.request().await;
        there.worker.drain();
        until_async("the farewell", async || {
            here.worker
                .pool
                .borrow_mut()
                .sweep(Duration::from_secs(60), 1);
            here.worker.pool.borrow().links() == 0
        })
        .await;
        origin.gate.notify_waiters();
        assert_eq!(body(&client.answer().await), "one");
    });
}
