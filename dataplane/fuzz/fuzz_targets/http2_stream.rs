//! Any frames of a client, behind the preface: each request they make is one message of HTTP/1.1 as the codec reads it,
//! with nothing behind it, or one it refuses.
#![no_main]

#[path = "../../engine/tests/http1/feed.rs"]
mod feed;
#[path = "../../engine/tests/http2/through.rs"]
mod through;

libfuzzer_sys::fuzz_target!(|frames: &[u8]| {
    through::frames(frames);
});
