//! One connection's bytes, clear or encrypted, as one type. It may not know what the bytes mean.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

/// A socket, or a TLS session over one.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Plain(TcpStream),
    /// TLS, accepted by us.
    Server(Box<server::TlsStream<TcpStream>>),
    /// TLS, opened by us.
    Client(Box<client::TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether a byte can be read, without a buffer being held. Gives the byte where it had to be
    /// taken to know (TLS), `None` where it waits in the socket, and an error at the stream's end.
    /// `is_new`: nothing was read of it yet.
    pub fn poll_first_byte(
        &mut self,
        cx: &mut Context<'_>,
        is_new: bool,
    ) -> Poll<io::Result<Option<u8>>> {
        let mut byte = [0];
        let mut slot = ReadBuf::new(&mut byte);
        let first = match self {
            // The runtime takes an accepted socket for readable until it was tried once, which would
            // lend buffers to all who only connect. Later its word is good, and costs no system call.
            Self::Plain(tcp) if !is_new => return tcp.poll_read_ready(cx).map_ok(|()| None),
            Self::Plain(tcp) => match ready!(tcp.poll_peek(cx, &mut slot))? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(None),
            },
            Self::Server(_) | Self::Client(_) => {
                ready!(Pin::new(&mut *self).poll_read(cx, &mut slot))?;
                let byte = slot.filled().first().copied();
                byte.map_or_else(
                    || Err(io::ErrorKind::UnexpectedEof.into()),
                    |byte| Ok(Some(byte)),
                )
            }
        };
        Poll::Ready(first)
    }

    /// Whether nothing came since the last message: neither bytes nor the end. A connection that is
    /// not quiet while it idles is never used again.
    ///
    /// The system itself is asked: the runtime may not have heard of what came last.
    pub fn is_quiet(&mut self) -> bool {
        is_empty(&peek(self.tcp())) && self.has_nothing_decrypted()
    }

    /// The same as far as the runtime has heard, which costs no system call.
    pub fn seems_quiet(&mut self) -> bool {
        // Not by a poll: to a task that did much already, that says of everything that nothing came.
        let tcp = self.tcp();
        is_empty(&tcp.try_io(Interest::READABLE, || peek(tcp))) && self.has_nothing_decrypted()
    }

    /// Whether nothing was decrypted together with the last message: that is in no socket any more.
    fn has_nothing_decrypted(&mut self) -> bool {
        if !self.is_tls() {
            return true;
        }
        let mut byte = [0];
        let mut slot = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(self).poll_read(&mut cx, &mut slot).is_pending()
    }

    /// Makes the close that follows a reset: for who would take an end for a whole answer.
    pub fn reset_on_close(&self) {
        // Without it the close is an ordinary one: nothing better is left.
        let _ = self.tcp().set_zero_linger();
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Server(tls) => tls.get_ref().0,
            Self::Client(tls) => tls.get_ref().0,
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

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Server(tls) => Pin::new(tls).poll_read(cx, buf),
            Self::Client(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Server(tls) => Pin::new(tls).poll_write(cx, buf),
            Self::Client(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Server(tls) => Pin::new(tls).poll_flush(cx),
            Self::Client(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Server(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Client(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
