//! One connection's bytes, clear or encrypted, as one type. It may not know what the bytes mean.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::session::Session;

/// A socket, or a TLS session over one.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Plain(TcpStream),
    /// TLS, accepted or opened by us.
    Tls(Box<Session>),
}

impl Stream {
    /// TLS, by a session whose handshake is done.
    pub fn tls(session: impl Into<Session>) -> Self {
        Self::Tls(Box::new(session.into()))
    }

    /// Waits until there is something to read, without a buffer being held. An error where it is the stream's end, as
    /// far as that is known without reading. `is_new`: nothing was read of it yet.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>, is_new: bool) -> Poll<io::Result<()>> {
        match self {
            // The runtime takes an accepted socket for readable until it was tried once, which would
            // lend buffers to all who only connect. Later its word is good, and costs no system call.
            Self::Plain(tcp) if !is_new => tcp.poll_read_ready(cx),
            Self::Plain(tcp) => {
                let mut byte = [0];
                match ready!(tcp.poll_peek(cx, &mut ReadBuf::new(&mut byte)))? {
                    0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    _ => Poll::Ready(Ok(())),
                }
            }
            Self::Tls(session) => session.poll_readable(cx),
        }
    }

    /// Whether nothing came since the last message: neither bytes nor the end. A connection that is
    /// not quiet while it idles is never used again.
    ///
    /// The system itself is asked: the runtime may not have heard of what came last.
    pub fn is_quiet(&self) -> bool {
        is_empty(&peek(self.tcp())) && self.has_nothing_decrypted()
    }

    /// The same as far as the runtime has heard, which costs no system call.
    pub fn seems_quiet(&self) -> bool {
        // Not by a poll: to a task that did much already, that says of everything that nothing came.
        let tcp = self.tcp();
        is_empty(&tcp.try_io(Interest::READABLE, || peek(tcp))) && self.has_nothing_decrypted()
    }

    /// Whether nothing was decrypted together with the last message: that is in no socket any more.
    fn has_nothing_decrypted(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(session) => !session.has_decrypted(),
        }
    }

    /// Reads once. Gives how many bytes came: 0 is the end.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => {
                let mut slot = ReadBuf::new(buffer);
                ready!(Pin::new(tcp).poll_read(cx, &mut slot))?;
                Poll::Ready(Ok(slot.filled().len()))
            }
            Self::Tls(session) => session.poll_read(cx, buffer),
        }
    }

    /// Writes some of it. What TLS took goes out with [`Self::poll_flush`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(session) => session.poll_write(cx, bytes),
        }
    }

    /// Sends what stands in the TLS layer.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(session) => session.poll_flush(cx),
        }
    }

    /// Says that no more will be written.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(session) => session.poll_shutdown(cx),
        }
    }

    /// Makes the close that follows a reset: for who would take an end for a whole answer.
    pub fn reset_on_close(&self) {
        // Without it the close is an ordinary one: nothing better is left.
        let _ = self.tcp().set_zero_linger();
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(session) => session.tcp(),
        }
    }

    /// Whether the bytes are encrypted on the wire.
    pub const fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }
}

/// Looks for a byte, or the end, that waits in the socket.
fn peek(tcp: &TcpStream) -> io::Result<usize> {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let (count, _) = rustix::net::recv(tcp, &mut [0], flags)?;
    Ok(count)
}

fn is_empty(peeked: &io::Result<usize>) -> bool {
    matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
