//! Ports whose first bytes say what is spoken: requests, bytes as they are, servers that speak first; all through the hop.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meshnode_engine::detect::{Detected, PREFACE};
use meshnode_engine::explain::explain;
use meshnode_engine::span::SpanRecord;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::ca::Authority;
use crate::client;
use crate::manual::Manual;
use crate::mesh::{CALL, ONE, inbound, outbound};
use crate::passthrough::hello;
use crate::streams::{counted, rows, span, talk};
use crate::support::{Client, Does, Origin, Proxy, body, header, run};

/// Longer than any test: only bytes decide.
const LONG: u64 = 10_000;

/// Puts fields of resources in force, beside what they have.
fn merge(proxy: &Proxy, changes: &[(&str, Value)]) {
    let document = proxy.worker.snapshot().to_json();
    let mut document: Value = serde_json::from_slice(&document).unwrap();
    document["digest"] = json!("sha256:2");
    for (pointer, fields) in changes {
        let found = document["resources"].pointer_mut(pointer).unwrap();
        let fields = fields.as_object().unwrap().clone();
        found.as_object_mut().unwrap().extend(fields);
    }
    proxy.put(&document);
}

/// A port by which `web` calls `cart` on another node, whatever it speaks.
async fn hop(origin: SocketAddr, rules: Value, limits: Value) -> (Proxy, Proxy) {
    let authority = Authority::new();
    let there = inbound(&authority, &[origin], rules).await;
    merge(&there, &[("/services/cart", json!({"protocol": "auto"}))]);
    let port = json!({"proof": "port", "protocol": "auto", "destination": "cart"});
    let here = outbound(Some(&authority), there.address, port).await;
    let changes = [
        ("/clusters/cart", json!({"protocol": "auto"})),
        ("/settings/node/limits", limits),
        ("/settings/node", json!({"trace_ratio": 1.0})),
    ];
    merge(&here, &changes);
    (here, there)
}

async fn patient(origin: SocketAddr) -> (Proxy, Proxy) {
    hop(origin, json!([]), json!({"detect_timeout_ms": LONG})).await
}

async fn impatient(origin: SocketAddr) -> (Proxy, Proxy) {
    hop(origin, json!([]), json!({"detect_timeout_ms": 1})).await
}

/// How often each protocol was found.
fn detected(proxy: &Proxy) -> Vec<(String, u64)> {
    let row = |row: Value| {
        let labels = (&row["listener"], &row["source"], &row["destination"]);
        assert_eq!(labels, (&json!("only"), &json!("web"), &json!("cart")));
        let protocol = row["protocol"].as_str().unwrap().to_owned();
        (protocol, row["count"].as_u64().unwrap())
    };
    rows(proxy, "detected").into_iter().map(row).collect()
}

fn found(protocol: &str, count: u64) -> Vec<(String, u64)> {
    vec![(protocol.to_owned(), count)]
}

async fn send(client: &mut Client, bytes: &[u8]) {
    client.tcp.write_all(bytes).await.unwrap();
}

/// The span of a raw connection, once that is over.
async fn told(proxy: &Proxy, client: Client) -> SpanRecord {
    drop(client);
    span(proxy).await
}

/// An instance that speaks HTTP/2 alone, and the heads it was sent.
async fn http2_instance() -> (SocketAddr, Rc<RefCell<Vec<http::Request<()>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Rc::<RefCell<Vec<_>>>::default();
    let seen = Rc::clone(&heads);
    tokio::task::spawn_local(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let seen = Rc::clone(&seen);
            tokio::task::spawn_local(async move {
                let mut connection = h2::server::handshake(tcp).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    seen.borrow_mut().push(request.map(drop));
                    let mut out = respond
                        .send_response(http::Response::new(()), false)
                        .unwrap();
                    out.send_data(Bytes::from_static(b"two"), false).unwrap();
                    let mut trailers = http::HeaderMap::new();
                    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
                    out.send_trailers(trailers).unwrap();
                }
            });
        }
    });
    (address, heads)
}

#[test]
fn a_request_line_makes_requests_however_it_is_cut() {
    run(async {
        let mut origin = Origin::start(Does::Answer(ONE)).await;
        let (here, _there) = patient(origin.address).await;
        let line = CALL.find("\r\n").unwrap();
        for cut in 0..=line {
            let mut client = here.connect().await;
            client.write(&CALL[..cut]).await;
            tokio::task::yield_now().await;
            client.write(&CALL[cut..]).await;
            assert_eq!(body(&client.answer().await), "one");
            // It goes on as such a connection does.
            client.write(CALL).await;
            assert_eq!(body(&client.answer().await), "one");
            for _ in 0..2 {
                let seen = origin.request().await;
                assert!(seen.starts_with("GET /x HTTP/1.1\r\n"), "{seen}");
                assert_eq!(header(&seen, "host"), Some("cart.mesh"));
                assert!(!seen.contains("mesh-protocol"), "{seen}");
            }
        }
        assert_eq!(detected(&here), found("http", line as u64 + 1));
        let span = span(&here).await;
        assert_eq!(
            (span.detected, &*span.method),
            (Some(Detected::Http), "GET")
        );
    });
}

#[test]
fn what_comes_in_http_2_goes_to_the_instance_so_and_each_request_by_itself() {
    run(async {
        let (instance, heads) = http2_instance().await;
        let (here, there) = patient(instance).await;
        let client = client::Client::connect(here.address).await;
        for _ in 0..3 {
            let answer = client
                .get("http://any.example/pkg.Service/Call")
                .await
                .unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, "two"));
            assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
        }
        let heads = heads.take();
        assert_eq!(heads.len(), 3);
        for head in &heads {
            assert_eq!(head.uri().to_string(), "http://cart.mesh/pkg.Service/Call");
            let told = head
                .headers()
                .keys()
                .any(|name| name.as_str().starts_with("mesh-"));
            assert!(!told, "{head:?}");
        }
        assert_eq!(detected(&here), found("http2", 1));
        assert_eq!(rows(&here, "requests")[0]["count"], 3);
        assert_eq!(rows(&there, "requests")[0]["count"], 3);
        assert_eq!(span(&here).await.detected, Some(Detected::Http2));
    });
}

#[test]
fn an_instance_that_is_reached_in_clear_is_spoken_to_as_its_caller_speaks() {
    run(async {
        let (instance, heads) = http2_instance().await;
        let origin = Origin::start(Does::Answer(ONE)).await;
        let (here, _there) = patient(origin.address).await;
        let at = |address: SocketAddr| {
            json!({"endpoints": [{"id": "cart-1", "node": "old-box", "address": address.to_string(),
                "weight": 1, "via": "clear"}]})
        };
        merge(&here, &[("/clusters/cart", at(instance))]);
        let client = client::Client::connect(here.address).await;
        assert_eq!(client.get("http://cart.mesh/").await.unwrap().text(), "two");
        assert_eq!(heads.borrow().len(), 1);
        merge(&here, &[("/clusters/cart", at(origin.address))]);
        assert_eq!(body(&here.send(CALL).await), "one");
    });
}

#[test]
fn nobody_else_says_what_an_instance_is_spoken_to_in() {
    run(async {
        let mut origin = Origin::start(Does::Answer(ONE)).await;
        let (here, _there) = patient(origin.address).await;
        let call = CALL.replace("Host", "Mesh-Protocol: http2\r\nHost");
        assert_eq!(body(&here.send(&call).await), "one");
        let seen = origin.request().await;
        assert!(seen.starts_with("GET /x HTTP/1.1\r\n"), "{seen}");
        assert!(
            !seen.to_ascii_lowercase().contains("mesh-protocol"),
            "{seen}"
        );
    });
}

#[test]
fn the_edge_speaks_http_1_1_to_it_whatever_its_client_does() {
    run(async {
        let origin = Origin::start(Does::Answer(ONE)).await;
        let edge = Proxy::with(&[origin.address], |resources| {
            resources["clusters"]["shop"]["protocol"] = json!("auto");
        })
        .await;
        let client = client::Client::connect(edge.address).await;
        assert_eq!(client.get("http://shop.test/").await.unwrap().text(), "one");
        assert!(rows(&edge, "detected").is_empty());
    });
}

#[test]
fn tls_goes_through_as_it_is_and_its_name_is_told() {
    run(async {
        let mut origin = Manual::start().await;
        let (here, there) = patient(origin.address).await;
        let bytes = hello("db.example");
        for cut in [0, 1, 5, 6, 40, bytes.len() - 1] {
            let mut client = here.connect().await;
            send(&mut client, &bytes[..cut]).await;
            tokio::task::yield_now().await;
            send(&mut client, &bytes[cut..]).await;
            let mut asked = origin.connection().await;
            asked.expect(&bytes).await;
            talk(&mut client, &mut asked).await;
            drop(asked);
            let span = told(&here, client).await;
            assert_eq!(span.detected, Some(Detected::Tls));
            assert_eq!((span.texts.host(), span.is_stream()), ("db.example", true));
            let moved = span.tunnel.unwrap().received_bytes;
            assert!(moved > bytes.len() as u64, "{moved}");
        }
        assert_eq!(detected(&here), found("tls", 6));
        assert_eq!((counted(&here, ""), counted(&there, "")), (6, 6));
    });
}

#[test]
fn what_is_none_of_these_goes_through_as_it_is_and_at_once() {
    run(async {
        let mut origin = Manual::start().await;
        let (here, _there) = patient(origin.address).await;
        for bytes in [&b"\0\x01\x02"[..], b"EHLO mail.example\r\n", b"GET key\r\n"] {
            let mut client = here.connect().await;
            send(&mut client, bytes).await;
            let mut asked = origin.connection().await;
            asked.expect(bytes).await;
            talk(&mut client, &mut asked).await;
            drop(asked);
            assert_eq!(told(&here, client).await.detected, Some(Detected::Tcp));
        }
        assert_eq!(detected(&here), found("tcp", 3));
    });
}

#[test]
fn a_server_that_speaks_first_is_heard_by_a_client_that_waits() {
    run(async {
        let mut origin = Manual::start().await;
        let (here, _there) = impatient(origin.address).await;
        let mut client = here.connect().await;
        let mut asked = origin.connection().await;
        talk(&mut client, &mut asked).await;
        drop(asked);
        assert_eq!(told(&here, client).await.detected, Some(Detected::Silent));
        assert_eq!(detected(&here), found("silent", 1));
    });
}

#[test]
fn a_beginning_that_does_not_go_on_loses_no_byte() {
    run(async {
        let mut origin = Manual::start().await;
        let (here, _there) = impatient(origin.address).await;
        let hello = hello("db.example");
        for whole in [CALL.as_bytes(), PREFACE, &hello[..80]] {
            // Of the call all but what shows its version.
            let most = whole.len().min(14);
            for cut in 1..most {
                let mut client = here.connect().await;
                send(&mut client, &whole[..cut]).await;
                let mut asked = origin.connection().await;
                asked.expect(&whole[..cut]).await;
                send(&mut client, &whole[cut..]).await;
                asked.expect(&whole[cut..]).await;
                assert!(asked.has_nothing());
            }
        }
        let found = detected(&here);
        let all = ["silent", "tcp", "tls"];
        assert!(
            found
                .iter()
                .all(|(protocol, _)| all.contains(&protocol.as_str())),
            "{found:?}"
        );
        assert_eq!(found.iter().map(|(_, count)| count).sum::<u64>(), 3 * 13);
    });
}

#[test]
fn who_drips_is_waited_for_no_longer_than_for_a_head() {
    run(async {
        let mut origin = Manual::start().await;
        let limits = json!({"detect_timeout_ms": LONG, "head_timeout_ms": 50});
        let (here, _there) = hop(origin.address, json!([]), limits).await;
        let mut client = here.connect().await;
        let dripping = async {
            send(&mut client, b"GET /").await;
            loop {
                send(&mut client, b"a").await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let mut asked = tokio::select! {
            asked = origin.connection() => asked,
            () = dripping => unreachable!("it drips for ever"),
        };
        asked.expect(b"GET /aaa").await;
        assert_eq!(detected(&here), found("tcp", 1));
    });
}

#[test]
fn who_says_no_more_is_taken_at_its_word_at_once() {
    run(async {
        let mut origin = Manual::start().await;
        let (here, _there) = patient(origin.address).await;
        for (bytes, protocol) in [(&b""[..], "silent"), (b"GET /", "tcp")] {
            let mut client = here.connect().await;
            send(&mut client, bytes).await;
            client.tcp.shutdown().await.unwrap();
            let mut asked = origin.connection().await;
            asked.expect(bytes).await;
            asked.end().await.unwrap();
            asked.write(b"bye").await;
            drop(asked);
            client.expect(b"bye").await;
            let count = detected(&here)
                .into_iter()
                .find(|(found, _)| found == protocol);
            assert_eq!(count.unwrap().1, 1);
        }
        let client = here.connect().await;
        client.tcp.set_zero_linger().unwrap();
        drop(client);
        // Of who is gone nothing is made.
        let mut next = here.connect().await;
        send(&mut next, b"\0").await;
        origin.connection().await.expect(b"\0").await;
        assert!(origin.was_left_alone());
    });
}

#[test]
fn intentions_decide_about_requests_and_bytes_alike() {
    run(async {
        let rule = |action: &str| json!([{"source": "web", "action": action, "name": "web => cart", "precedence": 9, "index": 3}]);
        for (action, reason) in [
            ("deny", "intention_denied"),
            ("refuse", "intention_unsupported"),
        ] {
            let mut origin = Manual::start().await;
            let limits = json!({"detect_timeout_ms": LONG});
            let (here, there) = hop(origin.address, rule(action), limits).await;
            let answer = here.send(CALL).await;
            assert_eq!(header(&answer, "mesh-reason"), Some(reason));
            let mut client = here.connect().await;
            send(&mut client, b"\0").await;
            assert!(client.is_closed().await);
            for proxy in [&here, &there] {
                assert_eq!((counted(proxy, reason), counted(proxy, "")), (1, 0));
            }
            assert!(origin.was_left_alone());
        }
    });
}

#[test]
fn who_proves_nothing_gets_nothing_whatever_it_speaks() {
    run(async {
        let authority = Authority::new();
        let mut origin = Manual::start().await;
        let there = inbound(&authority, &[origin.address], json!([])).await;
        let port = json!({"proof": "user", "uids": [4_294_967_294_u32], "protocol": "auto", "destination": "cart"});
        let here = outbound(Some(&authority), there.address, port).await;
        let answer = here.send(CALL).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert_eq!(header(&answer, "mesh-reason"), Some("caller_unproven"));
        let mut client = here.connect().await;
        send(&mut client, b"\0").await;
        assert!(client.is_closed().await);
        assert_eq!(counted(&here, "caller_unproven"), 1);
        assert!(origin.was_left_alone());
    });
}

#[test]
fn explain_says_what_decides() {
    run(async {
        let origin = Manual::start().await;
        let (here, _there) = patient(origin.address).await;
        let snapshot = here.worker.snapshot();
        let ask = |request: Value| {
            let document = json!({"requests": [request]}).to_string();
            let answer = explain(&Arc::clone(&snapshot), document.as_bytes()).unwrap();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            answer["answers"][0].clone()
        };
        let raw =
            ask(json!({"listener": "only", "scheme": "tcp", "host": "127.0.0.1:1", "path": ""}));
        let request = ask(json!({"listener": "only", "host": "127.0.0.1:1", "path": "/"}));
        for answer in [&raw, &request] {
            let sentence = answer["detection"].as_str().unwrap();
            assert!(
                sentence.starts_with("its first bytes decide: "),
                "{sentence}"
            );
            assert!(
                sentence.ends_with("says nothing for 10000 ms"),
                "{sentence}"
            );
            assert_eq!(
                (&answer["destination"], &answer["answer"]),
                (&json!("cart"), &Value::Null)
            );
        }
        let other =
            ask(json!({"listener": "outbound", "source": "web", "host": "cart.mesh", "path": "/"}));
        assert_eq!(other["detection"], Value::Null);
    });
}
