//! Prints what reading a head costs, beside httparse alone: `cargo run --release --example http1_bench`. It asserts
//! nothing. With `count CASE CALLS` it reads one thing so many times and says nothing: for callgrind, as `decide_bench flat`.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::Duration;

use meshnode_engine::clock;
use meshnode_engine::http1::{
    BodyDecoder, BodyLength, BodySink, HeadLimits, HeaderStore, parse_request, parse_response,
};

const WRK: &[u8] = b"GET /cart HTTP/1.1\r\nHost: shop.example:8080\r\n\r\n";

const BROWSER: &[u8] = b"GET /cart/items?page=2&sort=price HTTP/1.1\r\n\
Host: shop.example\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
Accept-Language: en-US,en;q=0.5\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Referer: http://shop.example/cart/items?page=1&sort=price\r\n\
Connection: keep-alive\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; basket=4711; seen=1\r\n\
Upgrade-Insecure-Requests: 1\r\n\
traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\
Priority: u=0, i\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
Server: nginx/1.22.1\r\n\
Date: Mon, 23 Nov 2026 17:00:00 GMT\r\n\
Content-Type: application/json; charset=utf-8\r\n\
Content-Length: 1024\r\n\
Last-Modified: Mon, 23 Nov 2026 16:00:00 GMT\r\n\
Connection: keep-alive\r\n\
ETag: \"655f6e30-400\"\r\n\
Accept-Ranges: bytes\r\n\r\n";

fn main() {
    let limits = HeadLimits::default();
    let mut store = HeaderStore::new();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, case, calls] = &words[..]
        && mode == "count"
    {
        return count(case, calls.parse().expect("a number"), &limits, &mut store);
    }
    for (name, head) in [("request of wrk", WRK), ("request of a browser", BROWSER)] {
        let alone = measure(|| {
            let mut slots = [const { MaybeUninit::uninit() }; 100];
            let mut parsed = httparse::Request::new(&mut []);
            let _ = black_box(parsed.parse_with_uninit_headers(black_box(head), &mut slots));
            black_box(parsed.headers.len());
        });
        let ours = measure(|| {
            let _ = black_box(parse_request(black_box(head), &limits, &mut store));
        });
        report(name, head.len(), alone, ours);
    }
    let alone = measure(|| {
        let mut slots = [const { MaybeUninit::uninit() }; 100];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let head = black_box(ANSWER);
        let _ = black_box(config.parse_response_with_uninit_headers(&mut parsed, head, &mut slots));
        black_box(parsed.headers.len());
    });
    let ours = measure(|| {
        let _ = black_box(parse_response(
            black_box(ANSWER),
            "GET",
            &limits,
            &mut store,
        ));
    });
    report("response of nginx", ANSWER.len(), alone, ours);
    chunks(&limits);
}

struct Count(usize);

impl BodySink for Count {
    fn data(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn trailer(&mut self, _name: &[u8], _value: &[u8]) {}
}

/// Does what a case does so many times.
fn count(case: &str, calls: usize, limits: &HeadLimits, store: &mut HeaderStore) {
    let body = chunked_body();
    for _ in 0..calls {
        match case {
            "wrk" => drop(black_box(parse_request(black_box(WRK), limits, store))),
            "browser" => drop(black_box(parse_request(black_box(BROWSER), limits, store))),
            "answer" => drop(black_box(parse_response(
                black_box(ANSWER),
                "GET",
                limits,
                store,
            ))),
            "chunks" => decode(&body, limits),
            _ => panic!("no case is called {case}"),
        }
    }
}

fn chunks(limits: &HeadLimits) {
    let body = chunked_body();
    let cost = measure(|| decode(&body, limits));
    println!("16 chunks of 1 KiB               {cost:>6.0} ns");
}

fn chunked_body() -> Vec<u8> {
    let mut body = b"400\r\n".to_vec();
    body.extend([b'x'; 1024]);
    body.extend(b"\r\n");
    let mut body = body.repeat(16);
    body.extend(b"0\r\n\r\n");
    body
}

fn decode(body: &[u8], limits: &HeadLimits) {
    let mut count = Count(0);
    let mut decoder = BodyDecoder::new(BodyLength::Chunked, limits);
    let _ = black_box(decoder.decode(black_box(body), &mut count));
    black_box(count.0);
}

fn report(name: &str, bytes: usize, alone: f64, ours: f64) {
    println!(
        "{name:<22} {bytes:>4} bytes  {ours:>6.0} ns   httparse alone {alone:>6.0} ns   x{:.2}",
        ours / alone
    );
}

/// Nanoseconds a call takes, the least of ten rounds of a tenth of a second.
fn measure(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 1_000;
    let mut least = f64::MAX;
    for _ in 0..10 {
        let start = clock::now();
        let mut calls = 0_u32;
        while start.elapsed() < Duration::from_millis(100) {
            for _ in 0..CALLS {
                call();
            }
            calls += CALLS;
        }
        least = least.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    least
}
