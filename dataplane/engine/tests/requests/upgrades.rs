//! `Upgrade`: a tunnel begins only after the origin agreed, and everything else is an answer like any other.

use std::sync::atomic::Ordering;

use meshnode_engine::stats::Outside;
use serde_json::{Value, json};

use crate::manual::{Asked, Manual};
use crate::support::{Client, Does, Origin, Proxy, body, header, run};

pub const ASK: &str = "GET /chat HTTP/1.1\r\nHost: shop.test\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: h2c, websocket, \"odd\", echo/2\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
pub const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nmesh-reason: made_up\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A proxy, a client that asked it, and the origin that was asked.
async fn asked(bytes: &str) -> (Proxy, Client, Manual, Asked) {
    let mut origin = Manual::start().await;
    let proxy = Proxy::edge(&[origin.address]).await;
    let mut client = proxy.connect().await;
    client.write(bytes).await;
    let asked = origin.asked().await;
    (proxy, client, origin, asked)
}

#[test]
fn an_agreed_upgrade_becomes_a_tunnel() {
    run(async {
        let (_proxy, mut client, _origin, mut asked) = asked(ASK).await;
        assert_eq!(header(&asked.head, "connection"), Some("Upgrade"));
        assert_eq!(header(&asked.head, "upgrade"), Some("websocket, echo/2"));
        let key = header(&asked.head, "sec-websocket-key");
        assert_eq!(key, Some("dGhlIHNhbXBsZSBub25jZQ=="));
        asked.write(format!("{AGREED}first").as_bytes()).await;
        let answer = client.answer().await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert_eq!(header(&answer, "connection"), Some("Upgrade"));
        assert_eq!(header(&answer, "upgrade"), Some("WebSocket"));
        assert_eq!(header(&answer, "mesh-reason"), None);
        let accept = header(&answer, "sec-websocket-accept");
        assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        client.expect(b"first").await;
        client.write("GET / HTTP/1.1\r\n\r\n\0\u{7f}").await;
        asked.expect(b"GET / HTTP/1.1\r\n\r\n\0\x7f").await;
    });
}

/// Pingora CVE-2026-2833: what came behind the request went on before the origin had agreed.
#[test]
fn what_a_client_sends_early_waits_for_the_101() {
    run(async {
        let (_proxy, mut client, _origin, mut asked) = asked(&format!("{ASK}{GET}")).await;
        asked.write(b"HTTP/1.1 102 Processing\r\n\r\n").await;
        // Whatever was sent on without leave is here by then.
        assert!(client.answer().await.starts_with("HTTP/1.1 102 "));
        assert!(asked.has_nothing(), "{:?}", asked.rest);
        asked.write(AGREED.as_bytes()).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 101 "));
        asked.expect(GET.as_bytes()).await;
    });
}

#[test]
fn what_came_early_behind_an_upgrade_that_was_not_granted_is_no_request() {
    run(async {
        let (_proxy, mut client, mut origin, mut asked) = asked(&format!("{ASK}{GET}")).await;
        asked.write(OK).await;
        let answer = client.answer().await;
        assert_eq!(
            (header(&answer, "connection"), body(&answer)),
            (Some("close"), "ok")
        );
        assert!(client.is_closed().await);
        assert!(origin.was_left_alone() && asked.rest.is_empty());
        asked.end().await.unwrap();
    });
}

/// Envoy CVE-2024-23326: a 200 was taken for an agreement.
#[test]
fn no_other_answer_begins_a_tunnel() {
    run(async {
        for status in [
            "200 OK",
            "401 Unauthorized",
            "426 Upgrade Required",
            "503 Busy",
        ] {
            let (proxy, mut client, mut origin, mut asked) = asked(ASK).await;
            let fields = "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n";
            let answer = format!("HTTP/1.1 {status}\r\n{fields}\r\nok");
            asked.write(answer.as_bytes()).await;
            let answer = client.answer().await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
            assert_eq!((header(&answer, "upgrade"), body(&answer)), (None, "ok"));
            // The client's connection goes on; the origin's, on which a tunnel was asked for, is not used again.
            client.write(GET).await;
            let mut next = origin.asked().await;
            assert!(next.head.starts_with("GET / HTTP/1.1\r\n"), "{}", next.head);
            next.write(OK).await;
            assert_eq!(body(&client.answer().await), "ok");
            asked.end().await.unwrap();
            assert_eq!(proxy.worker.pool.borrow().len(), 1);
        }
    });
}

#[test]
fn a_101_that_was_not_asked_for_so_is_a_bad_answer() {
    run(async {
        let plain = GET.to_owned();
        for (request, fields) in [
            (&plain, "Connection: upgrade\r\nUpgrade: websocket\r\n"),
            (&ASK.to_owned(), "Connection: upgrade\r\nUpgrade: h2c\r\n"),
            (
                &ASK.to_owned(),
                "Connection: upgrade\r\nUpgrade: websocket, echo/2\r\n",
            ),
            (&ASK.to_owned(), "Connection: upgrade\r\n"),
            (&ASK.to_owned(), "Upgrade: websocket\r\n"),
        ] {
            let (_proxy, mut client, _origin, mut asked) = asked(request).await;
            let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n");
            asked.write(answer.as_bytes()).await;
            let answer = client.answer().await;
            assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
            assert_eq!(
                header(&answer, "mesh-reason"),
                Some("upstream_bad_response")
            );
            asked.end().await.unwrap();
        }
    });
}

/// nghttpx CVE-2026-58055: Upgrade with a body, on connections that others use too.
#[test]
fn an_upgrade_with_a_body_goes_nowhere() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        for framing in ["Content-Length: 3", "Transfer-Encoding: chunked"] {
            let head =
                "POST / HTTP/1.1\r\nHost: shop.test\r\nConnection: upgrade\r\nUpgrade: x\r\n";
            let mut client = proxy.connect().await;
            client.write(&format!("{head}{framing}\r\n\r\nabc")).await;
            let answer = client.answer().await;
            assert_eq!(header(&answer, "mesh-reason"), Some("upgrade_with_body"));
            assert!(client.is_closed().await);
        }
        assert_eq!(origin.connections.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn h2c_alone_is_no_upgrade() {
    run(async {
        let fields =
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
        let request = format!("GET / HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n");
        let (proxy, mut client, _origin, mut asked) = asked(&request).await;
        for name in ["connection", "upgrade", "http2-settings"] {
            assert_eq!(header(&asked.head, name), None, "{}", asked.head);
        }
        asked.write(OK).await;
        assert_eq!(body(&client.answer().await), "ok");
        client.write(GET).await;
        asked.next().await;
        asked.write(OK).await;
        assert_eq!(body(&client.answer().await), "ok");
        assert_eq!(proxy.worker.pool.borrow().len(), 1);
    });
}

#[test]
fn an_upgrade_takes_no_connection_that_others_used() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut client = proxy.connect().await;
        client.write(GET).await;
        let mut first = origin.asked().await;
        first.write(OK).await;
        client.answer().await;
        client.write(ASK).await;
        let mut second = origin.asked().await;
        second.write(AGREED.as_bytes()).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 101 "));
    });
}

#[test]
fn only_where_there_was_no_connection_is_an_upgrade_tried_again() {
    run(async {
        let retries = json!({"attempts": 3, "on": ["connect", "reset", "5xx"], "non_idempotent": true,
                             "backoff_ms": {"base": 0, "max": 0}});
        for answer in [
            &b""[..],
            b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
        ] {
            let origin = Origin::start(Does::AnswerAndClose(answer)).await;
            let proxy = Proxy::with(&[origin.address], |resources| {
                resources["routes"]["shop"]["retries"] = retries.clone();
            })
            .await;
            let status = if answer.is_empty() { "502" } else { "503" };
            assert!(
                proxy
                    .send(ASK)
                    .await
                    .starts_with(&format!("HTTP/1.1 {status} "))
            );
            assert_eq!(origin.connections.load(Ordering::Relaxed), 1);
        }
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = nobody.local_addr().unwrap();
        drop(nobody);
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[gone, origin.address]).await;
        for _ in 0..4 {
            assert_eq!(body(&proxy.send(ASK).await), "ok");
        }
    });
}

#[test]
fn a_tunnel_is_one_span_and_ends_with_it() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["settings"]["node"]["trace_ratio"] = json!(1.0);
        })
        .await;
        let mut client = proxy.connect().await;
        client.write(&format!("{ASK}early")).await;
        let mut asked = origin.asked().await;
        asked.write(format!("{AGREED}abc").as_bytes()).await;
        client.answer().await;
        client.expect(b"abc").await;
        asked.expect(b"early").await;
        client.write("more").await;
        asked.expect(b"more").await;
        assert_eq!(running(&proxy), 1);
        drop(asked);
        assert!(client.is_closed().await);
        drop(client);
        let span = loop {
            proxy.worker.tick();
            let spans = proxy.worker.shared.spans.take_now();
            if let Some(span) = spans.into_iter().next() {
                break span;
            }
            tokio::task::yield_now().await;
        };
        let tunnel = span.tunnel.unwrap();
        assert_eq!((span.status, span.reason), (Some(101), None));
        assert_eq!((tunnel.received_bytes, tunnel.sent_bytes), (9, 3));
        assert_eq!(tunnel.end.as_str(), "upstream");
        assert_eq!(running(&proxy), 0);
    });
}

fn running(proxy: &Proxy) -> u64 {
    let stats = proxy.worker.take_stats().to_json(&Outside::default());
    let stats: Value = serde_json::from_slice(&stats).unwrap();
    stats["upstreams"][0]["running"].as_u64().unwrap()
}

#[test]
fn a_route_edits_the_heads_and_not_the_tunnel() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["response_headers"] =
                json!({"set": [{"name": "x-by", "value": "mesh"}], "add": [], "remove": ["sec-websocket-accept"]});
        })
        .await;
        let mut client = proxy.connect().await;
        client.write(ASK).await;
        let mut asked = origin.asked().await;
        asked.write(AGREED.as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!(header(&answer, "x-by"), Some("mesh"));
        assert_eq!(header(&answer, "sec-websocket-accept"), None);
        asked.write(b"x").await;
        client.expect(b"x").await;
    });
}
