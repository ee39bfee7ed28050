//! The first bytes of a TLS connection from anybody: what they say is the same however they were cut, a name is one that
//! hosts can have, and what was said once is not taken back by what follows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshnode_engine::client_hello::{ClientHello, Found, MOST_BYTES};

/// What the bytes come to where they come in such pieces, and behind how many that was known.
fn outcome(bytes: &[u8], piece: usize) -> (Found, usize) {
    let mut hello = ClientHello::default();
    let mut end = 0;
    loop {
        end = bytes.len().min(end + piece);
        let found = hello.look(&bytes[..end]);
        if found != Found::More || end == bytes.len() {
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
        Found::Name(name) => {
            assert!(!name.is_empty() && name.len() <= 253);
            let is_of_host = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte)
            };
            assert!(name.bytes().all(is_of_host), "{name}");
            // A hello that is whole at `end` says the same whatever follows it.
            assert_eq!(
                ClientHello::default().look(&bytes[..end]),
                Found::Name(name)
            );
        }
        Found::More => assert!(bytes.len() < MOST_BYTES),
        Found::Nothing => {}
    }
});
