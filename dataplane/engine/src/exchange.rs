//! One request's bytes to the upstream and its response's bytes back, at the same time and with
//! backpressure both ways. It may not decide where they go, nor what a head says.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::buffers::BufferPool;
use crate::clock::{self, Instant};
use crate::error::{Error, Reason};
use crate::flow::{Flow, RequestBody};
use crate::http1::{
    BadMessage, BodyLength, HeadLimits, HeaderStore, Parsed, ResponseHead, Version, parse_response,
    upgrade,
};
use crate::side::Side;
use crate::tls;

/// How many informational answers may come before the final one: more is a flood.
const INTERIM_ANSWERS: u32 = 16;

/// How a response begins.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    /// Its status code.
    pub status: u16,
    /// Whether the client was told that its connection goes on.
    pub keeps_client: bool,
    /// Whether the upstream will keep its connection.
    pub keeps_upstream: bool,
    /// How its body ends where it came from.
    pub body: BodyLength,
    /// How its body is written on.
    pub framing: BodyLength,
}

/// Writes the response's head for the one who asked, and says how it begins.
///
/// It is told whether the request could be sent once more. None: the answer is not taken, and nothing was written of it.
pub type WriteHead<'w> = dyn FnMut(&ResponseHead<'_>, &mut Vec<u8>, bool) -> Option<Begun> + 'w;

/// A request under way: its head stands in the upstream's output already.
#[derive(Debug)]
pub struct Exchange<'a> {
    down: &'a mut Side,
    up: &'a mut Side,
    limits: HeadLimits,
    /// Room to read the answer's head in.
    headers: &'a RefCell<HeaderStore>,
    /// Where buffers are taken from.
    buffers: &'a RefCell<BufferPool>,
    method: &'a str,
    client: Version,
    request: &'a mut RequestBody,
    response: Option<Flow>,
    /// The upstream takes no more of the request; its answer may still come.
    is_refused: bool,
    /// The protocols that were asked for by `Upgrade`.
    upgrade: Option<&'a [u8]>,
    interim_answers: u32,
    /// When the first byte of the answer came, while its head is not whole.
    head_began: Option<Instant>,
}

impl<'a> Exchange<'a> {
    /// An exchange of a request with this body.
    pub fn new(
        down: &'a mut Side,
        up: &'a mut Side,
        limits: HeadLimits,
        (headers, buffers): (&'a RefCell<HeaderStore>, &'a RefCell<BufferPool>),
        method: &'a str,
        client: Version,
        request: &'a mut RequestBody,
    ) -> Self {
        Self {
            down,
            up,
            limits,
            headers,
            buffers,
            method,
            client,
            request,
            response: None,
            is_refused: false,
            upgrade: None,
            interim_answers: 0,
            head_began: None,
        }
    }

    /// The same exchange, where one of these protocols may follow on it.
    #[must_use]
    pub fn with_upgrade(mut self, upgrade: Option<&'a [u8]>) -> Self {
        self.upgrade = upgrade;
        self
    }

    /// Bytes moved so far in either direction: a wait in which it does not grow is idle.
    pub fn progress(&self) -> u64 {
        self.down.received + self.down.sent + self.up.received + self.up.sent
    }

    /// Whether the whole request was taken: if not, the downstream connection ends with the answer.
    pub fn is_request_complete(&self) -> bool {
        self.request.is_complete() && !self.is_refused && self.up.is_drained()
    }

    /// Whether the client was told something of the answer already, or could have been.
    pub const fn has_told(&self) -> bool {
        self.interim_answers > 0
    }

    /// Why nothing moves any more: whose turn it is.
    pub fn stalled(&self, idle: Duration) -> Error {
        let milliseconds = idle.as_millis();
        if self.response.is_some() && !self.down.is_drained() {
            let detail = format!("the client took nothing of its answer for {milliseconds} ms");
            return Error::downstream(Reason::ClientClosed, detail);
        }
        if !self.is_refused && !self.up.is_drained() {
            let detail = format!("the upstream took nothing of the request for {milliseconds} ms");
            return Error::upstream(Reason::UpstreamTimeout, detail);
        }
        if self.request.is_complete() || self.is_refused || self.response.is_some() {
            let detail = format!("the upstream sent nothing for {milliseconds} ms");
            return Error::upstream(Reason::UpstreamTimeout, detail);
        }
        let detail = format!("nothing of the request's body came for {milliseconds} ms");
        Error::downstream(Reason::RequestTimeout, detail)
    }

    /// Whether the answer's head began longer ago than `most` and still is not whole: it drips.
    pub fn is_head_late(&self, most: Duration) -> bool {
        self.head_began.is_some_and(|began| began.elapsed() >= most)
    }

    /// Sends the request on until the response's head has come and `write_head` has written it.
    pub fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        write_head: &mut WriteHead<'_>,
    ) -> Poll<Result<Begun, Error>> {
        loop {
            if let Some(begun) = self.take_head(write_head)? {
                self.head_began = None;
                return Poll::Ready(Ok(begun));
            }
            if self.head_began.is_none() && !self.up.input.is_empty() {
                self.head_began = Some(clock::now());
            }
            self.poll_request(cx)?;
            // Informational answers go at once: the final one may follow much later.
            let _ = self
                .down
                .poll_drain(cx)
                .map_err(|error| client_gone(&error))?;
            let Poll::Ready(filled) = self.poll_up(cx) else {
                self.check_client(cx)?;
                self.rest();
                return Poll::Pending;
            };
            match filled {
                Ok(0) => return Poll::Ready(Err(self.closed_before_answer())),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(self.failed_before_answer(&error))),
            }
        }
    }

    /// Moves the bodies until the response is written whole.
    pub fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_request(cx)?;
        loop {
            let Some(response) = &mut self.response else {
                return Poll::Ready(Ok(()));
            };
            response.advance(self.up, self.down).map_err(bad_response)?;
            let is_complete = response.is_complete;
            match self
                .down
                .poll_drain(cx)
                .map_err(|error| client_gone(&error))?
            {
                Poll::Ready(()) if is_complete => return Poll::Ready(Ok(())),
                Poll::Pending if is_complete || self.down.is_full() => {
                    self.check_client(cx)?;
                    return Poll::Pending;
                }
                _ => {}
            }
            // There was no room for more of it.
            if !self.up.input.is_empty() {
                continue;
            }
            let Poll::Ready(filled) = self.poll_up(cx) else {
                self.check_client(cx)?;
                self.rest();
                return Poll::Pending;
            };
            let Some(response) = &mut self.response else {
                return Poll::Ready(Ok(()));
            };
            match filled {
                // A reset is no end, not even of an answer that ends by closing (RFC 9112 §8).
                Ok(0) if response.may_end() => response.finish(self.down),
                Ok(0) | Err(_) => return Poll::Ready(Err(cut_short())),
                Ok(_) => {}
            }
        }
    }

    /// Reads on in the answer, by a buffer that is taken when there is something to read.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.up.input.is_bare() {
            ready!(self.up.stream.poll_readable(cx, false))?;
            let pool = &mut self.buffers.borrow_mut();
            self.up.input = pool.take_read();
            self.down.lend_output(pool);
        }
        self.up.poll_fill(cx)
    }

    /// Gives back what is not needed while nothing comes: who waits for a slow answer, or for the next piece of one,
    /// holds no more than who idles.
    fn rest(&mut self) {
        let pool = &mut self.buffers.borrow_mut();
        self.up.rest(pool);
        if self.request.is_complete() {
            self.down.rest(pool);
        }
    }

    /// Moves as much of the request as goes without waiting; only the downstream's faults are errors.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while !self.is_refused {
            if !self.request.is_complete() && !self.down.input.is_empty() {
                self.up.lend_output(&mut self.buffers.borrow_mut());
            }
            self.request.advance(self.down, self.up)?;
            self.is_refused = matches!(self.up.poll_drain(cx), Poll::Ready(Err(_)));
            if self.is_refused || self.request.is_complete() || self.up.is_full() {
                return Ok(());
            }
            // There was no room for more of it.
            if !self.down.input.is_empty() {
                continue;
            }
            match self.down.poll_fill(cx) {
                // It has its answer in view and says no more: what is left of that it still takes.
                Poll::Ready(Ok(0)) if self.response.is_some() => self.is_refused = true,
                Poll::Ready(Ok(0)) => {
                    return Err(client_gone(&io::ErrorKind::UnexpectedEof.into()));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(client_gone(&error)),
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether the client still wants its answer, where it can say otherwise without a word.
    fn check_client(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        match self.down.stream.poll_gone(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(error) => Err(client_gone(&error)),
        }
    }

    /// Takes a whole head off the upstream's input, if one is there; informational ones go on or are
    /// dropped (RFC 9110 §15.2: an HTTP/1.0 client gets none).
    fn take_head(&mut self, write_head: &mut WriteHead<'_>) -> Result<Option<Begun>, Error> {
        while !self.up.input.is_empty() {
            let mut store = self.headers.borrow_mut();
            let parsed = parse_response(
                self.up.input.filled(),
                self.method,
                &self.limits,
                &mut store,
            )
            .map_err(bad_response)?;
            let Parsed::Complete(head) = parsed else {
                return Ok(None);
            };
            let head_bytes = head.head_bytes;
            let is_agreed = |asked| upgrade::is_agreed(&head, asked);
            let is_agreed = self.upgrade.is_some_and(is_agreed);
            if is_agreed && !self.down.stream.is_accepted(&head.headers) {
                let detail =
                    "the upstream agreed to a WebSocket without the right Sec-WebSocket-Accept";
                return Err(Error::upstream(Reason::UpstreamBadResponse, detail));
            }
            // To a client of HTTP/2 any such status would say that the WebSocket has begun (RFC 9113 8.5).
            let is_taken_for_one = self.upgrade.is_some() && self.down.stream.is_stream();
            if is_taken_for_one && matches!(head.status, 200..300) {
                return Err(no_websocket(head.status));
            }
            if head.status >= 200 || is_agreed {
                let may_repeat = self.request.is_whole() && !self.has_told();
                let Some(begun) = write_head(&head, self.down.output.tail(), may_repeat) else {
                    return Err(not_taken(head.status));
                };
                self.up.input.consume(head_bytes);
                self.response = Some(Flow::new(begun.body, begun.framing, &self.limits));
                return Ok(Some(begun));
            }
            self.interim_answers += 1;
            if head.status == 101 || self.interim_answers > INTERIM_ANSWERS {
                let detail = "the upstream sent informational answers nobody asked for";
                return Err(Error::upstream(Reason::UpstreamBadResponse, detail));
            }
            if self.client == Version::Http11 {
                crate::rewrite::interim_head(&head, self.down.output.tail());
            }
            self.up.input.consume(head_bytes);
        }
        Ok(None)
    }

    fn closed_before_answer(&self) -> Error {
        let detail = if self.up.input.is_empty() {
            "the upstream closed the connection before it answered"
        } else {
            "the upstream closed the connection in the middle of its answer's head"
        };
        let error = Error::upstream(Reason::UpstreamClosed, detail);
        // Not a byte of an answer: whether a repetition is harmless is for the method to say.
        if self.up.input.is_empty() && !self.has_told() {
            error.retryable()
        } else {
            error
        }
    }

    fn failed_before_answer(&self, error: &io::Error) -> Error {
        if error.kind() == io::ErrorKind::StorageFull {
            let detail = "the answer's head is over the limit";
            return Error::upstream(Reason::UpstreamBadResponse, detail);
        }
        if error.kind() == io::ErrorKind::InvalidInput {
            let detail = format!("the request has what HTTP/2 does not carry: {error}");
            return Error::downstream(Reason::BadRequest, detail);
        }
        if error.kind() == io::ErrorKind::Unsupported {
            return Error::upstream(Reason::WebsocketUnsupported, error.to_string());
        }
        let closed = self.closed_before_answer();
        if closed.is_retryable && error.kind() == io::ErrorKind::ConnectionRefused {
            let detail = "the upstream refused the request before it looked at it";
            return Error::upstream(Reason::ConnectFailed, detail).retryable();
        }
        match tls::refusal(error) {
            // Of an answer that has begun nothing is repeated, whatever ends it.
            Some(refused) if closed.is_retryable => refused,
            _ => closed,
        }
    }
}

fn bad_response(bad: BadMessage) -> Error {
    Error::upstream(
        Reason::UpstreamBadResponse,
        format!("the upstream's answer: {bad}"),
    )
}

fn no_websocket(status: u16) -> Error {
    let detail = format!("a WebSocket was asked for, and the upstream answered {status}");
    Error::upstream(Reason::WebsocketUnsupported, detail)
}

fn not_taken(status: u16) -> Error {
    let detail = format!("the upstream answered {status}");
    Error::upstream(Reason::UpstreamBadResponse, detail)
}

fn client_gone(error: &io::Error) -> Error {
    Error::downstream(
        Reason::ClientClosed,
        format!("the client went away: {error}"),
    )
}

fn cut_short() -> Error {
    Error::upstream(Reason::UpstreamClosed, "the upstream cut its answer short")
}
