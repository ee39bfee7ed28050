//! Requests and answers, one stream each.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use meshnode_engine::stats::Outside;
use serde_json::json;

use super::client::{Client, whole};
use super::support::{Does, Origin, Proxy, body, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-answer: yes\r\nconnection: x-secret\r\nx-secret: 1\r\n\r\nok";

#[test]
fn a_request_reaches_its_origin_as_any_other() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::get("http://shop.test/cart?a=b")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let answer = client.send(request, None).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(answer.header("x-answer"), "yes");
        assert_eq!(answer.header("x-secret"), "");
        assert_eq!(answer.header("connection"), "");
        let seen = origin.request().await;
        assert!(
            seen.starts_with("GET /cart?a=b HTTP/1.1\r\nHost: shop.test\r\n"),
            "{seen}"
        );
        assert_eq!(header(&seen, "cookie"), Some("a=1; b=2"));
        assert_eq!(header(&seen, "te"), Some("trailers"));
        assert_eq!(header(&seen, "via"), Some("2.0 node-1.meshnode"));
        assert_eq!(header(&seen, "content-length"), None);
        assert_eq!(header(&seen, "transfer-encoding"), None);
    });
}

#[test]
fn streams_share_a_connection_and_each_has_its_own_answer() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let client = Rc::new(Client::connect(proxy.address).await);
        let asked = (0..40).map(|number| {
            let host = ["shop.test", "nowhere.test"][number % 2];
            let client = Rc::clone(&client);
            tokio::task::spawn_local(async move {
                let answer = client.get(&format!("http://{host}/")).await;
                answer.unwrap().status
            })
        });
        // All at once.
        let asked: Vec<_> = asked.collect();
        let mut statuses = Vec::new();
        for answer in asked {
            statuses.push(answer.await.unwrap());
        }
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 20);
        assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 20);
    });
}

#[test]
fn a_body_of_unknown_length_becomes_chunks_and_its_trailers_go_on() {
    run(async {
        let mut origin = Origin::start(Does::Answer(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n\
              3\r\nabc\r\n2\r\nde\r\n0\r\ngrpc-status: 0\r\n\r\n",
        ))
        .await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::post("http://shop.test/").body(()).unwrap();
        let mut ready = client.send.clone().ready().await.unwrap();
        let (answer, mut out) = ready.send_request(request, false).unwrap();
        out.send_data(Bytes::from_static(b"hello "), false).unwrap();
        out.send_data(Bytes::from_static(b"world"), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("11"));
        out.send_trailers(trailers).unwrap();
        let answer = whole(answer.await.unwrap()).await.unwrap();
        assert_eq!(answer.text(), "abcde");
        assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
        assert_eq!(answer.headers.get("transfer-encoding"), None);
        let seen = origin.request().await;
        assert_eq!(header(&seen, "transfer-encoding"), Some("chunked"));
        assert!(seen.ends_with("0\r\nx-sum: 11\r\n\r\n"), "{seen}");
        assert!(seen.contains("hello ") && seen.contains("world"), "{seen}");
    });
}

#[test]
fn a_body_keeps_the_length_it_announced() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::post("http://shop.test/")
            .header("content-length", "5")
            .body(())
            .unwrap();
        assert_eq!(
            client.send(request, Some(b"hello")).await.unwrap().status,
            200
        );
        let seen = origin.request().await;
        assert_eq!(
            (header(&seen, "content-length"), body(&seen)),
            (Some("5"), "hello")
        );
        assert_eq!(header(&seen, "transfer-encoding"), None);
    });
}

#[test]
fn an_informational_answer_goes_on_before_the_final_one() {
    run(async {
        let origin = Origin::start(Does::Answer(
            b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        ))
        .await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::get("http://shop.test/").body(()).unwrap();
        let mut ready = client.send.clone().ready().await.unwrap();
        let (mut answer, _) = ready.send_request(request, true).unwrap();
        let hint = std::future::poll_fn(|cx| answer.poll_informational(cx)).await;
        let hint = hint.unwrap().unwrap();
        assert_eq!(
            (hint.status().as_u16(), &hint.headers()["link"]),
            (103, &HeaderValue::from_static("</a.css>"))
        );
        let answer = whole(answer.await.unwrap()).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    });
}

#[test]
fn answers_without_a_body_end_with_their_head() {
    run(async {
        let answers: [(&'static [u8], &str); 3] = [
            (
                b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
                "9",
            ),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "0"),
            (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        ];
        for (bytes, length) in answers {
            let origin = Origin::start(Does::Answer(bytes)).await;
            let proxy = Proxy::edge(&[origin.address]).await;
            let client = Client::connect(proxy.address).await;
            let request = Request::get("http://shop.test/").body(()).unwrap();
            let mut ready = client.send.clone().ready().await.unwrap();
            let answer = ready.send_request(request, true).unwrap().0.await.unwrap();
            assert!(answer.body().is_end_stream());
            let answer = whole(answer).await.unwrap();
            assert_eq!(
                (answer.header("content-length"), answer.body.len()),
                (length, 0)
            );
        }
    });
}

#[test]
fn head_has_the_length_of_a_body_and_none() {
    run(async {
        let origin = Origin::start(Does::Answer(
            b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n",
        ))
        .await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let client = Client::connect(proxy.address).await;
        for (uri, status, length) in [
            ("http://shop.test/", 200, "7"),
            ("http://no.test/", 404, ""),
        ] {
            let request = Request::head(uri).body(()).unwrap();
            let answer = client.send(request, None).await.unwrap();
            assert_eq!((answer.status, answer.body.len()), (status, 0));
            assert!(length.is_empty() || answer.header("content-length") == length);
        }
    });
}

#[test]
fn what_http_1_1_forbids_is_refused_by_the_same_rule() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let client = Client::connect(proxy.address).await;
        let with = |name: &'static str, value: &'static str| {
            Request::get("http://shop.test/")
                .header(name, value)
                .body(())
                .unwrap()
        };
        for (request, status, word) in [
            (with("host", "bank.test"), 400, "more than one Host"),
            (with("content_length", "3"), 400, "underscores"),
            (with("expect", "the impossible"), 417, "100-continue"),
            (
                Request::get("http://user@shop.test/").body(()).unwrap(),
                400,
                "Host",
            ),
            (
                Request::get("http://shop.test/a/../b").body(()).unwrap(),
                400,
                "dot segment",
            ),
            (
                Request::get("https://shop.test/").body(()).unwrap(),
                421,
                "another server",
            ),
            (
                Request::connect("db.test:5432").body(()).unwrap(),
                501,
                "forward proxy",
            ),
        ] {
            let answer = client.send(request, None).await.unwrap();
            assert!(
                answer.status == status && answer.text().contains(word),
                "{answer:?}"
            );
        }
        assert_eq!(client.get("http://shop.test/").await.unwrap().status, 200);
    });
}

#[test]
fn a_proxy_that_is_trusted_may_have_ended_tls() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let trusting = |resources: &mut serde_json::Value| {
            resources["settings"]["node"]["trusted_proxies"] = json!(["127.0.0.1"]);
        };
        let proxy = Proxy::with(&[origin.address], trusting).await;
        let client = Client::connect(proxy.address).await;
        assert_eq!(client.get("https://shop.test/").await.unwrap().status, 200);
    });
}

#[test]
fn an_answer_before_the_body_is_over_is_whole_and_ends_the_stream() {
    run(async {
        let origin = Origin::start(Does::AnswerEarly(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::post("http://shop.test/").body(()).unwrap();
        let mut ready = client.send.clone().ready().await.unwrap();
        let (answer, mut out) = ready.send_request(request, false).unwrap();
        out.send_data(Bytes::from_static(b"the first of much"), false)
            .unwrap();
        let answer = whole(answer.await.unwrap()).await.unwrap();
        assert_eq!(answer.text(), "ok");
        let reason = std::future::poll_fn(|cx| out.poll_reset(cx)).await.unwrap();
        assert_eq!(reason, h2::Reason::NO_ERROR);
        assert_eq!(client.get("http://shop.test/").await.unwrap().status, 200);
    });
}

#[test]
fn an_answer_that_was_cut_is_reset_and_never_ends() {
    run(async {
        for cut in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ] {
            let origin = Origin::start(Does::AnswerAndClose(cut)).await;
            let proxy = Proxy::edge(&[origin.address]).await;
            let client = Client::connect(proxy.address).await;
            let error = client.get("http://shop.test/").await.unwrap_err();
            assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
        }
    });
}

#[test]
fn a_client_that_takes_its_request_back_ends_it_at_the_origin_at_once() {
    run(async {
        let mut origin = Origin::start(Does::Stall).await;
        let patient = |resources: &mut serde_json::Value| {
            let limits = &mut resources["settings"]["node"]["limits"];
            limits["idle_timeout_ms"] = json!(600_000);
        };
        let proxy = Proxy::with(&[origin.address], patient).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::get("http://shop.test/").body(()).unwrap();
        let mut ready = client.send.clone().ready().await.unwrap();
        let (answer, mut out) = ready.send_request(request, true).unwrap();
        origin.request().await;
        out.send_reset(h2::Reason::CANCEL);
        assert!(answer.await.is_err());
        loop {
            let stats = proxy.worker.take_stats().to_json(&Outside::default());
            let stats: serde_json::Value = serde_json::from_slice(&stats).unwrap();
            let reason = &stats["requests"][0]["reason"];
            if reason == "client_closed" && stats["upstreams"][0]["running"] == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_large_body_goes_through_small_windows_in_both_directions() {
    const BYTES: usize = 1 << 18;
    run(async {
        let text = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n{}",
            "a".repeat(BYTES)
        );
        let mut origin = Origin::start(Does::Answer(text.leak().as_bytes())).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::post("http://shop.test/").body(()).unwrap();
        let sent = "z".repeat(BYTES).leak().as_bytes();
        let answer = client.send(request, Some(sent)).await.unwrap();
        assert_eq!(answer.body.len(), BYTES);
        let seen = origin.request().await;
        assert_eq!(seen.bytes().filter(|byte| *byte == b'z').count(), BYTES);
    });
}

#[test]
fn http_1_1_is_spoken_on_the_same_port() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let answer = proxy
            .send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            .await;
        assert!(answer.starts_with("HTTP/1.1 200 "));
        // Behind a request the preface is what it looks like: no request.
        let mut client = proxy.connect().await;
        client
            .write("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            .await;
        client.answer().await;
        client.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        assert!(client.answer().await.starts_with("HTTP/1.1 505 "));
    });
}
