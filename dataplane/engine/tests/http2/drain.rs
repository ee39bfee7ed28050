//! How connections end: told, and without a stream lost.

use std::future::poll_fn;

use http::Request;
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
