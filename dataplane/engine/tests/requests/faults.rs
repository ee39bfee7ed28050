//! What goes wrong on the way: who is told what, what is tried again, what never is.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use meshnode_engine::serve::serve;
use tokio::net::TcpListener;

use crate::support::{Does, Origin, Proxy, body, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\n\r\nx";

async fn closed_port() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn an_endpoint_that_refuses_is_passed_over() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[closed_port().await, origin.address]).await;
        for request in [GET, POST, GET, POST] {
            assert_eq!(body(&proxy.send(request).await), "ok");
        }
    });
}

#[test]
fn nobody_there_is_a_502_that_names_the_address() {
    run(async {
        let address = closed_port().await;
        let answer = Proxy::edge(&[address]).await.send(GET).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert_eq!(header(&answer, "mesh-reason"), Some("connect_failed"));
        assert!(body(&answer).contains(&address.to_string()), "{answer}");
    });
}

#[test]
fn a_pooled_connection_that_died_costs_no_request() {
    run(async {
        let origin = Origin::start(Does::AnswerAndClose(OK)).await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        for _ in 0..5 {
            client.write(GET).await;
            assert_eq!(body(&client.answer().await), "ok");
        }
    });
}

#[test]
fn a_connection_is_used_again() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        for _ in 0..5 {
            assert_eq!(body(&proxy.send(GET).await), "ok");
        }
        assert_eq!(origin.connections.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_post_that_reached_an_origin_is_never_repeated() {
    run(async {
        let mut origin = Origin::start(Does::Close).await;
        let answer = Proxy::edge(&[origin.address]).await.send(POST).await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("upstream_closed"),
            "{answer}"
        );
        origin.request().await;
        assert_eq!(origin.connections.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn an_endpoint_that_dies_before_it_answers_is_passed_over_by_what_may_be_repeated() {
    run(async {
        let dying = Origin::start(Does::Close).await;
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[dying.address, origin.address]).await;
        for _ in 0..4 {
            assert_eq!(body(&proxy.send(GET).await), "ok");
        }
        let posts = [proxy.send(POST).await, proxy.send(POST).await];
        let failed = posts
            .iter()
            .filter(|answer| header(answer, "mesh-reason").is_some());
        assert_eq!(
            failed.count(),
            1,
            "each endpoint has its turn, and nothing is done twice"
        );
    });
}

#[test]
fn an_origin_that_speaks_nonsense_is_a_502() {
    run(async {
        for bytes in [
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ] {
            let origin = Origin::start(Does::AnswerAndClose(bytes)).await;
            let answer = Proxy::edge(&[origin.address]).await.send(GET).await;
            assert_eq!(
                header(&answer, "mesh-reason"),
                Some("upstream_bad_response"),
                "{answer}"
            );
        }
    });
}

#[test]
fn an_answer_that_is_cut_short_is_not_passed_off_as_whole() {
    run(async {
        let origin = Origin::start(Does::AnswerAndClose(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        ))
        .await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        client.write(GET).await;
        let answer = client.answer().await;
        assert!(
            answer.contains("hel") && !answer.contains("0\r\n\r\n"),
            "{answer}"
        );
        assert!(client.is_closed().await);
    });
}

#[test]
fn an_origin_that_says_nothing_is_a_504() {
    run(async {
        let origin = Origin::start(Does::Stall).await;
        let answer = Proxy::edge(&[origin.address]).await.send(GET).await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("upstream_timeout"),
            "{answer}"
        );
    });
}

#[test]
fn a_routes_timeout_is_kept() {
    run(async {
        let origin = Origin::start(Does::Stall).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["settings"]["node"]["limits"]["idle_timeout_ms"] = 60_000.into();
            resources["routes"]["shop"]["timeout_ms"] = 50.into();
        })
        .await;
        let answer = proxy.send(GET).await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    });
}

#[test]
fn a_slow_head_is_told_so() {
    run(async {
        let mut client = Proxy::edge(&[]).await.connect().await;
        client.write("GET / HTTP/1.1\r\nHost: shop").await;
        let answer = client.answer().await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("request_timeout"),
            "{answer}"
        );
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_body_that_stops_coming_is_the_clients_fault() {
    run(async {
        let origin = Origin::start(Does::Stall).await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        client
            .write("PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\nx")
            .await;
        let answer = client.answer().await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("request_timeout"),
            "{answer}"
        );
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_head_over_the_limit_is_a_431() {
    run(async {
        let proxy = Proxy::edge(&[]).await;
        let long = "x".repeat(40_000);
        let answer = proxy
            .send(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"))
            .await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("header_too_large"),
            "{answer}"
        );
        let answer = proxy
            .send(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");
    });
}

#[test]
fn a_bad_chunk_in_the_middle_never_reaches_the_next_request() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        client
            .write("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET /evil HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            .await;
        let answer = client.answer().await;
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("bad_request"),
            "{answer}"
        );
        assert!(client.is_closed().await);
    });
}

#[test]
fn an_idle_connection_is_closed_in_time_and_at_a_drain() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut client = proxy.connect().await;
        client.write(GET).await;
        client.answer().await;
        assert!(client.is_closed().await, "after the idle timeout");
        let mut client = proxy.connect().await;
        client.write(GET).await;
        client.answer().await;
        tokio::task::yield_now().await;
        proxy.worker.drain();
        assert!(client.is_closed().await, "at the drain");
    });
}

#[test]
fn a_draining_proxy_says_so_with_its_last_answer() {
    run(async {
        let mut origin = Origin::start(Does::AnswerAtGate(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut client = proxy.connect().await;
        client.write(GET).await;
        origin.request().await;
        proxy.worker.drain();
        origin.gate.notify_one();
        let answer = client.answer().await;
        assert_eq!(
            (header(&answer, "connection"), body(&answer)),
            (Some("close"), "ok")
        );
        assert!(client.is_closed().await);
    });
}

#[test]
fn an_idle_connection_is_small() {
    run(async {
        let proxy = Proxy::edge(&[]).await;
        let client = proxy.connect().await;
        let config = Arc::clone(proxy.worker.snapshot().listeners.values().next().unwrap());
        let peer = client.tcp.local_addr().unwrap();
        let served = serve(Rc::clone(&proxy.worker), client.tcp, config, peer);
        assert!(
            size_of_val(&served) <= 1024,
            "{} bytes",
            size_of_val(&served)
        );
    });
}
