//! How connections end: told, and without a stream lost.

use std::future::poll_fn;
use std::time::Duration;

use http::Request;
use meshnode_engine::stats::Outside;
use serde_json::{Value, json};

use super::client::{Client, whole};
use super::frames::{self, Raw};
use super::support::{Does, Origin, Proxy, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const NO_ERROR: u32 = 0;

#[test]
fn a_drain_loses_no_stream() {
    run(async {
        let mut origin = Origin::start(Does::AnswerAtGate(OK)).await;
        let patient = |resources: &mut Value| {
            resources["settings"]["node"]["limits"]["idle_timeout_ms"] = json!(600_000);
        };
        let proxy = Proxy::with(&[origin.address], patient).await;
        let client = Client::connect(proxy.address).await;
        let request = || Request::get("http://shop.test/").body(()).unwrap();
        let mut ready = client.send.clone().ready().await.unwrap();
        let (first, _) = ready.send_request(request(), true).unwrap();
        origin.request().await;
        // The second is on its way when the proxy begins to go.
        let (second, _) = ready.send_request(request(), true).unwrap();
        proxy.worker.drain();
        origin.request().await;
        origin.gate.notify_one();
        origin.gate.notify_one();
        for answer in [first, second] {
            assert_eq!(whole(answer.await.unwrap()).await.unwrap().text(), "ok");
        }
        drop((ready, client.send));
        client.connection.await.unwrap().unwrap();
    });
}

#[test]
fn an_idle_connection_is_told_to_go() {
    run(async {
        let proxy = Proxy::edge(&[]).await;
        let mut raw = Raw::connect(proxy.address, &[]).await;
        assert_eq!(raw.farewell().await, Some(NO_ERROR));
        // A client that does not answer that is closed all the same.
        assert!(raw.until(frames::DATA).await.is_none());
    });
}

#[test]
fn who_begins_and_does_not_go_on_is_closed() {
    run(async {
        let proxy = Proxy::edge(&[]).await;
        let mut client = proxy.connect().await;
        client.write("PRI * HTTP/2.0\r\n\r\n").await;
        assert!(client.answer().await.starts_with("HTTP/1.1 408 "));
        let mut client = proxy.connect().await;
        client.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut client.tcp, &mut bytes)
            .await
            .unwrap();
    });
}

#[test]
fn a_preface_in_drops_is_one() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut client = proxy.connect().await;
        let hello = [
            meshnode_engine::http2::PREFACE,
            &frames::frame(frames::SETTINGS, 0, 0, &[]),
            &frames::request(1),
        ]
        .concat();
        for byte in hello {
            tokio::io::AsyncWriteExt::write_all(&mut client.tcp, &[byte])
                .await
                .unwrap();
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                std::task::Poll::Ready(())
            })
            .await;
            tokio::task::yield_now().await;
        }
        let mut raw = Raw { tcp: client.tcp };
        assert_eq!(raw.until(frames::DATA).await.unwrap().payload, b"ok");
    });
}

/// Each of its requests was served long ago when such a client has taken the last answer.
#[test]
fn a_drain_waits_for_who_takes_its_answers_slowly() {
    // More than the system holds for a client that reads nothing.
    const STREAMS: u32 = 600;
    run(async {
        let body = "x".repeat(16_000);
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let origin = Origin::start(Does::Answer(answer.leak().as_bytes())).await;
        let many = |resources: &mut Value| {
            let limits = &mut resources["settings"]["node"]["limits"];
            limits["http2_streams"] = json!(1000);
            limits["body_idle_timeout_ms"] = json!(60_000);
        };
        let proxy = Proxy::with(&[origin.address], many).await;
        let mut raw = Raw::connect(proxy.address, &[]).await;
        let window = frames::frame(frames::WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
        assert!(raw.write(&window).await);
        for number in 0..STREAMS {
            assert!(raw.write(&frames::request(2 * number + 1)).await);
        }
        while served(&proxy) < u64::from(STREAMS) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.worker.drain();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let mut ended = 0;
        while let Some(frame) = raw.read().await {
            let is_end = frame.kind == frames::DATA && frame.flags & frames::END_STREAM != 0;
            ended += u32::from(is_end);
        }
        assert_eq!(ended, STREAMS);
    });
}

/// Requests that are over, as the proxy has counted them.
fn served(proxy: &Proxy) -> u64 {
    let stats = proxy.worker.take_stats().to_json(&Outside::default());
    let stats: Value = serde_json::from_slice(&stats).unwrap();
    let rows = stats["requests"].as_array().unwrap().iter();
    rows.map(|row| row["count"].as_u64().unwrap()).sum()
}
