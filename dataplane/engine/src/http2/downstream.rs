//! A request of a client that speaks HTTP/2, and the answer it gets. It may not know what is answered.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::CONTENT_LENGTH;
use http::{Method, Request};

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::websocket::{self, Key};
use super::{broken, fields, unwritable};
use crate::http1::{BodyLength, HeadLimits, HeaderStore, Headers, Parsed, parse_response};

/// One stream a client opened: its request is read from it, the answer written to it.
#[derive(Debug)]
pub struct Downstream {
    respond: SendResponse<Bytes>,
    request: Incoming,
    /// The body of the answer; none while its head is still to come.
    answer: Option<Outgoing>,
    /// Whether it is asked for a head alone.
    is_head: bool,
    /// The nonce its WebSocket is asked for with, where it asks for one.
    key: Option<Key>,
    /// Whether it became that WebSocket.
    is_tunnel: bool,
    /// What the client is told if this is dropped before its answer is whole.
    reason: Reason,
    /// How many streams of the connection the client took back.
    resets: Rc<Cell<u32>>,
}

impl Downstream {
    /// The stream of a request that came. `is_https`: an https target is meant for us. `resets` is counted up where the
    /// client takes it back.
    pub fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        is_https: bool,
        resets: Rc<Cell<u32>>,
    ) -> Self {
        let (head, frames) = request.into_parts();
        let has_body = !frames.is_end_stream();
        let is_websocket = websocket::is_asked(&head.method, &head.extensions);
        let key = is_websocket.then(Key::make);
        let mut text = Vec::with_capacity(512);
        let kind = fields::Kind {
            has_body,
            is_https,
            key: key.as_ref(),
        };
        fields::request_head(&mut text, &head, kind);
        let has_length = head.headers.contains_key(CONTENT_LENGTH);
        let is_chunked = has_body && !has_length && key.is_none();
        Self {
            respond,
            request: Incoming::new(frames, text, is_chunked),
            answer: None,
            is_head: head.method == Method::HEAD,
            key,
            is_tunnel: false,
            reason: Reason::INTERNAL_ERROR,
            resets,
        }
    }

    /// The request's head, as HTTP/1.1. Only before the first read.
    pub fn take_head(&mut self) -> Vec<u8> {
        self.request.take_head()
    }

    /// Reads on in the request.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.request.poll_read(cx, buffer)
    }

    /// Takes some of the answer: heads whole, each by itself.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.answer {
            None => Poll::Ready(self.write_head(bytes)),
            Some(body) => body.poll_write(cx, bytes),
        }
    }

    fn write_head(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let method = if self.is_head { "HEAD" } else { "GET" };
        // What a route adds to an answer's head is bounded with the route.
        let limits = HeadLimits {
            head_bytes: HeadLimits::MOST_HEAD_BYTES,
            headers: HeadLimits::MOST_HEADERS,
            ..HeadLimits::default()
        };
        let mut store = HeaderStore::new();
        let Ok(Parsed::Complete(head)) = parse_response(bytes, method, &limits, &mut store) else {
            return Err(unwritable("an answer's head"));
        };
        let is_agreed = head.status == 101 && self.key.is_some();
        let response = fields::response(&head, is_agreed)?;
        if is_agreed {
            let frames = self.respond.send_response(response, false);
            let frames = frames.map_err(broken)?;
            self.answer = Some(Outgoing::new(frames, BodyLength::UntilClose, false));
            self.is_tunnel = true;
            // What would be a reset of TCP (RFC 8441 5).
            self.reason = Reason::CANCEL;
            return Ok(head.head_bytes);
        }
        if head.status < 200 {
            self.respond.send_informational(response).map_err(broken)?;
            return Ok(head.head_bytes);
        }
        let is_ended = matches!(head.body, BodyLength::None | BodyLength::Length(0));
        let frames = self.respond.send_response(response, is_ended);
        self.answer = Some(Outgoing::new(frames.map_err(broken)?, head.body, is_ended));
        Ok(head.head_bytes)
    }

    /// Whether an answer agrees to the WebSocket that is asked for, as the nonce wants it.
    pub fn is_accepted(&self, headers: &Headers<'_>) -> bool {
        self.key.is_none_or(|key| key.is_accepted(headers))
    }

    /// Says that no more follows, where that is not said by the body itself.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.answer {
            Some(body) if self.is_tunnel => body.poll_end(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Gives the connection what was taken of the answer.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.answer {
            None => Poll::Ready(Ok(())),
            Some(body) => body.poll_flush(cx),
        }
    }

    /// Ready once the client does not want its answer any more.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match &mut self.answer {
            None => self.respond.poll_reset(cx).map(|gone| match gone {
                Ok(reason) => broken(reason.into()),
                Err(error) => broken(error),
            }),
            Some(body) => body.poll_reset(cx),
        }
    }

    /// Says that nothing was done for the request, so that the client may send it anew, whatever it is
    /// (RFC 9113 8.7).
    pub fn refuse(&mut self) {
        self.reason = Reason::REFUSED_STREAM;
    }

    fn is_answered(&self) -> bool {
        self.answer.as_ref().is_some_and(Outgoing::is_ended)
    }
}

impl Drop for Downstream {
    fn drop(&mut self) {
        // An answer that is whole ends the stream by itself, and takes what is left of the request with it.
        if self.is_answered() {
            return;
        }
        if self
            .poll_gone(&mut Context::from_waker(Waker::noop()))
            .is_ready()
        {
            self.resets.set(self.resets.get().saturating_add(1));
        } else {
            self.respond.send_reset(self.reason);
        }
    }
}
