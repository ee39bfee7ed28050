//! RFC 9110 and 9112 to the last line: no answer is ever given to another request, and what is not whole is never passed
//! off as whole.

use crate::manual::{Asked, Manual};
use crate::support::{Client, Proxy, body, header, run};

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A client whose request has reached the origin.
async fn asked(request: &str) -> (Proxy, Client, Manual, Asked) {
    let mut origin = Manual::start().await;
    let proxy = Proxy::edge(&[origin.address]).await;
    let mut client = proxy.connect().await;
    client.write(request).await;
    let asked = origin.asked().await;
    (proxy, client, origin, asked)
}

/// RFC 9112 9.3: what stands behind a body nobody read is the next request, and the body is none.
#[test]
fn a_body_nobody_read_is_no_request() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut client = proxy.connect().await;
        let inner = "GET /inner HTTP/1.1\r\nHost: shop.test\r\n\r\n";
        let length = inner.len();
        let refused =
            format!("POST / HTTP/1.1\r\nHost: other\r\nContent-Length: {length}\r\n\r\n{inner}");
        client.write(&format!("{refused}{GET}")).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 404 "));
        let mut asked = origin.asked().await;
        assert!(
            asked.head.starts_with("GET / HTTP/1.1\r\n"),
            "{}",
            asked.head
        );
        asked.write(OK).await;
        assert_eq!(body(&client.answer().await), "ok");
        // One that is not there yet, or whose end only a decoder finds, costs the connection.
        for framing in ["Content-Length: 9999", "Transfer-Encoding: chunked"] {
            let mut client = proxy.connect().await;
            let head = format!("POST / HTTP/1.1\r\nHost: other\r\n{framing}\r\n\r\n");
            client.write(&format!("{head}{inner}")).await;
            let answer = client.answer().await;
            assert_eq!(header(&answer, "connection"), Some("close"));
            assert!(client.is_closed().await);
        }
        assert!(origin.was_left_alone());
    });
}

/// RFC 9112 9.2: an answer without a request has nobody to go to, least of all the next one who asks.
#[test]
fn an_answer_nobody_asked_for_is_given_to_nobody() {
    run(async {
        let other = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother";
        // At once behind the answer, and while the connection idles.
        for is_late in [false, true] {
            let (proxy, mut client, mut origin, mut asked) = asked(GET).await;
            if is_late {
                asked.write(OK).await;
                assert_eq!(body(&client.answer().await), "ok");
                asked.write(other).await;
            } else {
                asked.write(&[OK, other].concat()).await;
                assert_eq!(body(&client.answer().await), "ok");
                assert!(proxy.worker.pool.borrow().is_empty());
            }
            client.write(GET).await;
            let mut fresh = origin.asked().await;
            fresh
                .write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfresh")
                .await;
            assert_eq!(body(&client.answer().await), "fresh");
        }
    });
}

#[test]
fn an_answer_that_stalls_in_its_body_is_cut_and_not_ended() {
    run(async {
        for (framing, piece) in [
            ("Content-Length: 10", "begun"),
            ("Transfer-Encoding: chunked", "5\r\nbegun\r\n"),
            ("X-Ends: by closing", "begun"),
        ] {
            let (_proxy, mut client, _origin, mut asked) = asked(GET).await;
            asked
                .write(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{piece}").as_bytes())
                .await;
            client.find("begun").await;
            assert!(!client.ends_whole().await, "{framing}");
            let _ = asked.end().await;
        }
    });
}

#[test]
fn an_answer_that_is_cut_is_passed_on_as_cut_however_it_is_framed() {
    run(async {
        for (framing, piece) in [
            ("Content-Length: 10", "begun"),
            ("Transfer-Encoding: chunked", "5\r\nbegun\r\n"),
            ("Transfer-Encoding: chunked", "5\r\nbegun\r\n0\r\n"),
            ("Transfer-Encoding: chunked", "9\r\nbegun"),
        ] {
            let (_proxy, mut client, _origin, mut asked) = asked(GET).await;
            asked
                .write(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{piece}").as_bytes())
                .await;
            client.find("begun").await;
            drop(asked);
            assert!(!client.ends_whole().await, "{framing} {piece:?}");
        }
    });
}

#[test]
fn an_answer_ended_by_closing_is_whole_then_and_its_connection_gone() {
    run(async {
        let (proxy, mut client, _origin, mut asked) = asked(GET).await;
        asked.write(b"HTTP/1.1 200 OK\r\n\r\nall of it").await;
        drop(asked);
        let answer = client.answer().await;
        assert_eq!(header(&answer, "transfer-encoding"), Some("chunked"));
        assert!(
            body(&answer).contains("all of it") && answer.ends_with("0\r\n\r\n"),
            "{answer}"
        );
        assert!(proxy.worker.pool.borrow().is_empty());
    });
}

#[test]
fn bytes_that_are_no_answer_are_a_502_and_nothing_of_them_is_told() {
    run(async {
        for bytes in [
            "hello, who is there?\r\n",
            "220 mail.example ESMTP\r\n",
            "<html>HTTP/0.9 has no head</html>",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            "ICY 200 OK\r\n\r\n",
            "\0\0\u{1}\r\n\r\n",
        ] {
            let (proxy, mut client, _origin, mut asked) = asked(GET).await;
            asked.write(bytes.as_bytes()).await;
            let answer = client.answer().await;
            assert!(answer.starts_with("HTTP/1.1 502 "), "{bytes:?}: {answer}");
            assert_eq!(
                header(&answer, "mesh-reason"),
                Some("upstream_bad_response")
            );
            assert!(proxy.worker.pool.borrow().is_empty());
        }
    });
}

/// RFC 9112 9.3 and 6.1: an HTTP/1.0 origin closes unless it says otherwise, and knows no chunks.
#[test]
fn an_origin_of_http_1_0_is_understood_as_one() {
    run(async {
        for (head, is_kept) in [
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
                true,
            ),
        ] {
            let (proxy, mut client, _origin, mut asked) = asked(GET).await;
            asked.write(head.as_bytes()).await;
            let answer = client.answer().await;
            assert!(
                answer.starts_with("HTTP/1.1 200 "),
                "our version is ours: {answer}"
            );
            assert_eq!((body(&answer), header(&answer, "connection")), ("ok", None));
            assert_eq!(!proxy.worker.pool.borrow().is_empty(), is_kept, "{head:?}");
        }
        let (_proxy, mut client, _origin, mut asked) = asked(GET).await;
        let chunked = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        asked.write(chunked).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 502 "));
    });
}

/// RFC 9112 9.3: a client of HTTP/1.0 has one request a connection, unless it asks for more.
#[test]
fn a_client_of_http_1_0_is_served_as_one() {
    run(async {
        for (field, is_kept) in [("", false), ("Connection: keep-alive\r\n", true)] {
            let request = format!("GET / HTTP/1.0\r\nHost: shop.test\r\n{field}\r\n");
            let (_proxy, mut client, _origin, mut asked) = asked(&request).await;
            assert!(
                asked.head.starts_with("GET / HTTP/1.1\r\n"),
                "{}",
                asked.head
            );
            asked.write(OK).await;
            let answer = client.answer().await;
            assert_eq!(body(&answer), "ok");
            let wanted = is_kept.then_some("keep-alive");
            assert_eq!(header(&answer, "connection"), wanted);
            if is_kept {
                client.write(&request).await;
                asked.next().await;
            } else {
                assert!(client.is_closed().await);
            }
        }
    });
}
