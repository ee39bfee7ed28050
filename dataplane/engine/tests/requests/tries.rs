//! What a route says about trying again and about time: kept to, and never to the letter alone where it would harm.

use std::sync::atomic::Ordering;

use meshnode_engine::stats::Outside;
use serde_json::{Value, json};

use crate::support::{Does, Origin, Proxy, body, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
const HINT: &[u8] =
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "PUT / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n\
    2\r\nhe\r\n3\r\nllo\r\n0\r\nx-sum: 1\r\n\r\n";

/// A proxy whose only route tries again as `retries` says, at once.
async fn proxy(origins: &[&Origin], mut retries: Value) -> Proxy {
    let addresses: Vec<_> = origins.iter().map(|origin| origin.address).collect();
    retries["backoff_ms"] = json!({"base": 0, "max": 0});
    Proxy::with(&addresses, |resources| {
        resources["routes"]["shop"]["retries"] = retries;
    })
    .await
}

/// What is counted of an endpoint.
fn upstream(proxy: &Proxy, endpoint: &str) -> Value {
    let stats = proxy.worker.take_stats().to_json(&Outside::default());
    let stats: Value = serde_json::from_slice(&stats).unwrap();
    let rows = stats["upstreams"].as_array().unwrap();
    let row = rows.iter().find(|row| row["endpoint"] == endpoint);
    row.cloned().unwrap_or_default()
}

#[test]
fn a_status_that_is_not_good_enough_is_tried_elsewhere() {
    run(async {
        let (busy, origin) = (
            Origin::start(Does::Answer(BUSY)).await,
            Origin::start(Does::Answer(OK)).await,
        );
        let proxy = proxy(&[&busy, &origin], json!({"attempts": 1, "on": ["503"]})).await;
        for _ in 0..4 {
            assert_eq!(body(&proxy.send(GET).await), "ok");
        }
        let asked = busy.connections.load(Ordering::Relaxed);
        assert_eq!(upstream(&proxy, "shop-0")["retries"], asked);
    });
}

#[test]
fn when_no_try_is_left_the_last_answer_is_the_answer() {
    run(async {
        let mut busy = Origin::start(Does::Answer(BUSY)).await;
        let proxy = proxy(&[&busy], json!({"attempts": 3, "on": ["5xx"]})).await;
        let answer = proxy.send(GET).await;
        assert_eq!(
            (header(&answer, "mesh-reason"), body(&answer)),
            (None, "busy")
        );
        for _ in 0..4 {
            busy.request().await;
        }
        assert_eq!(upstream(&proxy, "shop-0")["retries"], 3);
    });
}

#[test]
fn more_tries_than_endpoints_go_round_once_more() {
    run(async {
        let origin = Origin::start(Does::AnswerInTurn(&[BUSY, BUSY, OK])).await;
        let proxy = proxy(&[&origin], json!({"attempts": 2, "on": ["503"]})).await;
        assert_eq!(body(&proxy.send(GET).await), "ok");
    });
}

#[test]
fn what_may_do_a_thing_twice_is_repeated_only_where_the_route_says_so() {
    run(async {
        let origin = Origin::start(Does::AnswerInTurn(&[BUSY, OK])).await;
        let once = proxy(&[&origin], json!({"attempts": 1, "on": ["503"]})).await;
        assert_eq!(body(&once.send(POST).await), "busy");
        let mut origin = Origin::start(Does::AnswerInTurn(&[BUSY, OK])).await;
        let retries = json!({"attempts": 1, "on": ["503"], "non_idempotent": true});
        let twice = proxy(&[&origin], retries).await;
        assert_eq!(body(&twice.send(POST).await), "ok");
        for _ in 0..2 {
            assert_eq!(body(&origin.request().await), "hello");
        }
    });
}

#[test]
fn a_kept_body_is_sent_again_as_it_was() {
    run(async {
        let (mut dying, mut origin) = (
            Origin::start(Does::Close).await,
            Origin::start(Does::Answer(OK)).await,
        );
        let proxy = proxy(&[&dying, &origin], json!({"attempts": 1})).await;
        let answers = [proxy.send(CHUNKED).await, proxy.send(CHUNKED).await];
        assert!(
            answers.iter().all(|answer| body(answer) == "ok"),
            "{answers:?}"
        );
        let whole = "2\r\nhe\r\n3\r\nllo\r\n0\r\nx-sum: 1\r\n\r\n";
        assert_eq!(body(&dying.request().await), whole);
        for _ in 0..2 {
            assert_eq!(body(&origin.request().await), whole);
        }
    });
}

#[test]
fn a_body_too_long_to_be_kept_is_not_sent_twice() {
    run(async {
        let dying = Origin::start(Does::Close).await;
        let proxy = proxy(&[&dying], json!({"attempts": 3, "on": ["reset", "5xx"]})).await;
        for (bytes, tries) in [(60 << 10, 4), (65 << 10, 1)] {
            let before = dying.connections.load(Ordering::Relaxed);
            let put = format!(
                "PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {bytes}\r\n\r\n{}",
                "x".repeat(bytes)
            );
            let answer = proxy.send(&put).await;
            assert_eq!(header(&answer, "mesh-reason"), Some("upstream_closed"));
            assert_eq!(dying.connections.load(Ordering::Relaxed) - before, tries);
        }
    });
}

#[test]
fn a_try_that_takes_too_long_is_given_up_for_another() {
    run(async {
        let (slow, origin) = (
            Origin::start(Does::Stall).await,
            Origin::start(Does::Answer(OK)).await,
        );
        let retries = json!({"attempts": 3, "on": ["timeout"], "per_try_timeout_ms": 200});
        let proxy = proxy(&[&slow, &origin], retries).await;
        for _ in 0..4 {
            assert_eq!(body(&proxy.send(GET).await), "ok");
        }
    });
}

#[test]
fn what_is_not_named_is_not_repeated() {
    run(async {
        let slow = Origin::start(Does::Stall).await;
        let retries = json!({"attempts": 5, "on": ["connect", "5xx"], "per_try_timeout_ms": 50});
        let answer = proxy(&[&slow], retries).await.send(GET).await;
        assert_eq!(header(&answer, "mesh-reason"), Some("upstream_timeout"));
        assert_eq!(slow.connections.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_budget_that_is_used_up_ends_it() {
    run(async {
        let busy = Origin::start(Does::Answer(BUSY)).await;
        let budget = json!({"percent": 0, "per_second": 0});
        let retries = json!({"attempts": 5, "on": ["503"], "budget": budget});
        let proxy = proxy(&[&busy], retries).await;
        assert_eq!(body(&proxy.send(GET).await), "busy");
        assert_eq!(upstream(&proxy, "shop-0")["retries"], 0);
    });
}

#[test]
fn nothing_is_tried_again_once_something_was_told() {
    run(async {
        let origin = Origin::start(Does::AnswerInTurn(&[HINT, OK])).await;
        let proxy = proxy(&[&origin], json!({"attempts": 1, "on": ["503"]})).await;
        let mut client = proxy.connect().await;
        client.write(GET).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 103 "));
        assert_eq!(body(&client.answer().await), "busy");
    });
}

#[test]
fn a_head_that_does_not_come_in_the_routes_time_is_a_504() {
    run(async {
        let slow = Origin::start(Does::Stall).await;
        for field in ["head_timeout_ms", "idle_timeout_ms", "timeout_ms"] {
            let proxy = Proxy::with(&[slow.address], |resources| {
                resources["settings"]["node"]["limits"]["idle_timeout_ms"] = 60_000.into();
                resources["routes"]["shop"][field] = 50.into();
            })
            .await;
            let answer = proxy.send(GET).await;
            assert_eq!(
                header(&answer, "mesh-reason"),
                Some("upstream_timeout"),
                "{field}"
            );
        }
    });
}

#[test]
fn the_whole_time_holds_for_all_tries_together() {
    run(async {
        let slow = Origin::start(Does::Stall).await;
        let retries = json!({"attempts": 10, "on": ["timeout"], "per_try_timeout_ms": 40,
            "backoff_ms": {"base": 0, "max": 0}});
        let proxy = Proxy::with(&[slow.address], |resources| {
            resources["routes"]["shop"]["retries"] = retries;
            resources["routes"]["shop"]["timeout_ms"] = 100.into();
        })
        .await;
        let answer = proxy.send(GET).await;
        assert_eq!(header(&answer, "mesh-reason"), Some("upstream_timeout"));
        assert!((1..=3).contains(&slow.connections.load(Ordering::Relaxed)));
    });
}

#[test]
fn a_draining_endpoint_gets_nothing_new_and_what_it_has_is_told() {
    run(async {
        let (mut draining, origin) = (
            Origin::start(Does::AnswerAtGate(OK)).await,
            Origin::start(Does::Answer(OK)).await,
        );
        let addresses = [draining.address, origin.address];
        let proxy = Proxy::edge(&addresses[..1]).await;
        let mut client = proxy.connect().await;
        client.write(GET).await;
        draining.request().await;

        let mut document: Value =
            serde_json::from_slice(&proxy.worker.snapshot().to_json()).unwrap();
        let endpoint = |id, address: &std::net::SocketAddr, draining| {
            json!({"id": id, "node": "old-box", "address": address.to_string(), "weight": 1,
                   "via": "clear", "draining": draining})
        };
        let endpoints = &mut document["resources"]["clusters"]["shop"]["endpoints"];
        *endpoints = json!([
            endpoint("shop-0", &addresses[0], true),
            endpoint("shop-1", &addresses[1], false),
        ]);
        proxy.put(&document);
        for _ in 0..4 {
            assert_eq!(body(&proxy.send(GET).await), "ok");
        }
        assert_eq!(draining.connections.load(Ordering::Relaxed), 1);
        assert_eq!(upstream(&proxy, "shop-0")["running"], 1);

        draining.gate.notify_one();
        assert_eq!(body(&client.answer().await), "ok");
        while upstream(&proxy, "shop-0")["running"] != 0 {
            tokio::task::yield_now().await;
        }
        document["resources"]["clusters"]["shop"]["endpoints"][1]["draining"] = true.into();
        proxy.put(&document);
        let answer = proxy.send(GET).await;
        assert_eq!(header(&answer, "mesh-reason"), Some("no_healthy_endpoint"));
        assert!(body(&answer).contains("being drained"), "{answer}");
    });
}
