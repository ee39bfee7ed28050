//! Instances that speak HTTP/2: what they are asked, how many connections that takes, what happens when they go.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::client::{Client, whole};
use super::support::{Proxy, body, header, run};

/// What an instance does with its requests.
#[derive(Clone, Copy)]
enum Does {
    /// Answers with its body and a trailer.
    Echo,
    /// Refuses the first of all, and answers the rest.
    RefuseFirst,
    /// Says goodbye behind the first answer of each connection.
    Leave,
    /// Answers by trailers alone.
    TrailersOnly,
    /// Answers when its gate lets it.
    Wait,
    /// Announces, then answers.
    Interim,
}

/// An instance, and what came to it.
struct Instance {
    address: SocketAddr,
    seen: Rc<RefCell<Vec<Request<()>>>>,
    connections: Rc<RefCell<usize>>,
    /// Requests that were taken back.
    reset: Rc<RefCell<usize>>,
    gate: Rc<Notify>,
}

impl Instance {
    async fn start(does: Does, streams: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let made = Self {
            address: listener.local_addr().unwrap(),
            seen: Rc::default(),
            connections: Rc::default(),
            reset: Rc::default(),
            gate: Rc::default(),
        };
        let (seen, connections) = (Rc::clone(&made.seen), Rc::clone(&made.connections));
        let (reset, gate) = (Rc::clone(&made.reset), Rc::clone(&made.gate));
        tokio::task::spawn_local(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                *connections.borrow_mut() += 1;
                let (seen, reset, gate) = (Rc::clone(&seen), Rc::clone(&reset), Rc::clone(&gate));
                tokio::task::spawn_local(async move {
                    let mut builder = Builder::new();
                    builder.max_concurrent_streams(streams);
                    let Ok(mut connection) = builder.handshake::<_, Bytes>(tcp).await else {
                        return;
                    };
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        let (head, frames) = request.into_parts();
                        seen.borrow_mut().push(Request::from_parts(head, ()));
                        let is_first = seen.borrow().len() == 1;
                        let (reset, gate) = (Rc::clone(&reset), Rc::clone(&gate));
                        tokio::task::spawn_local(answer(
                            does, is_first, frames, respond, reset, gate,
                        ));
                        if matches!(does, Does::Leave) {
                            connection.graceful_shutdown();
                        }
                    }
                });
            }
        });
        made
    }
}

async fn answer(
    does: Does,
    is_first: bool,
    mut frames: RecvStream,
    mut respond: SendResponse<Bytes>,
    reset: Rc<RefCell<usize>>,
    gate: Rc<Notify>,
) {
    let head = |status: u16| {
        Response::builder()
            .status(status)
            .header("x-from", "h2")
            .body(())
            .unwrap()
    };
    match does {
        Does::RefuseFirst if is_first => return respond.send_reset(Reason::REFUSED_STREAM),
        Does::TrailersOnly => {
            let mut answer = head(200);
            answer
                .headers_mut()
                .insert("grpc-status", HeaderValue::from_static("5"));
            respond.send_response(answer, true).unwrap();
            return;
        }
        Does::Wait => {
            let gone = std::future::poll_fn(|cx| respond.poll_reset(cx));
            tokio::select! {
                _ = gone => {
                    *reset.borrow_mut() += 1;
                    return;
                }
                () = gate.notified() => {}
            }
        }
        Does::Interim => {
            let hint = Response::builder()
                .status(103)
                .header("link", "</a>")
                .body(())
                .unwrap();
            respond.send_informational(hint).unwrap();
        }
        Does::Echo | Does::RefuseFirst | Does::Leave => {}
    }
    let mut out = respond.send_response(head(200), false).unwrap();
    while let Some(Ok(data)) = frames.data().await {
        frames.flow_control().release_capacity(data.len()).unwrap();
        out.send_data(data, false).unwrap();
    }
    let mut trailers = frames.trailers().await.ok().flatten().unwrap_or_default();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    out.send_trailers(trailers).unwrap();
}

async fn edge(instances: &[SocketAddr]) -> Proxy {
    Proxy::with(instances, |resources: &mut Value| {
        resources["clusters"]["shop"]["protocol"] = json!("http2");
        let limits = &mut resources["settings"]["node"]["limits"];
        limits["idle_timeout_ms"] = json!(600_000);
        limits["body_idle_timeout_ms"] = json!(600_000);
    })
    .await
}

#[test]
fn a_request_of_http_1_1_is_asked_in_http_2() {
    run(async {
        let instance = Instance::start(Does::Echo, 100).await;
        let proxy = edge(&[instance.address]).await;
        let answer = proxy
            .send("POST /a?b HTTP/1.1\r\nHost: shop.test\r\nTE: trailers\r\nConnection: te, x-mine\r\nX-Mine: 1\r\nContent-Length: 5\r\n\r\nhello")
            .await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(header(&answer, "x-from"), Some("h2"));
        assert_eq!(body(&answer), "5\r\nhello\r\n0\r\ngrpc-status: 0\r\n\r\n");
        let seen = instance.seen.borrow();
        let seen = seen.first().unwrap();
        assert_eq!(seen.uri().to_string(), "http://shop.test/a?b");
        assert_eq!(seen.headers()["content-length"], "5");
        assert_eq!(seen.headers()["te"], "trailers");
        assert_eq!(seen.headers()["via"], "1.1 node-1.meshnode");
        assert!(!seen.headers().contains_key("x-mine"));
        assert!(!seen.headers().contains_key("host"));
    });
}

#[test]
fn a_call_goes_through_with_its_trailers_both_ways_while_both_still_speak() {
    run(async {
        let instance = Instance::start(Does::Echo, 100).await;
        let proxy = edge(&[instance.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::post("http://shop.test/Echo/Both")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let mut ready = client.send.clone().ready().await.unwrap();
        let (answer, mut out) = ready.send_request(request, false).unwrap();
        let mut frames = answer.await.unwrap().into_body();
        for word in ["one", "two", "three"] {
            out.send_data(Bytes::from_static(word.as_bytes()), false)
                .unwrap();
            // Each is answered before the next is sent.
            assert_eq!(frames.data().await.unwrap().unwrap(), word);
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("3"));
        out.send_trailers(trailers).unwrap();
        assert!(frames.data().await.is_none());
        let trailers = frames.trailers().await.unwrap().unwrap();
        assert_eq!(
            (&trailers["x-sum"], &trailers["grpc-status"]),
            (
                &HeaderValue::from_static("3"),
                &HeaderValue::from_static("0")
            )
        );
    });
}

#[test]
fn an_answer_of_trailers_alone_and_an_announcement_go_on() {
    run(async {
        let instance = Instance::start(Does::TrailersOnly, 100).await;
        let proxy = edge(&[instance.address]).await;
        let client = Client::connect(proxy.address).await;
        let answer = client.get("http://shop.test/").await.unwrap();
        assert_eq!((answer.header("grpc-status"), answer.body.len()), ("5", 0));
        let instance = Instance::start(Does::Interim, 100).await;
        let proxy = edge(&[instance.address]).await;
        let client = Client::connect(proxy.address).await;
        let mut ready = client.send.clone().ready().await.unwrap();
        let request = Request::get("http://shop.test/").body(()).unwrap();
        let (mut answer, _) = ready.send_request(request, true).unwrap();
        let hint = std::future::poll_fn(|cx| answer.poll_informational(cx)).await;
        assert_eq!(hint.unwrap().unwrap().headers()["link"], "</a>");
        assert_eq!(whole(answer.await.unwrap()).await.unwrap().status, 200);
    });
}

#[test]
fn requests_share_connections_and_another_is_opened_where_one_is_full() {
    run(async {
        let instance = Instance::start(Does::Wait, 10).await;
        let proxy = edge(&[instance.address]).await;
        let client = Rc::new(Client::connect(proxy.address).await);
        // The instance's own limit is known once it has answered.
        let first = tokio::task::spawn_local({
            let client = Rc::clone(&client);
            async move { client.get("http://shop.test/").await.unwrap().status }
        });
        while instance.seen.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
        instance.gate.notify_one();
        assert_eq!(first.await.unwrap(), 200);
        let asked: Vec<_> = (0..25)
            .map(|_| {
                let client = Rc::clone(&client);
                tokio::task::spawn_local(async move {
                    client.get("http://shop.test/").await.unwrap().status
                })
            })
            .collect();
        while instance.seen.borrow().len() < 26 {
            tokio::task::yield_now().await;
        }
        assert!(
            (3..=6).contains(&*instance.connections.borrow()),
            "{}",
            instance.connections.borrow()
        );
        for _ in 0..25 {
            instance.gate.notify_one();
            tokio::task::yield_now().await;
        }
        for answer in asked {
            loop {
                instance.gate.notify_one();
                if answer.is_finished() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            assert_eq!(answer.await.unwrap(), 200);
        }
    });
}

#[test]
fn what_was_refused_unseen_is_sent_again_whatever_it_is() {
    run(async {
        let instance = Instance::start(Does::RefuseFirst, 100).await;
        let proxy = edge(&[instance.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::post("http://shop.test/").body(()).unwrap();
        let answer = client.send(request, None).await.unwrap();
        assert_eq!((answer.status, instance.seen.borrow().len()), (200, 2));
    });
}

#[test]
fn an_instance_that_leaves_loses_no_request() {
    run(async {
        let instance = Instance::start(Does::Leave, 100).await;
        let proxy = edge(&[instance.address]).await;
        let client = Client::connect(proxy.address).await;
        for _ in 0..20 {
            assert_eq!(client.get("http://shop.test/").await.unwrap().status, 200);
        }
        assert!(*instance.connections.borrow() > 1);
    });
}

#[test]
fn a_client_that_goes_takes_its_request_back_at_the_instance() {
    run(async {
        let instance = Instance::start(Does::Wait, 100).await;
        let proxy = edge(&[instance.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = Request::get("http://shop.test/").body(()).unwrap();
        let mut ready = client.send.clone().ready().await.unwrap();
        let (answer, mut out) = ready.send_request(request, true).unwrap();
        while instance.seen.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
        out.send_reset(Reason::CANCEL);
        assert!(answer.await.is_err());
        while *instance.reset.borrow() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*instance.connections.borrow(), 1);
    });
}

#[test]
fn each_call_is_balanced_by_itself() {
    run(async {
        let instances = [
            Instance::start(Does::Echo, 100).await,
            Instance::start(Does::Echo, 100).await,
        ];
        let proxy = edge(&[instances[0].address, instances[1].address]).await;
        let client = Client::connect(proxy.address).await;
        for _ in 0..10 {
            assert_eq!(client.get("http://shop.test/").await.unwrap().status, 200);
        }
        for instance in &instances {
            let found = (instance.seen.borrow().len(), *instance.connections.borrow());
            assert_eq!(found, (5, 1));
        }
    });
}

fn call(uri: &str) -> http::request::Builder {
    Request::post(uri)
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
}

#[test]
fn the_meshs_own_errors_are_statuses_of_grpc_for_calls() {
    run(async {
        let proxy = edge(&[]).await;
        let client = Client::connect(proxy.address).await;
        for (uri, status, reason) in [
            ("http://shop.test/a", "14", "no_healthy_endpoint"),
            ("http://nowhere.test/a", "12", "no_route"),
            ("http://shop.test/a/../b", "13", "path_dot_segment"),
        ] {
            let answer = client
                .send(call(uri).body(()).unwrap(), None)
                .await
                .unwrap();
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, "application/grpc")
            );
            assert_eq!(
                (answer.header("grpc-status"), answer.header("mesh-reason")),
                (status, reason)
            );
            assert!(
                answer
                    .header("grpc-message")
                    .starts_with(&reason.replace('_', " "))
            );
            assert!(answer.body.is_empty());
        }
    });
}

#[test]
fn a_call_may_be_silent_longer_than_other_requests() {
    run(async {
        let instance = Instance::start(Does::Wait, 100).await;
        let proxy = Proxy::with(&[instance.address], |resources: &mut Value| {
            resources["clusters"]["shop"]["protocol"] = json!("http2");
            let limits = &mut resources["settings"]["node"]["limits"];
            limits["idle_timeout_ms"] = json!(100);
        })
        .await;
        let client = Rc::new(Client::connect(proxy.address).await);
        let asking = Rc::clone(&client);
        let called = tokio::task::spawn_local(async move {
            let request = call("http://shop.test/a").body(()).unwrap();
            asking.send(request, None).await.unwrap()
        });
        // By then the other has waited longer.
        let other = client.get("http://shop.test/").await.unwrap();
        assert_eq!(
            (other.status, other.header("mesh-reason")),
            (504, "upstream_timeout")
        );
        instance.gate.notify_waiters();
        assert_eq!(called.await.unwrap().status, 200);
    });
}

#[test]
fn a_call_has_the_time_it_asked_for_and_no_more_than_its_route_gives() {
    run(async {
        let instance = Instance::start(Does::Wait, 100).await;
        let proxy = edge(&[instance.address]).await;
        let client = Client::connect(proxy.address).await;
        let request = call("http://shop.test/a")
            .header("grpc-timeout", "50m")
            .body(())
            .unwrap();
        let answer = client.send(request, None).await.unwrap();
        assert_eq!(
            (answer.header("grpc-status"), answer.header("mesh-reason")),
            ("4", "upstream_timeout")
        );
        // The instance hears of it.
        while *instance.reset.borrow() == 0 {
            tokio::task::yield_now().await;
        }
    });
}
