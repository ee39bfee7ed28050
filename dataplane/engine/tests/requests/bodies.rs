//! Bodies on their way: every framing in, the right framing out, both ways at once.

use tokio::io::AsyncWriteExt;

use crate::support::{Does, Origin, Proxy, body, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n";

/// What a client gets for a GET of an origin that answers so.
async fn answer_of(does: Does) -> String {
    let origin = Origin::start(does).await;
    Proxy::edge(&[origin.address]).await.send(GET).await
}

#[test]
fn a_length_body_goes_with_its_length() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let post = "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(body(&proxy.send(post).await), "ok");
        let seen = origin.request().await;
        assert_eq!(
            (header(&seen, "content-length"), body(&seen)),
            (Some("5"), "hello")
        );
    });
}

#[test]
fn a_chunked_body_is_framed_anew_with_its_trailers() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let post = "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                    3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 5\r\nContent-Length: 9\r\n\r\n";
        proxy.send(post).await;
        let seen = origin.request().await;
        assert_eq!(header(&seen, "transfer-encoding"), Some("chunked"));
        assert!(
            !seen.contains("ext=1") && !seen.contains("Content-Length"),
            "{seen}"
        );
        assert!(seen.ends_with("0\r\nX-Sum: 5\r\n\r\n"), "{seen}");
    });
}

#[test]
fn answers_without_a_body_have_none() {
    run(async {
        let head = Does::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        let origin = Origin::start(head).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut client = proxy.connect().await;
        for _ in 0..2 {
            client
                .write("HEAD / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
                .await;
            let answer = client.answer_to("HEAD").await;
            assert_eq!(header(&answer, "content-length"), Some("5"));
        }
        for bytes in [
            &b"HTTP/1.1 204 No Content\r\n\r\n"[..],
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
        ] {
            let answer = answer_of(Does::Answer(bytes)).await;
            assert_eq!(body(&answer), "", "{answer}");
            assert_eq!(header(&answer, "transfer-encoding"), None);
        }
    });
}

#[test]
fn a_chunked_answer_keeps_its_trailers() {
    run(async {
        let answer = answer_of(Does::Answer(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
        ))
        .await;
        assert_eq!(body(&answer), "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n");
    });
}

#[test]
fn a_close_delimited_answer_becomes_chunked() {
    run(async {
        let answer = answer_of(Does::AnswerAndClose(b"HTTP/1.1 200 OK\r\n\r\nhello")).await;
        assert_eq!(header(&answer, "transfer-encoding"), Some("chunked"));
        assert_eq!(body(&answer), "5\r\nhello\r\n0\r\n\r\n");
    });
}

#[test]
fn an_old_client_gets_no_chunks_and_no_interim_answers() {
    run(async {
        let origin = Origin::start(Does::Answer(
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ))
        .await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut client = proxy.connect().await;
        client
            .write("GET / HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n")
            .await;
        let answer = client.answer().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(
            (header(&answer, "transfer-encoding"), body(&answer)),
            (None, "ok")
        );
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_flood_of_interim_answers_comes_to_an_end() {
    run(async {
        for (count, wanted) in [(16, "HTTP/1.1 200 OK"), (17, "HTTP/1.1 502 Bad Gateway")] {
            let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(count);
            let answer = format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            let origin = Origin::start(Does::Answer(answer.leak().as_bytes())).await;
            let mut client = Proxy::edge(&[origin.address]).await.connect().await;
            // To an old client none of them is passed on.
            client
                .write("GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n")
                .await;
            let answer = client.answer().await;
            assert!(answer.starts_with(wanted), "{answer}");
        }
    });
}

#[test]
fn interim_answers_reach_a_client_that_knows_them() {
    run(async {
        let origin = Origin::start(Does::Answer(
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ))
        .await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        client.write(GET).await;
        assert!(
            client
                .answer()
                .await
                .starts_with("HTTP/1.1 103 Early Hints\r\nLink: x\r\n")
        );
        assert!(client.answer().await.starts_with("HTTP/1.1 200 OK\r\n"));
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        let one =
            |path| format!("POST {path} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\n\r\nx");
        client
            .write(&format!("{}{}{GET}", one("/1"), one("/2")))
            .await;
        for path in ["/1", "/2", "/"] {
            assert_eq!(body(&client.answer().await), "ok");
            assert!(
                origin
                    .request()
                    .await
                    .contains(&format!(" {path} HTTP/1.1"))
            );
        }
    });
}

#[test]
fn a_body_of_megabytes_passes_in_pieces() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut client = proxy.connect().await;
        let size = 4 << 20;
        client
            .write(&format!(
                "PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {size}\r\n\r\n"
            ))
            .await;
        for _ in 0..64 {
            client.tcp.write_all(&vec![b'x'; size / 64]).await.unwrap();
        }
        assert_eq!(body(&client.answer().await), "ok");
        assert_eq!(body(&origin.request().await).len(), size);
    });
}

#[test]
fn an_early_answer_ends_the_connection_and_is_read() {
    run(async {
        let origin = Origin::start(Does::AnswerEarly(
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig",
        ))
        .await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        client
            .write("PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000000\r\n\r\nxxx")
            .await;
        let answer = client.answer().await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert_eq!(
            (header(&answer, "connection"), body(&answer)),
            (None, "big")
        );
        assert!(client.is_closed().await);
    });
}

#[test]
fn an_expectation_is_the_origins_to_meet() {
    run(async {
        let mut origin = Origin::start(Does::AnswerEarly(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ))
        .await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        client
            .write("PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            .await;
        assert!(
            client
                .answer()
                .await
                .starts_with("HTTP/1.1 100 Continue\r\n")
        );
        assert_eq!(
            header(&origin.request().await, "expect"),
            Some("100-continue")
        );
    });
}

#[test]
fn an_interim_answer_has_no_length() {
    run(async {
        let origin = Origin::start(Does::Answer(
            b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ))
        .await;
        let mut client = Proxy::edge(&[origin.address]).await.connect().await;
        client.write(GET).await;
        assert_eq!(header(&client.answer().await, "content-length"), None);
        assert_eq!(body(&client.answer().await), "ok");
    });
}
