//! Sends requests and their answers through HTTP/2 in memory and says nothing: `http2_bench CASE CALLS`, for callgrind.
//! Both ends are in it, text to frames and frames to text, and the `h2` crate with them.

#![allow(clippy::unwrap_used)] // a tool of the benchmarks: what it can't do ends it

#[path = "../tests/http1/feed.rs"]
mod feed;
#[path = "../tests/http2/through.rs"]
mod through;

use std::hint::black_box;

use through::Pair;

const GET: &[u8] = b"GET /cart/items?page=2 HTTP/1.1\r\n\
Host: shop.example\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; basket=4711; seen=1\r\n\
traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
Date: Mon, 23 Nov 2026 17:00:00 GMT\r\n\
Content-Type: application/json; charset=utf-8\r\n\
Content-Length: 1024\r\n\
ETag: \"655f6e30-400\"\r\n\r\n";

const POST: &[u8] =
    b"POST /cart HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n";
const CREATED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNKS: usize = 8;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [case, calls] = &words[..] else {
        panic!("http2_bench small|chunks CALLS");
    };
    let (request, answer) = match case.as_str() {
        "small" => (GET.to_vec(), [ANSWER, &[b'x'; 1024]].concat()),
        "chunks" => (chunked(POST), chunked(CREATED)),
        other => panic!("there is no case {other}"),
    };
    let mut pair = Pair::open();
    for _ in 0..calls.parse().unwrap() {
        black_box(pair.ask(&request).expect("the request comes through"));
        black_box(pair.answer(&answer).expect("its answer comes back"));
        pair.next();
    }
}

/// A head with some chunks of 1 KiB and a trailer behind it.
fn chunked(head: &[u8]) -> Vec<u8> {
    let chunk = [b"400\r\n", &[b'x'; 1024][..], b"\r\n"].concat();
    [head, &chunk.repeat(CHUNKS), b"0\r\nx-sum: 1\r\n\r\n"].concat()
}
