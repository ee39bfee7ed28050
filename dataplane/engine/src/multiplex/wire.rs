//! The bytes below the frames: a socket, clear or encrypted, as the `h2` crate takes it. It may not look at them.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::buffers::ReadBuffer;
use crate::stream::Stream;

/// A connection's bytes, counted.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    /// What was read before it was known what it is.
    early: ReadBuffer,
    counts: Rc<Counts>,
}

/// Bytes that went over a connection.
#[derive(Debug, Default)]
pub struct Counts {
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Counts {
    /// What was received and sent since the last time.
    pub fn take(&self) -> (u64, u64) {
        (self.received.take(), self.sent.take())
    }
}

impl Wire {
    /// The bytes of `stream`, which begin with those that were read already.
    pub fn new(stream: Stream, early: ReadBuffer) -> Self {
        let counts = Rc::new(Counts::default());
        counts.received.set(early.len() as u64);
        Self {
            stream,
            early,
            counts,
        }
    }

    /// What is counted of it.
    pub fn counts(&self) -> Rc<Counts> {
        Rc::clone(&self.counts)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.early.is_empty() {
            let early = this.early.filled();
            let count = early.len().min(buffer.remaining());
            buffer.put_slice(&early[..count]);
            this.early.consume(count);
            if this.early.is_empty() {
                this.early = ReadBuffer::default();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if let Stream::Plain(tcp) = &mut this.stream {
            ready!(Pin::new(tcp).poll_read(cx, buffer))?;
        } else {
            let count = ready!(this.stream.poll_read(cx, buffer.initialize_unfilled()))?;
            buffer.advance(count);
        }
        let count = buffer.filled().len() - before;
        let received = &this.counts.received;
        received.set(received.get() + count as u64);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(this.stream.poll_write(cx, bytes))?;
        this.counts.sent.set(this.counts.sent.get() + count as u64);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Stream::Plain(tcp) = &mut this.stream else {
            let first = pieces.iter().find(|piece| !piece.is_empty());
            return Pin::new(this).poll_write(cx, first.map_or(&[], |piece| piece));
        };
        let count = ready!(Pin::new(tcp).poll_write_vectored(cx, pieces))?;
        this.counts.sent.set(this.counts.sent.get() + count as u64);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_plain()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.poll_shutdown(cx)
    }
}
