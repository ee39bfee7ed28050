//! What is said in HTTP/1.1 comes through HTTP/2 as it was said, or not at all: what the codec and other parsers are
//! compared on, and frames by hand.

use crate::generator;
use crate::through::{Came, check, frames};

const GENERATED: u64 = 4_000;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const GET: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn what_is_said_comes_through_both_ways() {
    let requests: [&[u8]; 6] = [
        GET,
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello",
        b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;e\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nX: 1\r\nCookie: b=2\r\nx: 2\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
    ];
    let answers: [&[u8]; 5] = [
        OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-End: 2\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nX: caf\xe9\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
    ];
    for request in requests {
        for answer in answers {
            let came = check(request, answer);
            assert_eq!(came.0, Came::Whole, "{}", request.escape_ascii());
            let is_head = request.starts_with(b"HEAD") && answer.ends_with(b"\r\n\r\n");
            assert!(
                came.1 == Came::Whole || is_head,
                "{}",
                answer.escape_ascii()
            );
        }
    }
}

#[test]
fn what_is_generated_comes_through_as_it_was_or_not_at_all() {
    let mut came = [0, 0];
    for number in 0..GENERATED {
        let (asked, answered) = check(&generator::requests(number), &generator::response(number));
        came[0] += u64::from(asked == Came::Whole);
        came[1] += u64::from(answered == Came::Whole);
    }
    assert!(came[0] > GENERATED / 3, "{came:?}");
    assert!(came[1] > GENERATED / 8, "{came:?}");
}

#[test]
fn frames_become_one_message_each() {
    let settings = frame(4, 0, 0, b"");
    let get = frame(1, END_STREAM | END_HEADERS, 1, b"\x82\x86\x84\x41\x01a");
    let post = frame(1, END_HEADERS, 3, b"\x83\x86\x84\x41\x01a");
    let data = frame(0, END_STREAM, 3, GET);
    let texts = frames(&[settings, get, post, data].concat());
    let wanted = [
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
        [
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n26\r\n",
            GET,
            b"\r\n0\r\n\r\n",
        ]
        .concat(),
    ];
    assert_eq!(texts, wanted);
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let head = [0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
    [&head, payload].concat()
}
