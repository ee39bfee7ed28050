//! What another node sends in a link: any bytes are frames or the link's end, the same however they were cut, and what
//! is kept of them is never more than the windows allow.

#![no_main]

use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use meshnode_engine::mux::frame::WINDOW;
use meshnode_engine::mux::state::State;

/// What a link comes to: whether it goes on, what it answers, and what is to be read in each channel.
fn outcome(pieces: impl Iterator<Item = Vec<u8>>) -> (bool, Vec<u8>, Vec<(u32, Vec<u8>)>) {
    let mut state = State::new(false);
    let (mut input, mut goes_on) = (Vec::new(), true);
    for piece in pieces {
        input.extend_from_slice(&piece);
        match state.receive(&input) {
            Ok(taken) => drop(input.drain(..taken)),
            Err(_) => {
                goes_on = false;
                break;
            }
        }
    }
    let answer = state.pending().to_vec();
    let mut channels = Vec::new();
    while let Some(number) = state.opened() {
        let mut buffer = vec![0; 2 * WINDOW as usize];
        let cx = Context::from_waker(Waker::noop());
        let mut bytes = Vec::new();
        while let Poll::Ready(Ok(count @ 1..)) = state.poll_read(number, &cx, &mut buffer) {
            bytes.extend_from_slice(&buffer[..count]);
        }
        assert!(bytes.len() <= WINDOW as usize);
        channels.push((number, bytes));
    }
    (goes_on, answer, channels)
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, bytes)) = data.split_first() else {
        return;
    };
    let whole = outcome(std::iter::once(bytes.to_vec()));
    let cut = usize::from(*cut).max(1);
    let pieces = outcome(bytes.chunks(cut).map(<[u8]>::to_vec));
    assert_eq!(whole.0, pieces.0);
    // Of a link that ended, what was understood before its end may have come in one piece or in two.
    if whole.0 {
        assert_eq!(whole, pieces);
    }
});
