//! What is over a limit: it is refused before anything is sent, says so, and costs nobody else anything.

use std::sync::atomic::Ordering;

use meshnode_engine::explain::explain;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::support::{Client, Does, Origin, Proxy, body, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";

fn post(length: usize) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {length}\r\n\r\n{}",
        "x".repeat(length)
    )
}

/// Expects an answer of the mesh's own with this status and reason.
#[track_caller]
fn check(answer: &str, status: u16, reason: &str) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    assert_eq!(header(answer, "mesh-reason"), Some(reason), "{answer}");
}

/// The first answer that is none of the origin's; however slow the machine is, a rate comes to its end.
async fn until_refused(proxy: &Proxy, request: &str) -> String {
    loop {
        let answer = proxy.send(request).await;
        if !answer.ends_with("ok") {
            return answer;
        }
    }
}

/// An edge whose route `shop` has these fields beside its own.
async fn with_route(origin: &Origin, fields: Value) -> Proxy {
    Proxy::with(&[origin.address], |resources| {
        let route = resources["routes"]["shop"].as_object_mut().unwrap();
        route.extend(fields.as_object().unwrap().clone());
    })
    .await
}

#[test]
fn a_body_that_says_it_is_too_long_is_refused_before_anything_is_sent() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = with_route(&origin, json!({"body_bytes": 10})).await;
        let answer = proxy.send(&post(11)).await;
        check(&answer, 413, "body_too_large");
        assert!(
            body(&answer).contains("over the limit of 10 bytes"),
            "{answer}"
        );
        assert_eq!(origin.connections.load(Ordering::Relaxed), 0);
        assert!(proxy.send(&post(10)).await.ends_with("ok"));

        // One that was taken whole costs its client no connection.
        let mut client = proxy.connect().await;
        client.write(&post(11)).await;
        check(&client.answer_to("POST").await, 413, "body_too_large");
        client.write(&post(3)).await;
        assert!(client.answer_to("POST").await.ends_with("ok"));
    });
}

#[test]
fn a_chunked_body_is_cut_when_it_passes_the_limit_and_nothing_is_repeated() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let retries =
            json!({"attempts": 3, "on": ["connect", "reset", "5xx"], "non_idempotent": true});
        let proxy = with_route(&origin, json!({"body_bytes": 10, "retries": retries})).await;
        let chunked = "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut client = proxy.connect().await;
        client.write(&format!("{chunked}6\r\nsix ab\r\n")).await;
        while origin.connections.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        client.write("5\r\nfive!\r\n").await;
        check(&client.answer_to("POST").await, 413, "body_too_large");
        assert!(client.is_closed().await);
        assert_eq!(origin.connections.load(Ordering::Relaxed), 1);
        let whole = format!("{chunked}6\r\nsix ab\r\n4\r\nfour\r\n0\r\n\r\n");
        assert!(proxy.send(&whole).await.ends_with("ok"));
    });
}

#[test]
fn the_settings_limit_bodies_where_the_route_says_nothing() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["settings"]["node"]["limits"]["body_bytes"] = 5.into();
            resources["routes"]["large"] = resources["routes"]["shop"].clone();
            resources["routes"]["large"]["path"] = json!({"prefix": "/large"});
            resources["routes"]["large"]["body_bytes"] = 100.into();
        })
        .await;
        check(&proxy.send(&post(6)).await, 413, "body_too_large");
        let large = post(50).replacen("/ ", "/large ", 1);
        assert!(proxy.send(&large).await.ends_with("ok"));
    });
}

#[test]
fn requests_over_the_rate_are_told_when_to_come_again() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let limits = json!({"requests_per_second": 1, "burst": 2});
        let proxy = with_route(&origin, json!({"limits": limits})).await;
        // The connection goes on: it is the request that was too much.
        let mut client = proxy.connect().await;
        for _ in 0..2 {
            client.write(GET).await;
            assert!(client.answer().await.ends_with("ok"), "the burst");
        }
        let refused = loop {
            client.write(GET).await;
            let answer = client.answer().await;
            if !answer.ends_with("ok") {
                break answer;
            }
        };
        check(&refused, 429, "rate_limited");
        assert_eq!(header(&refused, "retry-after"), Some("1"));
        let said = "route \"shop\" takes 1 request a second (burst 2), counted on node-1";
        assert!(body(&refused).contains(said), "{refused}");
        assert_eq!(origin.connections.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn more_at_one_time_than_a_service_takes_are_refused_until_one_ends() {
    run(async {
        let origin = Origin::start(Does::AnswerAtGate(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["clusters"]["shop"]["limits"] = json!({"concurrent": 1});
            // A part of the service shares what the whole may have.
            resources["clusters"]["shop[tag=a]"] = resources["clusters"]["shop"].clone();
            resources["routes"]["part"] = json!({"key": "mesh/routes/part", "index": 8, "hosts": ["part.test"],
                "path": {"prefix": "/"}, "action": {"split": [{"cluster": "shop[tag=a]", "weight": 1}]}});
        })
        .await;
        let mut first: Client = proxy.connect().await;
        first.write(GET).await;
        while origin.connections.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        for request in [GET.to_owned(), GET.replace("shop.test", "part.test")] {
            let refused = proxy.send(&request).await;
            check(&refused, 503, "concurrency_limited");
            assert_eq!(header(&refused, "retry-after"), Some("1"));
            assert!(body(&refused).contains("service \"shop\" takes 1 request at one time"));
        }
        origin.gate.notify_one();
        assert!(first.answer().await.ends_with("ok"));
        origin.gate.notify_one();
        assert!(proxy.send(GET).await.ends_with("ok"));

        // A client that goes away ends what it had under way.
        let mut gone = proxy.connect().await;
        gone.write(GET).await;
        drop(gone);
        loop {
            origin.gate.notify_one();
            if proxy.send(GET).await.ends_with("ok") {
                return;
            }
        }
    });
}

#[test]
fn each_client_has_a_measure_of_its_own() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["settings"]["node"]["trusted_proxies"] = json!(["127.0.0.0/8"]);
            let limits = json!({"requests_per_second": 1, "burst": 1, "per": "client"});
            resources["routes"]["shop"]["limits"] = limits;
        })
        .await;
        let by = |client: &str| {
            GET.replace(
                "\r\n\r\n",
                &format!("\r\nX-Forwarded-For: {client}\r\n\r\n"),
            )
        };
        for client in ["10.0.0.1", "10.0.0.2"] {
            assert!(proxy.send(&by(client)).await.ends_with("ok"), "{client}");
        }
        check(
            &until_refused(&proxy, &by("10.0.0.1")).await,
            429,
            "rate_limited",
        );
        assert!(proxy.send(&by("10.0.0.3")).await.ends_with("ok"));
        // What clients tell themselves stands before what a trusted proxy saw.
        let told = |number: u8| by(&format!("10.0.1.{number}, 10.0.0.4"));
        let mut number = 0;
        loop {
            number += 1;
            let answer = proxy.send(&told(number)).await;
            if !answer.ends_with("ok") {
                return check(&answer, 429, "rate_limited");
            }
        }
    });
}

#[test]
fn what_was_counted_outlives_a_change_of_the_table() {
    run(async {
        let origin = Origin::start(Does::AnswerAtGate(OK)).await;
        let mut kept = Value::Null;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["clusters"]["shop"]["limits"] = json!({"concurrent": 1});
            kept = resources.clone();
        })
        .await;
        let mut first: Client = proxy.connect().await;
        first.write(GET).await;
        while origin.connections.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        kept["clusters"]["shop"]["instances"] = 2.into();
        let document = json!({"schema": 1, "kind": "full", "generation": 2, "digest": "sha256:2", "resources": kept});
        let next = proxy
            .worker
            .snapshot()
            .apply(document.to_string().as_bytes());
        proxy.worker.shared.put_snapshot(next.unwrap().into());
        check(&proxy.send(GET).await, 503, "concurrency_limited");
    });
}

#[test]
fn the_destination_s_node_counts_by_itself_and_the_caller_is_told() {
    run(async {
        let authority = crate::ca::Authority::new();
        let origin = Origin::start(Does::Answer(OK)).await;
        let limits = json!({"requests_per_second": 1, "burst": 1, "per": "caller"});
        let (here, _there) = crate::mesh::hop(&authority, origin.address, &limits).await;
        assert!(here.send(crate::mesh::CALL).await.ends_with("ok"));
        let refused = until_refused(&here, crate::mesh::CALL).await;
        check(&refused, 429, "rate_limited");
        assert_eq!(header(&refused, "retry-after"), Some("1"));
        assert!(
            body(&refused).contains("from each calling service"),
            "{refused}"
        );
    });
}

#[test]
fn explain_names_the_limits_and_counts_nothing() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["body_bytes"] = 1000.into();
            resources["routes"]["shop"]["limits"] =
                json!({"requests_per_second": 1, "per": "client"});
            resources["clusters"]["shop"]["limits"] = json!({"concurrent": 7});
        })
        .await;
        let asked = json!({"requests": [{"host": "shop.test", "path": "/"}]}).to_string();
        for _ in 0..3 {
            let answer = explain(&proxy.worker.snapshot(), asked.as_bytes()).unwrap();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(
                answer["answers"][0]["limits"],
                json!([
                    "route \"shop\" takes 1 request a second (burst 1) from each client, counted on node-1",
                    "service \"shop\" takes 7 requests at one time, counted on node-1",
                    "a request's body has 1000 bytes at the most",
                ])
            );
        }
        assert!(proxy.send(GET).await.ends_with("ok"));
    });
}

#[test]
fn what_is_refused_early_leaves_nothing_of_its_body_to_the_next() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = with_route(&origin, json!({"body_bytes": 10})).await;
        let mut client = proxy.connect().await;
        let announced = "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000000\r\n\r\n";
        client.write(announced).await;
        check(&client.answer_to("POST").await, 413, "body_too_large");
        client.write(GET).await;
        let mut rest = Vec::new();
        let _ = client.tcp.read_to_end(&mut rest).await;
        assert!(
            rest.is_empty(),
            "what follows is body, and nobody answers it"
        );
    });
}
