//! HTTP/1.1 into HTTP/2 and back, both ways: what a request and its answer say is what comes out at the other end, and
//! what can't be said there is refused. Never does a second message come out of one.
#![no_main]

#[path = "../../engine/tests/http1/feed.rs"]
mod feed;
#[path = "../../engine/tests/http2/through.rs"]
mod through;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&[high, low], texts)) = input.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_be_bytes([high, low])).min(texts.len());
    let (request, answer) = texts.split_at(length);
    through::check(request, answer);
});
