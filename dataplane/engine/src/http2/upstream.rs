//! A request to a program that speaks HTTP/2, and its answer. It may not know whose request it is.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use http::Response;
use http::header::CONTENT_LENGTH;

use super::greeting::Greeting;
use super::incoming::{Incoming, Lead};
use super::outgoing::Outgoing;
use super::websocket::{self, Key};
use super::{broken, fields, unwritable};
use crate::http1::{BodyLength, HeadLimits, HeaderStore, Parsed, RequestHead, parse_request};

/// A connection that streams are opened by.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Opens them.
    pub send: SendRequest<Bytes>,
    /// What the other side announced.
    pub greeting: Rc<Greeting>,
}

/// One stream we open: the request is written to it, its answer read from it.
#[derive(Debug)]
pub struct Upstream {
    connection: Sender,
    /// None while the request's head is still to come.
    sent: Option<Sent>,
    /// Why the head could not even be sent, if so.
    failure: Option<io::Error>,
    /// What was read of informational answers and is to be given on.
    interim: Lead,
    /// Whether the answer is a head alone, whatever it says.
    is_head: bool,
    /// That one more stream is open, until this is dropped.
    _open: Slot,
}

/// A request whose head has gone.
#[derive(Debug)]
struct Sent {
    body: Outgoing,
    answer: Answer,
    /// The nonce of the WebSocket that is asked for, where one is.
    key: Option<Key>,
}

#[derive(Debug)]
enum Answer {
    Waiting(ResponseFuture),
    Coming(Box<Incoming>),
}

/// A place among the streams of a connection; it is free again once this is dropped.
#[derive(Debug)]
pub struct Slot(Rc<Cell<usize>>);

impl Slot {
    /// One more of those that `open` counts.
    pub fn take(open: &Rc<Cell<usize>>) -> Self {
        open.set(open.get() + 1);
        Self(Rc::clone(open))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Upstream {
    /// A stream to come, of a connection that takes one more.
    pub fn new(connection: Sender, open: Slot) -> Self {
        Self {
            connection,
            sent: None,
            failure: None,
            interim: Lead::default(),
            is_head: false,
            _open: open,
        }
    }

    /// Takes some of the request: its head whole.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(sent) = &mut self.sent {
            return sent.body.poll_write(cx, bytes);
        }
        let written = match ready!(self.connection.send.poll_ready(cx)) {
            Ok(()) => ready!(self.poll_write_head(cx, bytes)),
            Err(error) => Err(refused(error)),
        };
        Poll::Ready(written.inspect_err(|error| {
            let said = error.to_string();
            self.failure = Some(io::Error::new(error.kind(), said));
        }))
    }

    fn poll_write_head(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // What we added to it is bounded with what it was made of.
        let limits = HeadLimits {
            head_bytes: HeadLimits::MOST_HEAD_BYTES,
            headers: HeadLimits::MOST_HEADERS,
            target_bytes: HeadLimits::MOST_HEAD_BYTES,
        };
        let mut store = HeaderStore::new();
        let Ok(Parsed::Complete(head)) = parse_request(bytes, &limits, &mut store) else {
            return Poll::Ready(Err(unwritable("a request's head")));
        };
        let key = if websocket::is_wanted(&head) {
            if !self.connection.send.is_extended_connect_protocol_enabled() {
                ready!(self.connection.greeting.poll(cx));
            }
            Some(self.key_of(&head)?)
        } else {
            None
        };
        Poll::Ready(self.send(&head, key))
    }

    /// The nonce of a WebSocket that is asked for, of a program that takes one.
    fn key_of(&self, head: &RequestHead<'_>) -> io::Result<Key> {
        if !self.connection.send.is_extended_connect_protocol_enabled() {
            let detail = "the instance announces no WebSocket in its HTTP/2 (RFC 8441)";
            return Err(io::Error::new(io::ErrorKind::Unsupported, detail));
        }
        Key::of(&head.headers)
            .ok_or_else(|| unwritable("a WebSocket without one Sec-WebSocket-Key"))
    }

    fn send(&mut self, head: &RequestHead<'_>, key: Option<Key>) -> io::Result<usize> {
        let is_empty = matches!(head.body, BodyLength::None | BodyLength::Length(0));
        let is_ended = is_empty && key.is_none();
        let request = fields::request(head, key.is_some())?;
        let sent = self.connection.send.send_request(request, is_ended);
        let (answer, frames) = sent.map_err(refused)?;
        self.is_head = head.method == "HEAD";
        let length = key.map_or(head.body, |_| BodyLength::UntilClose);
        self.sent = Some(Sent {
            body: Outgoing::new(frames, length, is_ended),
            answer: Answer::Waiting(answer),
            key,
        });
        Ok(head.head_bytes)
    }

    /// Says that no more follows, where that is not said by the body itself.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.sent {
            Some(sent) if sent.key.is_some() => sent.body.poll_end(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Gives the connection what was taken of the request.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.sent {
            None => Poll::Ready(Ok(())),
            Some(sent) => sent.body.poll_flush(cx),
        }
    }

    /// Reads on in the answer. 0 is its end.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let count = self.interim.read(buffer);
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            let Some(sent) = &mut self.sent else {
                // Until its request has gone there is none: who writes that is woken, and reads on then.
                let failure = self.failure.take();
                return failure.map_or(Poll::Pending, |failure| Poll::Ready(Err(failure)));
            };
            match &mut sent.answer {
                Answer::Coming(incoming) => return incoming.poll_read(cx, buffer),
                Answer::Waiting(answer) => match answer.poll_informational(cx) {
                    Poll::Ready(Some(interim)) => {
                        let interim = interim.map_err(broken)?;
                        fields::response_head(self.interim.begin(), &interim, BodyLength::None);
                    }
                    Poll::Ready(None) | Poll::Pending => {
                        let answer = ready!(std::pin::Pin::new(answer).poll(cx)).map_err(broken)?;
                        sent.answer =
                            Answer::Coming(Box::new(coming(answer, self.is_head, sent.key)));
                    }
                },
            }
        }
    }
}

/// An answer whose head came, as HTTP/1.1.
fn coming(answer: Response<RecvStream>, is_head: bool, key: Option<Key>) -> Incoming {
    let (head, frames) = answer.into_parts();
    let head = Response::from_parts(head, ());
    if let Some(key) = key.filter(|_| head.status().is_success()) {
        let mut text = Vec::with_capacity(512);
        fields::agreement(&mut text, &head, &key);
        return Incoming::new(frames, text, false);
    }
    let has_length = head.headers().contains_key(CONTENT_LENGTH);
    let framing = match (is_head || frames.is_end_stream(), has_length) {
        (false, false) => BodyLength::Chunked,
        (true, false) if !is_head && !matches!(head.status().as_u16(), 204 | 304) => {
            BodyLength::Length(0)
        }
        _ => BodyLength::None,
    };
    let mut text = Vec::with_capacity(512);
    fields::response_head(&mut text, &head, framing);
    Incoming::new(frames, text, framing == BodyLength::Chunked)
}

/// An error before anything was sent.
fn refused(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, error)
}
