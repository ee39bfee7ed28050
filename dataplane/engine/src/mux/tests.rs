//! Both ends of a link joined by memory: what one channel says, the other hears, and no channel hears another.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

use super::frame::{Flags, HEAD_BYTES, Head, Kind, WINDOW};
use super::state::{End, State};
use crate::buffers::BULK_BYTES;

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Moves what waits at one end to the other, cut wherever `cut` says.
fn carry(from: &mut State, to: &mut State, cut: usize) -> io::Result<usize> {
    let mut moved = Vec::new();
    let mut input = Vec::new();
    while !from.pending().is_empty() {
        let count = from.pending().len().min(cut.max(1));
        input.extend_from_slice(&from.pending()[..count]);
        from.advance(count);
        let taken = to.receive(&input)?;
        moved.extend(input.drain(..taken));
    }
    assert!(input.len() < HEAD_BYTES);
    Ok(moved.len())
}

fn read_all(state: &mut State, number: u32) -> (Vec<u8>, Option<io::Result<()>>) {
    let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        match state.poll_read(number, &cx(), &mut buffer) {
            Poll::Ready(Ok(0)) => return (all, Some(Ok(()))),
            Poll::Ready(Ok(count)) => all.extend_from_slice(&buffer[..count]),
            Poll::Ready(Err(error)) => return (all, Some(Err(error))),
            Poll::Pending => return (all, None),
        }
    }
}

fn write(state: &mut State, number: u32, bytes: &[u8]) -> usize {
    match state.poll_write(number, &cx(), bytes) {
        Poll::Ready(count) => count.unwrap(),
        Poll::Pending => 0,
    }
}

fn ends() -> (State, State) {
    (State::new(true), State::new(false))
}

/// A channel that both ends know.
fn joined() -> (State, State, u32) {
    let (mut here, mut there) = ends();
    let number = here.open();
    write(&mut here, number, b"hello");
    carry(&mut here, &mut there, 7).unwrap();
    assert_eq!(there.opened(), Some(number));
    assert_eq!(read_all(&mut there, number).0, b"hello");
    (here, there, number)
}

#[test]
fn whoever_waits_for_bytes_is_woken_by_them_alone() {
    let (mut here, mut there, number) = joined();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut buffer = [0; 10];
    let read = here.poll_read(number, &Context::from_waker(&waker), &mut buffer);
    assert!(read.is_pending());
    let another = here.open();
    write(&mut here, another, b"x");
    carry(&mut here, &mut there, 100).unwrap();
    write(&mut there, another, b"not for you");
    carry(&mut there, &mut here, 100).unwrap();
    assert!(!woken.0.load(Ordering::Relaxed));
    write(&mut there, number, b"for you");
    carry(&mut there, &mut here, 100).unwrap();
    assert!(woken.0.load(Ordering::Relaxed));
    assert_eq!(read_all(&mut here, number).0, b"for you");
}

#[test]
fn nobody_sends_more_than_the_other_end_has_room_for_and_reading_makes_room() {
    let (mut here, mut there, number) = joined();
    let bytes = vec![7; 3 * WINDOW as usize];
    let mut sent = 0;
    loop {
        let count = write(&mut here, number, &bytes[sent..]);
        sent += count;
        if carry(&mut here, &mut there, BULK_BYTES).unwrap() == 0 {
            break;
        }
    }
    assert_eq!(
        sent,
        WINDOW as usize - 5,
        "what a reader that does not read may cost"
    );
    assert_eq!(read_all(&mut there, number).0.len(), sent);
    carry(&mut there, &mut here, 100).unwrap();
    assert!(write(&mut here, number, &bytes[sent..]) > 0);
}

#[test]
fn a_link_takes_no_more_than_it_can_hold_and_says_when_it_can() {
    let (mut here, mut there, number) = joined();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let bytes = vec![7; 2 * BULK_BYTES];
    assert_eq!(write(&mut here, number, &bytes), BULK_BYTES);
    let another = here.open();
    let full = here.poll_write(another, &Context::from_waker(&waker), &bytes);
    assert!(full.is_pending() && !woken.0.load(Ordering::Relaxed));
    carry(&mut here, &mut there, 1000).unwrap();
    assert!(woken.0.load(Ordering::Relaxed));
}

#[test]
fn an_end_comes_behind_all_that_was_said_before_it() {
    let (mut here, mut there, number) = joined();
    write(&mut there, number, b"last words");
    there.forget(number, false);
    carry(&mut there, &mut here, 3).unwrap();
    let (bytes, end) = read_all(&mut here, number);
    assert!(bytes == b"last words" && matches!(end, Some(Ok(()))));
    assert!(!here.is_quiet(number));
    here.forget(number, true);
    carry(&mut here, &mut there, 100).unwrap();
    assert_eq!((here.len(), there.len()), (0, 0));
}

#[test]
fn a_reset_is_no_end_of_a_message() {
    let (mut here, mut there, number) = joined();
    write(&mut there, number, b"half");
    there.forget(number, true);
    carry(&mut there, &mut here, 100).unwrap();
    let (bytes, end) = read_all(&mut here, number);
    assert_eq!(bytes, b"half");
    let error = end.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let write = here.poll_write(number, &cx(), b"more");
    assert!(matches!(write, Poll::Ready(Err(_))));
}

#[test]
fn what_comes_for_a_channel_that_is_gone_hurts_nobody() {
    let (mut here, mut there, number) = joined();
    let another = here.open();
    write(&mut here, another, b"x");
    carry(&mut here, &mut there, 100).unwrap();
    here.forget(number, true);
    write(&mut there, number, &[1; 5000]);
    write(&mut there, another, b"still here");
    carry(&mut there, &mut here, 999).unwrap();
    assert_eq!(read_all(&mut here, another).0, b"still here");
    carry(&mut here, &mut there, 100).unwrap();
    assert_eq!(there.len(), 2, "its own end has to go first");
}

#[test]
fn a_channel_that_was_never_spoken_in_leaves_no_trace() {
    let (mut here, _) = ends();
    let number = here.open();
    here.forget(number, true);
    assert!(here.pending().is_empty() && here.len() == 0);
}

#[test]
fn the_end_of_the_link_is_told_to_each_channel_with_its_reason() {
    let (mut here, _, number) = joined();
    let refused = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateUnknown);
    let error = io::Error::new(io::ErrorKind::InvalidData, refused.clone());
    here.end(End::of(&error));
    let (_, end) = read_all(&mut here, number);
    let told = end.unwrap().unwrap_err();
    let inner = told.get_ref().unwrap().downcast_ref::<rustls::Error>();
    assert_eq!(inner, Some(&refused));
    assert!(!here.is_open());
}

#[test]
fn who_leaves_takes_no_channel_more_and_serves_those_on_their_way() {
    let (mut here, mut there, number) = joined();
    let late = here.open();
    write(&mut here, late, b"on its way");
    there.leave();
    carry(&mut there, &mut here, 100).unwrap();
    assert!(!here.is_open() && !here.is_quiet(number));
    carry(&mut here, &mut there, 100).unwrap();
    assert_eq!(there.opened(), Some(late));
    write(&mut there, late, b"answer");
    carry(&mut there, &mut here, 100).unwrap();
    assert_eq!(read_all(&mut here, late).0, b"answer");
}

fn frame(kind: Kind, flags: Flags, channel: u32, length: u32) -> Vec<u8> {
    let mut out = Vec::new();
    Head {
        kind,
        flags,
        channel,
        length,
    }
    .write(&mut out);
    out
}

#[test]
fn what_breaks_the_rules_ends_the_link() {
    let data = |flags, channel, length| frame(Kind::Data, flags, channel, length);
    let opened = data(Flags::SYN, 1, 0);
    let cases = [
        ("another version", [vec![1], vec![0; 11]].concat()),
        ("an unknown type", [vec![0, 9], vec![0; 10]].concat()),
        ("one of our own numbers", data(Flags::SYN, 2, 0)),
        ("a number twice", [opened.clone(), opened.clone()].concat()),
        (
            "more than the window",
            [opened.clone(), data(Flags::NONE, 1, WINDOW + 1)].concat(),
        ),
        ("too much for nobody", data(Flags::NONE, 9, WINDOW + 1)),
        (
            "a window beyond all numbers",
            [opened, frame(Kind::WindowUpdate, Flags::NONE, 1, u32::MAX)].concat(),
        ),
        (
            "pings without an end",
            frame(Kind::Ping, Flags::SYN, 0, 1).repeat(10_000),
        ),
    ];
    for (what, bytes) in cases {
        assert!(State::new(false).receive(&bytes).is_err(), "{what}");
    }
}

#[test]
fn more_channels_than_may_be_are_refused_one_by_one() {
    let mut there = State::new(false);
    for number in 0..300 {
        let bytes = frame(Kind::Data, Flags::SYN, 2 * number + 1, 0);
        there.receive(&bytes).unwrap();
    }
    assert_eq!(there.len(), 256);
    let refusals = there
        .pending()
        .chunks(HEAD_BYTES)
        .map(|head| Head::read(head.try_into().unwrap()));
    assert!(refusals.flatten().all(|head| head.flags == Flags::RST));
    assert_eq!(there.pending().len() / HEAD_BYTES, 300 - 256);
}

/// What one end does next.
#[derive(Debug, Clone)]
enum Step {
    Open,
    Write {
        here: bool,
        which: usize,
        count: usize,
    },
    Read {
        here: bool,
        which: usize,
    },
    Finish {
        here: bool,
        which: usize,
    },
    Carry {
        here: bool,
        cut: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = any::<bool>();
    let step = prop_oneof![
        1 => Just(Step::Open),
        4 => (end, 0_usize..8, 1_usize..100_000)
            .prop_map(|(here, which, count)| Step::Write { here, which, count }),
        3 => (end, 0_usize..8).prop_map(|(here, which)| Step::Read { here, which }),
        1 => (end, 0_usize..8).prop_map(|(here, which)| Step::Finish { here, which }),
        4 => (end, 1_usize..70_000).prop_map(|(here, cut)| Step::Carry { here, cut }),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    /// Whatever the two ends do in whatever order, each channel's bytes come whole, in order and in no other.
    #[test]
    fn each_channel_is_a_pipe_of_its_own(steps in steps()) {
        let (mut here, mut there) = ends();
        let mut numbers = Vec::new();
        let mut model: HashMap<(bool, u32), VecDeque<u8>> = HashMap::new();
        let mut finished = Vec::new();
        let mut next = 0_u8;
        for step in steps {
            match step {
                Step::Open if numbers.len() < 8 => {
                    let number = here.open();
                    write(&mut here, number, b"");
                    numbers.push(number);
                }
                Step::Write { here: is_here, which, count } if which < numbers.len() => {
                    let number = numbers[which];
                    let state = if is_here { &mut here } else { &mut there };
                    if finished.contains(&(is_here, number)) {
                        continue;
                    }
                    let bytes: Vec<u8> = (0..count).map(|_| { next = next.wrapping_add(1); next }).collect();
                    if let Poll::Ready(Ok(taken)) = state.poll_write(number, &cx(), &bytes) {
                        model.entry((is_here, number)).or_default().extend(&bytes[..taken]);
                    }
                }
                Step::Read { here: is_here, which } if which < numbers.len() => {
                    let number = numbers[which];
                    let state = if is_here { &mut here } else { &mut there };
                    let (bytes, end) = read_all(state, number);
                    let expected = model.entry((!is_here, number)).or_default();
                    for byte in bytes {
                        prop_assert_eq!(Some(byte), expected.pop_front());
                    }
                    if matches!(end, Some(Ok(()))) {
                        prop_assert!(finished.contains(&(!is_here, number)) && expected.is_empty());
                    }
                }
                Step::Finish { here: is_here, which } if which < numbers.len() => {
                    let number = numbers[which];
                    let state = if is_here { &mut here } else { &mut there };
                    // The far end of a channel nobody told it of yet.
                    if state.poll_readable(number, &cx()).is_pending() || is_here {
                        state.finish(number);
                        finished.push((is_here, number));
                    }
                }
                Step::Carry { here: is_here, cut } => {
                    let (from, to) = if is_here { (&mut here, &mut there) } else { (&mut there, &mut here) };
                    carry(from, to, cut).unwrap();
                    while there.opened().is_some() {}
                }
                _ => {}
            }
        }
    }

    /// Any bytes at all are frames or an error; never a panic, never more kept than the windows allow.
    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..4000)) {
        let mut there = State::new(false);
        if let Ok(taken) = there.receive(&bytes) {
            prop_assert!(bytes.len() - taken < HEAD_BYTES);
        }
    }
}
