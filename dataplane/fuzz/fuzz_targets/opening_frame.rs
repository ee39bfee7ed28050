//! What another node sends at the start of a raw stream: a frame, a broken one or too few bytes, the same however they
//! were cut, and what is written of it is read back.
#![no_main]

use meshnode_engine::opening::{Frame, MOST_BYTES};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = Frame::read(bytes);
    let mut first = Ok(None);
    for end in 0..=bytes.len().min(MOST_BYTES + 3) {
        first = Frame::read(&bytes[..end]);
        if !matches!(first, Ok(None)) {
            break;
        }
    }
    // That a frame is broken is told as early as it shows, and what follows one changes nothing.
    assert_eq!(first, whole);
    let Ok(Some((frame, length))) = whole else {
        return;
    };
    assert!(length <= bytes.len() && length <= MOST_BYTES + 3);
    let mut written = Vec::new();
    frame.write(&mut written);
    assert_eq!(Frame::read(&written), Ok(Some((frame, written.len()))));
});
