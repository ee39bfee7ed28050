//! What must not wait for anything else: expectations and their answers, events as they happen.

use serde_json::json;

use crate::ca::Authority;
use crate::manual::{Asked, Manual};
use crate::mesh::{by_port, inbound, outbound};
use crate::support::{Client, Proxy, body, header, run};

const PUT: &str =
    "PUT / HTTP/1.1\r\nHost: cart.mesh\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
const GET: &str = "GET /events HTTP/1.1\r\nHost: cart.mesh\r\nAccept: text/event-stream\r\n\r\n";

/// A client whose request went through both halves of a hop, and the origin that has it.
async fn asked(request: &str) -> (Vec<Proxy>, Client, Manual, Asked) {
    let authority = Authority::new();
    let mut origin = Manual::start().await;
    let there = inbound(&authority, &[origin.address], json!([])).await;
    let here = outbound(Some(&authority), there.address, by_port()).await;
    let mut client = here.connect().await;
    client.write(request).await;
    let asked = origin.asked().await;
    (vec![here, there], client, origin, asked)
}

#[test]
fn a_body_follows_once_the_origin_wants_it() {
    run(async {
        let (_proxies, mut client, _origin, mut asked) = asked(PUT).await;
        assert_eq!(header(&asked.head, "expect"), Some("100-continue"));
        asked.write(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        assert!(client.answer().await.starts_with("HTTP/1.1 100 "));
        assert!(asked.has_nothing(), "{:?}", asked.rest);
        client.write("body").await;
        asked.expect(b"body").await;
        asked
            .write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")
            .await;
        let answer = client.answer().await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        // The whole exchange was in order: both connections go on.
        client.write(GET).await;
        asked.next().await;
    });
}

#[test]
fn an_origin_that_does_not_want_the_body_says_so_before_it_is_sent() {
    run(async {
        for status in ["417 Expectation Failed", "401 Unauthorized"] {
            let (_proxies, mut client, _origin, mut asked) = asked(PUT).await;
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
            asked.write(answer.as_bytes()).await;
            let answer = client.answer().await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
            assert_eq!(body(&answer), "no");
            assert_eq!(header(&answer, "mesh-reason"), None);
            // Whether the body comes now is not known: neither connection has another request.
            assert!(client.is_closed().await);
            let _ = asked.end().await;
            assert!(asked.rest.is_empty(), "nothing of a body was made up");
        }
    });
}

#[test]
fn each_event_arrives_before_the_next_is_sent() {
    run(async {
        for framing in ["Transfer-Encoding: chunked\r\n", ""] {
            let (_proxies, mut client, _origin, mut asked) = asked(GET).await;
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n");
            asked.write(head.as_bytes()).await;
            for event in ["data: 1\n\n", "data: two\n\n", ": still here\n\n"] {
                if framing.is_empty() {
                    asked.write(event.as_bytes()).await;
                } else {
                    asked
                        .write(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
                        .await;
                }
                client.find(event).await;
            }
        }
    });
}
