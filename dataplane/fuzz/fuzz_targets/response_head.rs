//! Any bytes as an answer to a GET, a HEAD or a CONNECT, cut anywhere: the first byte says how many of the next say
//! where.
#![no_main]

#[path = "../../engine/tests/http1/feed.rs"]
mod feed;
#[path = "../../engine/tests/http1/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (cuts, bytes) = invariants::split(input);
    for method in ["GET", "HEAD", "CONNECT"] {
        invariants::response(bytes, method, cuts);
    }
});
