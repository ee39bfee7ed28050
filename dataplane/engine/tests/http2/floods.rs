//! What is sent to break a server: each is cut or costs nothing, and a client of good manners is answered meanwhile.

use meshnode_engine::stats::Outside;
use serde_json::{Value, json};

use super::client::Client;
use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, Raw,
    SETTINGS, WINDOW_UPDATE, field, frame, get, request,
};
use super::support::{Does, Origin, Proxy, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;
const CANCEL: [u8; 4] = [0, 0, 0, 8];

async fn proxy(origin: &Origin) -> Proxy {
    let patient = |resources: &mut Value| {
        let limits = &mut resources["settings"]["node"]["limits"];
        limits["idle_timeout_ms"] = json!(600_000);
        limits["body_idle_timeout_ms"] = json!(600_000);
    };
    Proxy::with(&[origin.address], patient).await
}

fn cut(proxy: &Proxy) -> Value {
    let stats = proxy.worker.take_stats().to_json(&Outside::default());
    let stats: Value = serde_json::from_slice(&stats).unwrap();
    stats["cut_connections"].clone()
}

/// Whether another client is served.
async fn serves(proxy: &Proxy) -> bool {
    let client = Client::connect(proxy.address).await;
    client
        .get("http://shop.test/")
        .await
        .is_ok_and(|answer| answer.status == 200)
}

#[test]
fn a_rapid_reset_is_cut_within_two_hundred() {
    run(async {
        // One by one, so that each stream is taken before it is taken back; and all in one write.
        for is_slow in [true, false] {
            let origin = Origin::start(Does::Answer(OK)).await;
            let proxy = proxy(&origin).await;
            let mut raw = Raw::connect(proxy.address, &[]).await;
            let mut burst = Vec::new();
            for number in 0..200 {
                let stream = 2 * number + 1;
                let frames = [request(stream), frame(RST_STREAM, 0, stream, &CANCEL)].concat();
                if is_slow {
                    raw.write(&frames).await;
                    tokio::task::yield_now().await;
                } else {
                    burst.extend_from_slice(&frames);
                }
            }
            raw.write(&burst).await;
            assert_eq!(raw.farewell().await, Some(ENHANCE_YOUR_CALM));
            assert!(serves(&proxy).await);
            let counted = cut(&proxy);
            let cause = counted[0]["cause"].as_str().unwrap();
            assert!(
                matches!(cause, "http2_rapid_reset" | "http2_flood"),
                "{counted}"
            );
        }
    });
}

#[test]
fn a_client_that_changes_its_mind_now_and_then_goes_on() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = proxy(&origin).await;
        let client = Client::connect(proxy.address).await;
        for _ in 0..60 {
            let mut ready = client.send.clone().ready().await.unwrap();
            let request = http::Request::get("http://shop.test/").body(()).unwrap();
            let (answer, mut out) = ready.send_request(request, false).unwrap();
            out.send_reset(h2::Reason::CANCEL);
            drop(answer);
            assert_eq!(client.get("http://shop.test/").await.unwrap().status, 200);
        }
        assert_eq!(cut(&proxy), json!([]));
    });
}

#[test]
fn a_server_that_is_made_to_reset_ends_the_connection() {
    run(async {
        let origin = Origin::start(Does::Stall).await;
        let proxy = proxy(&origin).await;
        let mut raw = Raw::connect(proxy.address, &[]).await;
        let mut burst = Vec::new();
        for number in 0..400 {
            let stream = 2 * number + 1;
            burst.extend(request(stream));
            // A window beyond all bounds is an error of the stream (RFC 9113 6.9.1).
            burst.extend(frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]));
        }
        raw.write(&burst).await;
        assert_eq!(raw.farewell().await, Some(ENHANCE_YOUR_CALM));
        assert_eq!(cut(&proxy)[0], json!({"cause": "http2_flood", "count": 1}));
    });
}

#[test]
fn a_head_that_never_ends_is_cut() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        for piece in [vec![], field(b"x-fill", &[b'a'; 100]).repeat(100)] {
            let proxy = proxy(&origin).await;
            let mut raw = Raw::connect(proxy.address, &[]).await;
            raw.write(&frame(HEADERS, END_STREAM, 1, &get(b"/"))).await;
            let mut count = 0;
            while raw.write(&frame(CONTINUATION, 0, 1, &piece)).await {
                count += 1;
                assert!(count < 100_000, "a head of any size is taken");
                tokio::task::yield_now().await;
            }
            assert!(serves(&proxy).await);
            assert_eq!(cut(&proxy).as_array().unwrap().len(), 1);
        }
    });
}

#[test]
fn a_head_over_the_limit_is_answered_and_the_connection_goes_on() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = proxy(&origin).await;
        let client = Client::connect(proxy.address).await;
        let large = http::Request::get("http://shop.test/").header("x-fill", "a".repeat(40_000));
        let answer = client.send(large.body(()).unwrap(), None).await.unwrap();
        assert_eq!(answer.status, 431);
        assert_eq!(client.get("http://shop.test/").await.unwrap().status, 200);
    });
}

#[test]
fn frames_that_mean_nothing_hold_nothing_up() {
    run(async {
        let priority = frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]);
        let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]);
        for flood in [frame(PING, 0, 0, &[7; 8]), priority, settings] {
            let origin = Origin::start(Does::Answer(OK)).await;
            let proxy = proxy(&origin).await;
            let mut raw = Raw::connect(proxy.address, &[]).await;
            // The proxy's answers are not read: what it can't send it does not make.
            for _ in 0..2_000 {
                let burst = flood.repeat(64);
                let written =
                    tokio::time::timeout(std::time::Duration::from_millis(50), raw.write(&burst));
                if !matches!(written.await, Ok(true)) {
                    break;
                }
            }
            assert!(serves(&proxy).await);
        }
    });
}

#[test]
fn data_frames_of_nothing_are_cut() {
    run(async {
        let origin = Origin::start(Does::Stall).await;
        let proxy = proxy(&origin).await;
        let mut raw = Raw::connect(proxy.address, &[]).await;
        raw.write(&frame(HEADERS, END_HEADERS, 1, &get(b"/"))).await;
        raw.write(&frame(DATA, 0, 1, &[]).repeat(10_000)).await;
        assert_eq!(raw.farewell().await, Some(ENHANCE_YOUR_CALM));
    });
}

#[test]
fn a_client_that_takes_nothing_gets_nothing_read_for_it() {
    const STREAMS: u32 = 100;
    run(async {
        let large = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n{}",
            "a".repeat(9_999_999)
        );
        let origin = Origin::start(Does::Answer(large.leak().as_bytes())).await;
        let proxy = proxy(&origin).await;
        // Its windows are shut from the start.
        let mut raw = Raw::connect(proxy.address, &[(4, 0)]).await;
        raw.until(SETTINGS).await;
        raw.write(&frame(SETTINGS, ACK, 0, &[])).await;
        for number in 0..STREAMS {
            raw.write(&request(2 * number + 1)).await;
        }
        for _ in 0..STREAMS {
            assert_eq!(raw.until(HEADERS).await.unwrap().flags & END_STREAM, 0);
        }
        // What came for them stays where it is: at the origin.
        let client = Client::connect(proxy.address).await;
        let first = client.get("http://nowhere.test/").await.unwrap();
        assert_eq!(first.status, 404);
    });
}

#[test]
fn what_has_no_place_in_a_field_never_reaches_an_origin() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = proxy(&origin).await;
        for evil in [
            field(b"x-evil", b"a\r\nhost: bank"),
            field(b"x-evil", b"a\nb"),
            field(b"x-evil", b"a\0b"),
            field(b"x evil", b"a"),
            field(b"X-Evil", b"a"),
            field(b"connection", b"close"),
            field(b"transfer-encoding", b"chunked"),
            field(b"te", b"gzip"),
            field(b":path", b"/b"),
            field(b":status", b"200"),
            field(b"content-length", b"5"),
        ] {
            let mut raw = Raw::connect(proxy.address, &[]).await;
            let fields = [get(b"/"), evil].concat();
            raw.write(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields))
                .await;
            assert!(
                is_refused(&mut raw).await,
                "{}",
                String::from_utf8_lossy(&fields)
            );
        }
        for path in [&b"/a b"[..], b"/a\rb", b"", b"a", b"/\xff"] {
            let mut raw = Raw::connect(proxy.address, &[]).await;
            raw.write(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &get(path)))
                .await;
            assert!(
                is_refused(&mut raw).await,
                "{}",
                String::from_utf8_lossy(path)
            );
        }
        assert!(serves(&proxy).await);
        assert!(origin.request().await.starts_with("GET / HTTP/1.1\r\n"));
    });
}

#[test]
fn data_that_contradicts_its_length_is_refused() {
    run(async {
        let origin = Origin::start(Does::Stall).await;
        let proxy = proxy(&origin).await;
        for data in [&b"ab"[..], b"abcd"] {
            let mut raw = Raw::connect(proxy.address, &[]).await;
            let fields = [get(b"/"), field(b"content-length", b"3")].concat();
            raw.write(&frame(HEADERS, END_HEADERS, 1, &fields)).await;
            raw.write(&frame(DATA, END_STREAM, 1, data)).await;
            let reset = raw.until(RST_STREAM).await.unwrap();
            assert_eq!(reset.payload, PROTOCOL_ERROR.to_be_bytes());
        }
    });
}

/// Whether a request was refused: by a reset of its stream or connection, or an answer of 400.
async fn is_refused(raw: &mut Raw) -> bool {
    loop {
        let Some(frame) = raw.read().await else {
            return true;
        };
        match frame.kind {
            RST_STREAM => return true,
            // `:status 400` of the static table (RFC 7541 appendix A).
            HEADERS => return frame.payload.contains(&0x8c),
            _ => {}
        }
    }
}
