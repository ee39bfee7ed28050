//! A request and its answer sent through a connection in memory: HTTP/1.1 at one end, frames between, HTTP/1.1 at the
//! other. Called by the tests and by the fuzz targets; nothing of it needs a runtime.

#![allow(dead_code)] // each of its users calls some of it

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use meshnode_engine::http1::HeadLimits;
use meshnode_engine::http2::{Downstream, PREFACE, Sender, Slot, Upstream};
use tokio::io::{AsyncWrite, DuplexStream};

use crate::feed::{Direction, Message, Outcome, feed};

/// What the two ends hold between them, and what is sent through at the most: more shows nothing new.
const MOST_BYTES: usize = 16_384;
/// Turns after which nothing more comes: each moves all that can move.
const TURNS: usize = 16;
/// Streams of one connection that are looked at.
const STREAMS: usize = 16;
/// What each hop says for itself (RFC 9113 8.2.2), and `host`, which is compared by what it means.
const OF_HOP: [&[u8]; 6] = [
    b"host",
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
];

/// How far a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It was no message, or has no form in HTTP/2: it was refused before it came out.
    Refused,
    /// It came out as it went in.
    Whole,
}

/// Sends a request's text through, then an answer's, and compares what comes out with what went in.
pub fn check(request: &[u8], answer: &[u8]) -> (Came, Came) {
    let refused = (Came::Refused, Came::Refused);
    let [asked] = &*messages(Direction::Request, request) else {
        return refused;
    };
    // What is sent on says HTTP/1.1; an HTTP/1.0 client's Expect, which means nothing, would mean something in it.
    let line = request.split(|byte| *byte == b'\r').next();
    if line.is_some_and(|line| line.ends_with(b"HTTP/1.0")) {
        return refused;
    }
    let mut pair = Pair::open();
    let Some(came) = pair.ask(&request[..asked.taken]) else {
        return refused;
    };
    let read = whole(Direction::Request, &came);
    assert_eq!(read.len(), 1, "{}", came.escape_ascii());
    assert_eq!(read[0].host, asked.host);
    assert_eq!(told(&read[0]), told(asked));
    let method = asked.start[0].as_str();
    let answers = messages(Direction::Response(method), answer);
    let taken: usize = answers.iter().map(|one| one.taken).sum();
    let switches = answers.iter().any(|one| one.flags.contains(&"switches"));
    // We frame what we answer: none ends with its connection. A tunnel has other tests.
    let is_ours = answers.last().is_some_and(|one| one.framing != "close") && !switches;
    if !is_ours || method == "CONNECT" {
        return (Came::Whole, Came::Refused);
    }
    let Some(came) = pair.answer(&answer[..taken]) else {
        return (Came::Whole, Came::Refused);
    };
    let read = whole(Direction::Response(method), &came);
    let (read, sent): (Vec<_>, Vec<_>) = (
        read.iter().map(told).collect(),
        answers.iter().map(told).collect(),
    );
    assert_eq!(read, sent);
    (Came::Whole, Came::Whole)
}

/// Gives a server any frames behind the preface: whatever streams they make, each is one message at the most.
pub fn frames(frames: &[u8]) -> Vec<Vec<u8>> {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let cx = &mut Context::from_waker(Waker::noop());
    for bytes in [PREFACE, frames] {
        let written = Pin::new(&mut client).poll_write(cx, bytes);
        assert!(matches!(written, Poll::Ready(Ok(count)) if count == bytes.len().min(1 << 20)));
    }
    let mut shaking = pin!(h2::server::handshake(server));
    let Some(mut server) = (0..TURNS).find_map(|_| match shaking.as_mut().poll(cx) {
        Poll::Ready(server) => Some(server.ok()),
        Poll::Pending => None,
    }) else {
        return Vec::new();
    };
    let mut streams: Vec<(Downstream, Vec<u8>, bool)> = Vec::new();
    for _ in 0..TURNS {
        while let Some(server) = &mut server
            && streams.len() < STREAMS
            && let Poll::Ready(Some(Ok((request, respond)))) = server.poll_accept(cx)
        {
            let stream = Downstream::new(request, respond, false, Rc::default());
            streams.push((stream, Vec::new(), false));
        }
        for (stream, text, is_ended) in &mut streams {
            *is_ended |= read(text, |buffer| stream.poll_read(cx, buffer)) == Some(true);
        }
    }
    for (_, text, _) in &streams {
        if let Outcome::Accepted(message) = feed(Direction::Request, [&**text], &limits(), None) {
            assert_eq!(message.taken, text.len(), "{}", text.escape_ascii());
        }
    }
    streams.into_iter().map(|(_, text, _)| text).collect()
}

/// Both ends of a connection, with one stream at a time.
pub struct Pair {
    send: Sender,
    open: Rc<Cell<usize>>,
    client: Pin<Box<dyn Future<Output = Result<(), h2::Error>>>>,
    server: h2::server::Connection<DuplexStream, Bytes>,
    up: Upstream,
    down: Option<Downstream>,
}

impl Pair {
    /// A connection whose ends have shaken hands.
    pub fn open() -> Self {
        let (near, far) = tokio::io::duplex(2 * MOST_BYTES);
        let cx = &mut Context::from_waker(Waker::noop());
        let mut client = pin!(h2::client::handshake(near));
        let mut server = pin!(h2::server::handshake(far));
        let (mut ours, mut theirs) = (None, None);
        while ours.is_none() || theirs.is_none() {
            if ours.is_none()
                && let Poll::Ready(made) = client.as_mut().poll(cx)
            {
                ours = Some(made.expect("the client shakes hands"));
            }
            if theirs.is_none()
                && let Poll::Ready(made) = server.as_mut().poll(cx)
            {
                theirs = Some(made.expect("the server shakes hands"));
            }
        }
        let (Some((send, client)), Some(server)) = (ours, theirs) else {
            unreachable!("both are there");
        };
        let send = Sender {
            send,
            greeting: Rc::default(),
        };
        let open = Rc::default();
        Self {
            client: Box::pin(client),
            server,
            up: Upstream::new(send.clone(), Slot::take(&open)),
            down: None,
            send,
            open,
        }
    }

    /// Goes on to the next stream.
    pub fn next(&mut self) {
        self.down = None;
        self.up = Upstream::new(self.send.clone(), Slot::take(&self.open));
    }

    /// Moves what is ready; a request that came begins a stream.
    fn turn(&mut self, cx: &mut Context<'_>) {
        let _ = self.client.as_mut().poll(cx);
        if let Poll::Ready(Some(Ok((request, respond)))) = self.server.poll_accept(cx) {
            self.down = Some(Downstream::new(request, respond, false, Rc::default()));
        }
    }

    /// What comes of a request's text at the other end, if it can be said in frames.
    pub fn ask(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let cx = &mut Context::from_waker(Waker::noop());
        let (mut rest, mut came) = (text, Vec::new());
        for _ in 0..text.len() + TURNS {
            if rest.is_empty() {
                let _ = self.up.poll_flush(cx);
            } else if let Poll::Ready(taken) = self.up.poll_write(cx, rest) {
                rest = &rest[taken.ok()?..];
            }
            self.turn(cx);
            if let Some(down) = &mut self.down
                && read(&mut came, |buffer| down.poll_read(cx, buffer))?
            {
                return Some(came);
            }
        }
        None
    }

    /// The same for its answer.
    pub fn answer(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let cx = &mut Context::from_waker(Waker::noop());
        let (mut rest, mut came) = (text, Vec::new());
        for _ in 0..text.len() + TURNS {
            let down = self.down.as_mut()?;
            if rest.is_empty() {
                let _ = down.poll_flush(cx);
            } else if let Poll::Ready(taken) = down.poll_write(cx, rest) {
                rest = &rest[taken.ok()?..];
            }
            self.turn(cx);
            if read(&mut came, |buffer| self.up.poll_read(cx, buffer))? {
                return Some(came);
            }
        }
        None
    }
}

/// Reads what is there. True: to the end; none: it is broken.
fn read(
    text: &mut Vec<u8>,
    mut poll: impl FnMut(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Option<bool> {
    let mut buffer = [0; 4096];
    loop {
        match poll(&mut buffer) {
            Poll::Pending => return Some(false),
            Poll::Ready(Ok(0)) => return Some(true),
            Poll::Ready(Ok(count)) => text.extend_from_slice(&buffer[..count]),
            Poll::Ready(Err(_)) => return None,
        }
    }
}

/// One request, or the interim answers and the final one, that stand at the beginning of these bytes; none if they are
/// not whole or too long.
fn messages(direction: Direction<'_>, bytes: &[u8]) -> Vec<Message> {
    let (mut found, mut at) = (Vec::new(), 0);
    loop {
        match feed(direction, [&bytes[at..]], &limits(), None) {
            Outcome::Accepted(message) if at + message.taken <= MOST_BYTES => {
                at += message.taken;
                let is_interim = message.flags.contains(&"interim");
                found.push(*message);
                if !is_interim {
                    return found;
                }
            }
            _ => return Vec::new(),
        }
    }
}

/// The same of what came out, where nothing may stand behind it.
fn whole(direction: Direction<'_>, bytes: &[u8]) -> Vec<Message> {
    let found = messages(direction, bytes);
    let taken: usize = found.iter().map(|one| one.taken).sum();
    assert!(
        !found.is_empty() && taken == bytes.len(),
        "{} of it taken: {}",
        taken,
        bytes.escape_ascii()
    );
    found
}

/// All that a message tells, in the form it has at both ends.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    start: Vec<String>,
    fields: Vec<Vec<u8>>,
    data: Vec<u8>,
    trailers: Vec<Vec<u8>>,
}

fn told(message: &Message) -> Told {
    let is_cookie = |name: &[u8]| name.eq_ignore_ascii_case(b"cookie");
    let mut fields: Vec<&(Vec<u8>, Vec<u8>)> = message
        .fields
        .iter()
        .filter(|(name, value)| {
            let is_of_hop = |field: &&[u8]| name.eq_ignore_ascii_case(field);
            // An answer that is nothing but a head is told to be empty.
            let is_empty = name.eq_ignore_ascii_case(b"content-length") && value == b"0";
            !is_cookie(name) && !is_empty && !OF_HOP.iter().any(is_of_hop)
        })
        .collect();
    // Those of one name stay in their order.
    fields.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    let mut fields: Vec<_> = fields.into_iter().map(line).collect();
    let crumbs = message.fields.iter().filter(|(name, _)| is_cookie(name));
    let crumbs: Vec<&[u8]> = crumbs.map(|(_, value)| value.as_slice()).collect();
    // The last of them may be empty.
    fields.push(crumbs.join(&b"; "[..]).trim_ascii_end().to_vec());
    let mut trailers: Vec<_> = message.trailers.iter().map(line).collect();
    trailers.sort();
    Told {
        start: message.start.clone(),
        fields,
        data: message.data.clone(),
        trailers,
    }
}

fn line((name, value): &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
    [&name.to_ascii_lowercase(), &b": "[..], value].concat()
}

fn limits() -> HeadLimits {
    HeadLimits::default()
}
