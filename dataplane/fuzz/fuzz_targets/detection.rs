//! The first bytes of a caller whose port finds out what it speaks: what they come to is the same however they were cut,
//! is not taken back by what follows, and enough of them always suffice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshnode_engine::detect::{Detected, Detection, MOST_BYTES, PREFACE};

/// What the bytes come to where they come in such pieces, and behind how many that was known.
fn outcome(bytes: &[u8], piece: usize) -> (Option<Detected>, usize) {
    let mut detection = Detection::default();
    let mut end = 0;
    loop {
        end = bytes.len().min(end + piece);
        let found = detection.look(&bytes[..end]);
        if found.is_some() || end == bytes.len() {
            return (found, end);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, bytes)) = data.split_first() else {
        return;
    };
    let bytes = &bytes[..bytes.len().min(MOST_BYTES)];
    let (whole, _) = outcome(bytes, bytes.len().max(1));
    let (pieces, end) = outcome(bytes, usize::from(*cut).max(1));
    assert_eq!(whole, pieces);
    match whole {
        None => assert!(bytes.len() < MOST_BYTES),
        Some(Detected::Http2) => assert!(bytes.starts_with(PREFACE)),
        Some(Detected::Silent) => panic!("something was said"),
        Some(found) => assert_eq!(Detection::default().look(&bytes[..end]), Some(found)),
    }
});
