//! The bytes of an HTTP/1.1 body, as DATA frames and trailers. It may not hold more than the other side takes, but for
//! a little.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::SendStream;
use http::HeaderMap;

use super::{broken, fields, unwritable};
use crate::http1::{BodyDecoder, BodyLength, BodySink, HeadLimits};

/// What is taken of a body where the other side takes nothing: enough that its end, which needs no window, is seen.
const LEAST: usize = 512;
/// Data of one frame: what every receiver takes (RFC 9113 4.2).
const FRAME_BYTES: usize = 16_384;

/// A body on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    frames: SendStream<Bytes>,
    /// How much of the connection's window is asked for and not used yet. Each question takes the connection's lock.
    reserved: usize,
    decoder: BodyDecoder,
    parts: Parts,
    state: State,
}

/// How far a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its end was not read yet.
    Open,
    /// It was, and has not gone out.
    Read,
    /// It has gone out.
    Ended,
}

/// What was decoded of a body and has not gone out.
#[derive(Debug, Default)]
struct Parts {
    data: BytesMut,
    trailers: HeaderMap,
    is_bad: bool,
}

impl BodySink for Parts {
    fn data(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    fn trailer(&mut self, name: &[u8], value: &[u8]) {
        self.is_bad |= fields::append(&mut self.trailers, name, value).is_err();
    }
}

impl Outgoing {
    /// The body behind a head. `is_ended`: the head said that there is none.
    pub fn new(frames: SendStream<Bytes>, length: BodyLength, is_ended: bool) -> Self {
        Self {
            frames,
            reserved: 0,
            decoder: BodyDecoder::new(length, &HeadLimits::default()),
            parts: Parts::default(),
            state: if is_ended { State::Ended } else { State::Open },
        }
    }

    /// Whether its end has gone out.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Takes some of the body. What was taken goes out with [`Self::poll_flush`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.parts.data.is_empty() || self.state == State::Read {
            ready!(self.poll_flush(cx))?;
        }
        if self.state != State::Open {
            return Poll::Ready(Err(unwritable("bytes behind a body's end")));
        }
        self.reserve(bytes.len().min(FRAME_BYTES));
        let most = self.frames.capacity().clamp(LEAST, FRAME_BYTES);
        let piece = &bytes[..bytes.len().min(most)];
        let decoded = self.decoder.decode(piece, &mut self.parts);
        let decoded = decoded.map_err(|_| unwritable("a body's framing"))?;
        if self.parts.is_bad {
            return Poll::Ready(Err(unwritable("a trailer")));
        }
        if decoded.is_done {
            self.state = State::Read;
        }
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(decoded.consumed))
    }

    /// Ends a body whose end is that of the stream, and gives the connection what is left of it.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state == State::Open {
            self.state = State::Read;
        }
        self.poll_flush(cx)
    }

    /// Gives the connection what was taken, as far as the other side's window goes.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.parts.data.is_empty() {
            let wanted = self.parts.data.len();
            if self.reserved < wanted {
                self.reserve(wanted);
            }
            let mut capacity = self.frames.capacity();
            if capacity == 0 {
                ready!(self.poll_capacity(cx))?;
                capacity = self.frames.capacity();
            }
            let count = capacity.min(wanted);
            let is_last =
                count == wanted && self.state == State::Read && self.parts.trailers.is_empty();
            let data = self.parts.data.split_to(count).freeze();
            self.frames.send_data(data, is_last).map_err(broken)?;
            self.reserved = self.reserved.saturating_sub(count);
            if is_last {
                self.state = State::Ended;
            }
        }
        if self.state == State::Read {
            let trailers = std::mem::take(&mut self.parts.trailers);
            let sent = if trailers.is_empty() {
                self.frames.send_data(Bytes::new(), true)
            } else {
                self.frames.send_trailers(trailers)
            };
            sent.map_err(broken)?;
            self.state = State::Ended;
        } else if self.state == State::Open && self.reserved > 0 {
            // What was reserved beside is the connection's again, for other streams.
            self.reserve(0);
        }
        Poll::Ready(Ok(()))
    }

    fn reserve(&mut self, bytes: usize) {
        self.frames.reserve_capacity(bytes);
        self.reserved = bytes;
    }

    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.frames.poll_capacity(cx)) {
            Some(Ok(_)) => Poll::Ready(Ok(())),
            Some(Err(error)) => Poll::Ready(Err(broken(error))),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Ready once the other side wants no more of it.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.is_ended() {
            return Poll::Pending;
        }
        match ready!(self.frames.poll_reset(cx)) {
            Ok(reason) => Poll::Ready(broken(reason.into())),
            Err(error) => Poll::Ready(broken(error)),
        }
    }
}
