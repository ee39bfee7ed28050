//! Any bytes as a chunked body, cut anywhere: the first byte says how many of the next say where.
#![no_main]

#[path = "../../engine/tests/http1/feed.rs"]
mod feed;
#[path = "../../engine/tests/http1/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (cuts, bytes) = invariants::split(input);
    invariants::chunked_body(bytes, cuts);
});
