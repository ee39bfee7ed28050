//! How connections end: what was sent is answered, what was answered can be read, what was cut is known to be.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::{Does, Origin, Proxy, body, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";

/// An origin that answers its first request with `bytes`, reads nothing more, and resets once told to.
async fn resetting(bytes: &'static [u8]) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (reset, told) = oneshot::channel();
    tokio::task::spawn_local(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut head = [0; 1024];
        let _ = tcp.read(&mut head).await.unwrap();
        let _ = tcp.write_all(bytes).await;
        let _ = told.await;
        tcp.set_zero_linger().unwrap();
    });
    (address, reset)
}

#[test]
fn a_reset_is_not_the_end_of_an_answer_that_ends_by_closing() {
    run(async {
        let (address, reset) = resetting(b"HTTP/1.1 200 OK\r\n\r\nhel").await;
        let mut client = Proxy::edge(&[address]).await.connect().await;
        client.write(GET).await;
        let mut seen = Vec::new();
        while !seen.ends_with(b"hel\r\n") {
            client.tcp.read_buf(&mut seen).await.unwrap();
        }
        reset.send(()).unwrap();
        let mut more = Vec::new();
        let _ = client.tcp.read_to_end(&mut more).await;
        assert_eq!(more, b"", "no last chunk makes a whole of it");
    });
}

#[test]
fn an_old_client_learns_by_a_reset_that_its_answer_was_cut() {
    run(async {
        let cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
        let origin = Origin::start(Does::AnswerAndClose(cut)).await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        client
            .write("GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n")
            .await;
        let mut seen = Vec::new();
        let end = client.tcp.read_to_end(&mut seen).await;
        assert!(end.is_err(), "{:?}", String::from_utf8_lossy(&seen));
    });
}

#[test]
fn a_client_may_go_on_sending_behind_an_early_answer() {
    run(async {
        let (address, _reset) =
            resetting(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig").await;
        let mut client = Proxy::edge(&[address]).await.connect().await;
        client
            .write("PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 500000\r\n\r\nxxx")
            .await;
        assert_eq!(body(&client.answer().await), "big");
        for _ in 0..10 {
            client.tcp.write_all(&[b'x'; 1000]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_client_that_takes_nothing_is_not_the_origins_fault() {
    run(async {
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n".to_vec();
        answer.resize(answer.len() + (32 << 20), b'x');
        let (address, _reset) = resetting(Box::leak(answer.into_boxed_slice())).await;
        let proxy = Proxy::edge(&[address]).await;
        let mut client = proxy.connect().await;
        client.write(GET).await;
        let stats = loop {
            let stats = format!("{:?}", proxy.worker.take_stats());
            if stats.contains("status: 200") {
                break stats;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(stats.contains("ClientClosed"), "{stats}");
    });
}

#[test]
fn an_origin_that_takes_nothing_is_not_the_clients_fault() {
    run(async {
        let (address, _reset) = resetting(b"").await;
        let mut client = Proxy::edge(&[address]).await.connect().await;
        client
            .write("PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 33554432\r\n\r\n")
            .await;
        let (mut from, mut to) = client.tcp.split();
        let body = vec![b'x'; 32 << 20];
        let mut answer = vec![0; 4096];
        let count = tokio::select! {
            count = from.read(&mut answer) => count.unwrap(),
            () = async { let _ = to.write_all(&body).await; std::future::pending().await } => 0,
        };
        let answer = String::from_utf8_lossy(&answer[..count]);
        assert_eq!(header(&answer, "mesh-reason"), Some("upstream_timeout"));
    });
}

#[test]
fn what_follows_a_refused_tunnel_is_no_request() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        // Envoy CVE-2025-64763: what came early behind CONNECT went on.
        for (head, status) in [
            (
                "CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test:80\r\n\r\n",
                501,
            ),
            (
                "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400,
            ),
            (
                "GET / HTTP/1.1\r\nHost: other\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                404,
            ),
        ] {
            let mut client = proxy.connect().await;
            client.write(&format!("{head}{GET}")).await;
            let answer = client.answer().await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
            assert_eq!(header(&answer, "connection"), Some("close"));
            assert!(client.is_closed().await);
        }
        assert_eq!(origin.connections.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_request_is_counted_before_its_connection_lingers() {
    run(async {
        let proxy = Proxy::edge(&[]).await;
        let mut client = proxy.connect().await;
        client
            .write("GET / HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n")
            .await;
        client.answer().await;
        let stats = format!("{:?}", proxy.worker.take_stats());
        assert!(stats.contains("NoRoute"), "{stats}");
    });
}

#[test]
fn a_drain_answers_what_was_on_its_way() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut fresh = proxy.connect().await;
        let mut used = proxy.connect().await;
        used.write(GET).await;
        used.answer().await;
        // Both wait for a request now.
        tokio::time::sleep(Duration::from_millis(20)).await;
        used.write(GET).await;
        proxy.worker.drain();
        let answer = used.answer().await;
        assert_eq!(
            (header(&answer, "connection"), body(&answer)),
            (Some("close"), "ok")
        );
        fresh.write(GET).await;
        let answer = fresh.answer().await;
        assert_eq!(
            (header(&answer, "connection"), body(&answer)),
            (Some("close"), "ok")
        );
    });
}

#[test]
fn a_drain_waits_a_moment_for_the_first_request_and_no_longer() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["settings"]["node"]["limits"]["idle_timeout_ms"] = 60_000.into();
        })
        .await;
        let mut client = proxy.connect().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        proxy.worker.drain();
        assert!(client.is_closed().await);
    });
}

#[test]
fn an_idle_client_is_not_told_that_its_request_was_slow() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        // Just as long as the first read, after which the socket looks as if it had more.
        let head = "GET / HTTP/1.1\r\nHost: shop.test\r\nX: ";
        let fill = "x".repeat(16 * 1024 - head.len() - 4);
        client.write(&format!("{head}{fill}\r\n\r\n")).await;
        assert_eq!(body(&client.answer().await), "ok");
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_slow_head_is_counted() {
    run(async {
        let proxy = Proxy::edge(&[]).await;
        let mut client = proxy.connect().await;
        client.write("GET / HTTP/1.1\r\nHost: shop").await;
        client.answer().await;
        let stats = format!("{:?}", proxy.worker.take_stats());
        assert!(stats.contains("\"request_timeout\": 1"), "{stats}");
    });
}

#[test]
fn an_answers_head_that_drips_comes_to_an_end() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(b"HTTP/1.1 200 OK\r\nX: ").await.unwrap();
            while tcp.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let answer = Proxy::edge(&[address]).await.send(GET).await;
        assert_eq!(header(&answer, "mesh-reason"), Some("upstream_timeout"));
    });
}

#[test]
fn who_stops_sending_in_the_middle_still_gets_the_answer_it_has_begun_to_read() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (go_on, told) = oneshot::channel::<()>();
        tokio::task::spawn_local(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let begin = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nab";
            tcp.write_all(begin).await.unwrap();
            told.await.unwrap();
            tcp.write_all(b"cd").await.unwrap();
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        });
        let mut client = Proxy::edge(&[address]).await.connect().await;
        client
            .write("PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\nx")
            .await;
        let mut seen = Vec::new();
        while !seen.ends_with(b"ab") {
            client.tcp.read_buf(&mut seen).await.unwrap();
        }
        client.tcp.shutdown().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        go_on.send(()).unwrap();
        client.tcp.read_to_end(&mut seen).await.unwrap();
        assert!(
            seen.ends_with(b"abcd"),
            "{:?}",
            String::from_utf8_lossy(&seen)
        );
    });
}
