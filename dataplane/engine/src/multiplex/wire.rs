//! The bytes below the frames: a socket, clear or encrypted, as the `h2` crate takes it. It may not look at them.
//!
//! The crate writes each frame of data by itself and flushes behind it. A record and a system call for each would cost
//! more than the frame does, so a flush sends nothing: frames are gathered until whoever drives the connection has let
//! the crate do all there is to do, and go as one.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::buffers::{ReadBuffer, WriteBuffer};
use crate::stream::Stream;

/// What is gathered at the most, beside one frame: what fills a record. More would only wait longer.
const GATHERED: usize = 16 * 1024;
/// What a frame has beside its 16 KiB.
const FRAME_HEAD: usize = 64;

/// A connection's bytes, as the crate takes them.
#[derive(Debug)]
pub struct Wire(Rc<Socket>);

/// The same connection for whoever drives it.
#[derive(Debug)]
pub struct Outlet(Rc<Socket>);

#[derive(Debug)]
struct Socket {
    below: RefCell<Below>,
    /// Bytes that went over it and were not told yet.
    received: Cell<u64>,
    sent: Cell<u64>,
}

#[derive(Debug)]
struct Below {
    stream: Stream,
    /// What was read before it was known what it is.
    early: ReadBuffer,
    /// Frames that were not sent yet.
    gathered: WriteBuffer,
    /// Whether some were, which may stand in the layer above the socket.
    is_unflushed: bool,
}

impl Wire {
    /// The bytes of `stream`, which begin with those that were read already.
    pub fn new(stream: Stream, early: ReadBuffer) -> (Self, Outlet) {
        let socket = Rc::new(Socket {
            received: Cell::new(early.len() as u64),
            sent: Cell::new(0),
            below: RefCell::new(Below {
                stream,
                early,
                gathered: WriteBuffer::default(),
                is_unflushed: false,
            }),
        });
        (Self(Rc::clone(&socket)), Outlet(socket))
    }
}

impl Outlet {
    /// Sends what was gathered. An error is the crate's to find out, by its next read or write.
    pub fn send(&self, cx: &mut Context<'_>) {
        let _ = self.0.below.borrow_mut().poll_send(cx);
    }

    /// Whether all that was written has gone to the socket.
    pub fn is_drained(&self) -> bool {
        let below = self.0.below.borrow();
        below.gathered.is_empty() && !below.is_unflushed
    }

    /// How many bytes were received and sent since the last time.
    pub fn take_counts(&self) -> (u64, u64) {
        (self.0.received.take(), self.0.sent.take())
    }
}

impl Below {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is encrypted for a socket that takes no more: it would only be held twice.
        if self.is_unflushed {
            ready!(self.stream.poll_flush(cx))?;
            self.is_unflushed = false;
        }
        if self.gathered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.gathered.is_empty() {
            let count = ready!(self.stream.poll_write(cx, self.gathered.pending()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(count);
            self.is_unflushed = true;
        }
        // A connection that idles holds no buffer.
        self.gathered = WriteBuffer::default();
        ready!(self.stream.poll_flush(cx))?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let early = self.early.filled();
            let count = early.len().min(buffer.remaining());
            buffer.put_slice(&early[..count]);
            self.early.consume(count);
            if self.early.is_empty() {
                self.early = ReadBuffer::default();
            }
            return Poll::Ready(Ok(()));
        }
        if let Stream::Plain(tcp) = &mut self.stream {
            return Pin::new(tcp).poll_read(cx, buffer);
        }
        let count = ready!(self.stream.poll_read(cx, buffer.initialize_unfilled()))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = &self.0;
        let early = socket.below.borrow().early.len();
        let before = buffer.filled().len();
        ready!(socket.below.borrow_mut().poll_read(cx, buffer))?;
        if early == 0 {
            let count = buffer.filled().len() - before;
            socket.received.set(socket.received.get() + count as u64);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let below = &mut *self.0.below.borrow_mut();
        if below.gathered.len() >= GATHERED {
            ready!(below.poll_send(cx))?;
        }
        // What has gone is forgotten before the buffer would grow.
        below.gathered.compact();
        let out = below.gathered.tail();
        if out.capacity() == 0 {
            out.reserve(2 * GATHERED + FRAME_HEAD);
        }
        out.extend_from_slice(bytes);
        let sent = &self.0.sent;
        sent.set(sent.get() + bytes.len() as u64);
        Poll::Ready(Ok(bytes.len()))
    }

    /// The driver's: [`Outlet::send`].
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let below = &mut *self.0.below.borrow_mut();
        ready!(below.poll_send(cx))?;
        below.stream.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn wire() -> (Wire, Outlet, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (ours, theirs) = tokio::join!(connecting, listener.accept());
        let stream = Stream::Plain(ours.unwrap());
        let (wire, outlet) = Wire::new(stream, ReadBuffer::of(b"early".to_vec()));
        (wire, outlet, theirs.unwrap().0)
    }

    #[tokio::test]
    async fn frames_go_as_one_when_the_driver_says_so() {
        let (mut wire, outlet, mut theirs) = wire().await;
        for frame in ["one ", "two ", "three"] {
            wire.write_all(frame.as_bytes()).await.unwrap();
            wire.flush().await.unwrap();
        }
        let nothing = theirs.try_read(&mut [0; 1]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        outlet.send(&mut Context::from_waker(Waker::noop()));
        let mut sent = [0; 13];
        theirs.read_exact(&mut sent).await.unwrap();
        assert_eq!(&sent, b"one two three");
        let held = &wire.0.below.borrow().gathered;
        assert!(held.is_bare(), "who has sent all holds no buffer");
    }

    #[tokio::test]
    async fn what_is_gathered_for_who_reads_nothing_has_a_bound() {
        let (mut wire, outlet, mut theirs) = wire().await;
        let frame = vec![0; GATHERED];
        let mut cx = Context::from_waker(Waker::noop());
        while Pin::new(&mut wire).poll_write(&mut cx, &frame).is_ready() {}
        assert!(!outlet.is_drained());
        // Read a little at a time, so that each write is a part of what waits.
        let mut piece = vec![0; 4096];
        for _ in 0..2_000 {
            theirs.read_exact(&mut piece).await.unwrap();
            let _ = Pin::new(&mut wire).poll_write(&mut cx, &frame);
            let below = wire.0.below.borrow();
            assert!(below.gathered.capacity() <= 3 * GATHERED);
        }
    }

    #[tokio::test]
    async fn what_is_gathered_goes_before_the_end_and_bytes_are_told_once() {
        let (mut wire, outlet, mut theirs) = wire().await;
        let mut early = [0; 5];
        wire.read_exact(&mut early).await.unwrap();
        assert_eq!(&early, b"early");
        theirs.write_all(b"later").await.unwrap();
        wire.read_exact(&mut early).await.unwrap();
        wire.write_all(b"farewell").await.unwrap();
        wire.shutdown().await.unwrap();
        let mut last = Vec::new();
        theirs.read_to_end(&mut last).await.unwrap();
        assert_eq!(last, b"farewell");
        assert_eq!(outlet.take_counts(), (10, 8));
        assert_eq!(outlet.take_counts(), (0, 0));
    }
}
