//! WebSocket over HTTP/2 (RFC 8441): a tunnel only after both ends agreed, whichever version each of them speaks.

use std::fmt::Write;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::client::Client;
use super::manual::{Asked, Manual};
use super::support::{Proxy, body, header, run};

/// The answer to the key of RFC 6455 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The client's end of a WebSocket.
struct Socket {
    status: u16,
    headers: http::HeaderMap,
    send: SendStream<Bytes>,
    receive: RecvStream,
}

impl Socket {
    async fn expect(&mut self, bytes: &[u8]) {
        let mut came = Vec::new();
        while came.len() < bytes.len() {
            let data = self.receive.data().await.unwrap().unwrap();
            self.receive
                .flow_control()
                .release_capacity(data.len())
                .unwrap();
            came.extend_from_slice(&data);
        }
        assert_eq!(
            String::from_utf8_lossy(&came),
            String::from_utf8_lossy(bytes)
        );
    }

    /// Waits for its clean end.
    async fn ends(&mut self) {
        while let Some(data) = self.receive.data().await {
            assert!(data.unwrap().is_empty(), "more came");
        }
    }

    fn write(&mut self, bytes: &'static [u8]) {
        self.send
            .send_data(Bytes::from_static(bytes), false)
            .unwrap();
    }
}

fn asking(protocol: &'static str) -> Request<()> {
    Request::builder()
        .method(Method::CONNECT)
        .uri("http://shop.test/chat?room=1")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat")
        .extension(Protocol::from_static(protocol))
        .body(())
        .unwrap()
}

/// Asks for a WebSocket, once the proxy has announced that it takes one.
async fn ask(client: &Client, request: Request<()>, early: &'static [u8]) -> Socket {
    client.get("http://nowhere.test/").await.unwrap();
    let mut ready = client.send.clone().ready().await.unwrap();
    assert!(ready.is_extended_connect_protocol_enabled());
    let (answer, mut send) = ready.send_request(request, false).unwrap();
    if !early.is_empty() {
        send.send_data(Bytes::from_static(early), false).unwrap();
    }
    let (head, receive) = answer.await.unwrap().into_parts();
    Socket {
        status: head.status.as_u16(),
        headers: head.headers,
        send,
        receive,
    }
}

/// Answers the handshake of an origin that was asked in HTTP/1.1, by this text; `ACCEPT` in it is what its key wants.
async fn answer(origin: &mut Manual, text: &str) -> Asked {
    let mut asked = origin.asked().await;
    let key = header(&asked.head, "sec-websocket-key").unwrap();
    let accept = accept_of(key);
    asked
        .write(text.replace("ACCEPT", &accept).as_bytes())
        .await;
    asked
}

/// RFC 6455 4.2.2, as another make of it has it.
fn accept_of(key: &str) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
    let mut bits = String::new();
    for byte in context.finish().as_ref() {
        write!(bits, "{byte:08b}").unwrap();
    }
    let alphabet: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['+', '/'])
        .collect();
    let digits = bits.as_bytes().chunks(6).map(|six| {
        let six = format!("{:0<6}", std::str::from_utf8(six).unwrap());
        alphabet[usize::from_str_radix(&six, 2).unwrap()]
    });
    digits.chain(['=']).collect()
}

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n";

async fn edge(origins: &[SocketAddr], is_http2: bool) -> Proxy {
    Proxy::with(origins, |resources: &mut Value| {
        if is_http2 {
            resources["clusters"]["shop"]["protocol"] = json!("http2");
        }
        let limits = &mut resources["settings"]["node"]["limits"];
        limits["idle_timeout_ms"] = json!(600_000);
    })
    .await
}

/// A client of HTTP/2 before an origin of HTTP/1.1, by an edge.
struct Between {
    origin: Manual,
    client: Client,
    _proxy: Proxy,
}

impl Between {
    async fn start() -> Self {
        let origin = Manual::start().await;
        let proxy = edge(&[origin.address], false).await;
        Self {
            client: Client::connect(proxy.address).await,
            origin,
            _proxy: proxy,
        }
    }

    /// Both ends of a WebSocket that was asked for, and answered by this text.
    async fn asked(&mut self, early: &'static [u8], text: &str) -> (Socket, Asked) {
        let asking = ask(&self.client, asking("websocket"), early);
        tokio::join!(asking, answer(&mut self.origin, text))
    }
}

#[test]
fn a_client_of_http_2_reaches_an_origin_of_http_1_1() {
    run(async {
        let mut between = Between::start().await;
        let (mut socket, mut asked) = between.asked(b"early", AGREED).await;
        let head = &asked.head;
        assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{head}");
        for (name, value) in [
            ("host", "shop.test"),
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat"),
            ("via", "2.0 node-1.meshnode"),
        ] {
            assert_eq!(header(head, name), Some(value), "{head}");
        }
        assert_eq!(socket.status, 200);
        assert_eq!(socket.headers["sec-websocket-protocol"], "chat");
        for name in [
            "connection",
            "upgrade",
            "sec-websocket-accept",
            "content-length",
        ] {
            assert!(!socket.headers.contains_key(name), "{name}");
        }
        asked.expect(b"early").await;
        asked.write(b"hello").await;
        socket.expect(b"hello").await;
        socket.write(b"and back");
        asked.expect(b"and back").await;
        // Each end closes by itself, and cleanly.
        socket.send.send_data(Bytes::new(), true).unwrap();
        asked.end().await.unwrap();
        asked.write(b"last").await;
        socket.expect(b"last").await;
        drop(asked);
        socket.ends().await;
    });
}

/// Envoy CVE-2025-64763: what came behind the request went on before the origin had agreed.
#[test]
fn what_a_client_sends_early_waits_for_the_agreement() {
    run(async {
        let Between {
            mut origin,
            client,
            _proxy,
        } = Between::start().await;
        let refusing = async {
            let mut asked = origin.asked().await;
            asked
                .write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
                .await;
            let _ = asked.end().await;
            asked
        };
        let (mut socket, asked) =
            tokio::join!(ask(&client, asking("websocket"), b"early"), refusing);
        assert!(asked.rest.is_empty(), "{:?}", asked.rest);
        assert_eq!(socket.status, 403);
        socket.expect(b"no").await;
    });
}

#[test]
fn no_answer_but_an_agreement_that_is_proven_begins_one() {
    run(async {
        for (text, status, reason) in [
            (
                String::from_utf8_lossy(OK).into_owned(),
                501,
                "websocket_unsupported",
            ),
            (
                AGREED.replace("ACCEPT", ACCEPT),
                502,
                "upstream_bad_response",
            ),
            (
                AGREED.replace("Sec-WebSocket-Accept: ACCEPT\r\n", ""),
                502,
                "upstream_bad_response",
            ),
            (
                AGREED.replace("Upgrade: websocket", "Upgrade: other"),
                502,
                "upstream_bad_response",
            ),
        ] {
            let mut between = Between::start().await;
            let (socket, _asked) = between.asked(b"", &text).await;
            assert_eq!(
                (socket.status, &socket.headers["mesh-reason"]),
                (status, &reason.parse().unwrap()),
                "{text}"
            );
        }
    });
}

#[test]
fn an_answer_of_a_route_begins_none() {
    run(async {
        let proxy = Proxy::with(&[], |resources: &mut Value| {
            resources["routes"]["shop"]["action"] =
                json!({"answer": {"status": 200, "body": "hello"}});
        })
        .await;
        let client = Client::connect(proxy.address).await;
        let socket = ask(&client, asking("websocket"), b"").await;
        assert_eq!(socket.status, 501);
        assert_eq!(socket.headers["mesh-reason"], "websocket_unsupported");
    });
}

#[test]
fn another_protocol_is_refused_as_connect_is() {
    run(async {
        let mut between = Between::start().await;
        let socket = ask(&between.client, asking("connect-udp"), b"").await;
        assert_eq!(socket.status, 501);
        assert_eq!(socket.headers["mesh-reason"], "connect_unsupported");
        assert!(between.origin.was_left_alone());
    });
}

#[test]
fn a_side_that_is_lost_is_a_reset_on_the_other() {
    run(async {
        let mut between = Between::start().await;
        let (mut socket, asked) = between.asked(b"", AGREED).await;
        asked.tcp.set_zero_linger().unwrap();
        drop(asked);
        let lost = socket.receive.data().await.unwrap().unwrap_err();
        assert_eq!(lost.reason(), Some(Reason::CANCEL));
        let (mut socket, mut asked) = between.asked(b"", AGREED).await;
        socket.send.send_reset(Reason::CANCEL);
        assert!(asked.end().await.is_err());
    });
}

/// More than all windows and buffers between take: each direction waits for who reads it.
#[test]
fn who_does_not_read_holds_up_the_other_end() {
    run(async {
        let mut between = Between::start().await;
        let (mut socket, asked) = between.asked(b"", AGREED).await;
        let piece = Bytes::from(vec![b'x'; 1 << 20]);
        let filled = std::future::poll_fn(|cx| {
            socket.send.reserve_capacity(piece.len());
            // The proxy lets no more come than its window, until the origin reads.
            socket.send.poll_capacity(cx)
        });
        assert!(filled.await.unwrap().unwrap() <= 32 * 1024);
        let mut sent = 0;
        while sent < 64 << 20 {
            match asked.tcp.try_write(&piece) {
                Ok(count) => sent += count,
                Err(_) => break,
            }
        }
        // What the client does not read stays in the system's buffers: the proxy took a few windows of it.
        assert!(sent < 64 << 20, "all of it was taken");
        let whole = vec![b'x'; sent];
        socket.expect(&whole).await;
    });
}

/// What an instance that speaks HTTP/2 was asked for, and its end of that.
type Taken = (Request<RecvStream>, SendResponse<Bytes>);

/// An instance that speaks HTTP/2, and announces WebSocket or not.
async fn instance(announces: bool) -> (SocketAddr, mpsc::UnboundedReceiver<Taken>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, taken) = mpsc::unbounded_channel();
    tokio::task::spawn_local(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::task::spawn_local(async move {
                let mut builder = Builder::new();
                if announces {
                    builder.enable_connect_protocol();
                }
                let mut connection = builder.handshake(tcp).await.unwrap();
                while let Some(Ok(taken)) = connection.accept().await {
                    let _ = sender.send(taken);
                }
            });
        }
    });
    (address, taken)
}

fn asking_in_http_1(key: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
}

#[test]
fn a_client_of_http_1_1_reaches_an_instance_of_http_2() {
    run(async {
        let (address, mut taken) = instance(true).await;
        let proxy = edge(&[address], true).await;
        let mut client = proxy.connect().await;
        client.write(&asking_in_http_1(KEY)).await;
        let (request, mut respond) = taken.recv().await.unwrap();
        assert_eq!(request.method(), Method::CONNECT);
        assert_eq!(request.uri().to_string(), "http://shop.test/chat");
        let protocol = request.extensions().get::<Protocol>();
        assert_eq!(protocol.unwrap().as_str(), "websocket");
        assert_eq!(request.headers()["sec-websocket-version"], "13");
        assert!(!request.headers().contains_key("sec-websocket-key"));
        let agreed = Response::builder()
            .header("sec-websocket-protocol", "chat")
            .body(());
        let mut send = respond.send_response(agreed.unwrap(), false).unwrap();
        let mut receive = request.into_body();
        let answer = client.answer().await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        for (name, value) in [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-accept", ACCEPT),
            ("sec-websocket-protocol", "chat"),
        ] {
            assert_eq!(header(&answer, name), Some(value), "{answer}");
        }
        client.write("hello").await;
        assert_eq!(receive.data().await.unwrap().unwrap(), "hello");
        send.send_data(Bytes::from_static(b"and back"), true)
            .unwrap();
        client.expect(b"and back").await;
        assert!(client.is_closed().await);
        drop(client);
        while let Some(data) = receive.data().await {
            assert!(data.unwrap().is_empty());
        }
    });
}

#[test]
fn a_client_of_http_2_reaches_an_instance_of_http_2() {
    run(async {
        let (address, mut taken) = instance(true).await;
        let proxy = edge(&[address], true).await;
        let client = Client::connect(proxy.address).await;
        let serving = async {
            let (request, mut respond) = taken.recv().await.unwrap();
            let send = respond.send_response(Response::new(()), false).unwrap();
            (request.into_body(), send)
        };
        let (mut socket, (mut receive, mut send)) =
            tokio::join!(ask(&client, asking("websocket"), b"early"), serving);
        assert_eq!(socket.status, 200);
        assert_eq!(receive.data().await.unwrap().unwrap(), "early");
        send.send_data(Bytes::from_static(b"hello"), false).unwrap();
        socket.expect(b"hello").await;
        send.send_reset(Reason::INTERNAL_ERROR);
        let lost = socket.receive.data().await.unwrap().unwrap_err();
        assert_eq!(lost.reason(), Some(Reason::CANCEL));
    });
}

#[test]
fn an_instance_that_announces_none_is_not_asked() {
    run(async {
        let (address, mut taken) = instance(false).await;
        let proxy = edge(&[address], true).await;
        let answer = proxy.send(&asking_in_http_1(KEY)).await;
        assert!(answer.starts_with("HTTP/1.1 501 "), "{answer}");
        assert_eq!(
            header(&answer, "mesh-reason"),
            Some("websocket_unsupported")
        );
        assert!(body(&answer).contains("RFC 8441"), "{answer}");
        assert!(taken.try_recv().is_err());
    });
}

#[test]
fn a_handshake_without_its_key_is_no_websocket() {
    run(async {
        let (address, mut taken) = instance(true).await;
        let proxy = edge(&[address], true).await;
        let answer = proxy.send(&asking_in_http_1("short")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(body(&answer).contains("Sec-WebSocket-Key"), "{answer}");
        assert!(taken.try_recv().is_err());
    });
}
