//! One connection's bytes, clear, encrypted, in a link that many share or in the frames of one stream of HTTP/2, as one
//! type. It may not know what the bytes mean.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::buffers::BULK_BYTES;
use crate::http1::Headers;
use crate::http2::{Downstream, Upstream};
use crate::mux::Channel;
use crate::session::Session;

/// What may wait to be written to one of many streams of HTTP/2 over a socket. A client that opens a hundred and takes
/// nothing makes each hold so much, beside what was read for it.
const STREAM_BYTES: usize = 4 * 1024;

/// A socket, a TLS session over one, a channel of a link, or what stands for one.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Plain(TcpStream),
    /// TLS, accepted or opened by us.
    Tls(Box<Session>),
    /// Inside a connection between two nodes.
    Channel(Channel),
    /// A client's request in HTTP/2, which shares its socket with others.
    Downstream(Box<Downstream>),
    /// One of ours, to an instance.
    Upstream(Box<Upstream>),
    /// None any more: it was given away.
    Closed,
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
            Self::Channel(channel) => channel.poll_readable(cx),
            // Its message is there as soon as it is.
            Self::Downstream(_) | Self::Upstream(_) => Poll::Ready(Ok(())),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// The socket below, where it is this stream's alone.
    pub const fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(tcp) => Some(tcp),
            Self::Tls(session) => Some(session.tcp()),
            Self::Channel(_) | Self::Downstream(_) | Self::Upstream(_) | Self::Closed => None,
        }
    }

    /// Whether nothing came since the last message: neither bytes nor the end. A connection that is
    /// not quiet while it idles is never used again.
    ///
    /// The system itself is asked: the runtime may not have heard of what came last.
    pub fn is_quiet(&self) -> bool {
        match self {
            Self::Plain(tcp) => is_empty(&peek(tcp)),
            Self::Tls(session) => is_empty(&peek(session.tcp())) && !session.has_decrypted(),
            Self::Channel(channel) => channel.is_quiet(),
            Self::Downstream(_) | Self::Upstream(_) | Self::Closed => false,
        }
    }

    /// The same as far as the runtime has heard, which costs no system call.
    pub fn seems_quiet(&self) -> bool {
        match self {
            Self::Plain(tcp) => heard_nothing(tcp),
            Self::Tls(session) => heard_nothing(session.tcp()) && !session.has_decrypted(),
            Self::Channel(channel) => channel.seems_quiet(),
            Self::Downstream(_) | Self::Upstream(_) | Self::Closed => false,
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
            Self::Channel(channel) => channel.poll_read(cx, buffer),
            Self::Downstream(stream) => stream.poll_read(cx, buffer),
            Self::Upstream(stream) => stream.poll_read(cx, buffer),
            Self::Closed => Poll::Ready(Ok(0)),
        }
    }

    /// Writes some of it. What TLS or HTTP/2 took goes out with [`Self::poll_flush`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(session) => session.poll_write(cx, bytes),
            Self::Channel(channel) => channel.poll_write(cx, bytes),
            Self::Downstream(stream) => stream.poll_write(cx, bytes),
            Self::Upstream(stream) => stream.poll_write(cx, bytes),
            Self::Closed => Poll::Ready(Ok(0)),
        }
    }

    /// Sends what stands in the layer above the socket. What a link took it sends by itself.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) | Self::Channel(_) | Self::Closed => Poll::Ready(Ok(())),
            Self::Tls(session) => session.poll_flush(cx),
            Self::Downstream(stream) => stream.poll_flush(cx),
            Self::Upstream(stream) => stream.poll_flush(cx),
        }
    }

    /// Says that no more will be written.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(session) => session.poll_shutdown(cx),
            Self::Channel(channel) => {
                channel.finish();
                Poll::Ready(Ok(()))
            }
            Self::Downstream(stream) => stream.poll_shutdown(cx),
            Self::Upstream(stream) => stream.poll_shutdown(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    /// Ready once the other side wants nothing more of what is written, where that can be told while nothing is read
    /// or written: of a stream of HTTP/2.
    #[inline]
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match self {
            Self::Downstream(stream) => stream.poll_gone(cx),
            _ => Poll::Pending,
        }
    }

    /// Whether an answer that agrees to another protocol proves so what it has to: to a client of HTTP/2, whose
    /// handshake is ours.
    pub fn is_accepted(&self, headers: &Headers<'_>) -> bool {
        match self {
            Self::Downstream(stream) => stream.is_accepted(headers),
            _ => true,
        }
    }

    /// How much may wait to be written: where many streams share a socket, each has the less.
    #[inline]
    pub const fn most_waiting(&self) -> usize {
        if self.is_stream() {
            STREAM_BYTES
        } else {
            BULK_BYTES
        }
    }

    /// Makes the end that follows say that nothing was done, where there is a way to say it: of a stream of HTTP/2.
    pub fn refuse(&mut self) {
        if let Self::Downstream(stream) = self {
            stream.refuse();
        }
    }

    /// Makes the close that follows a reset: for who would take an end for a whole answer.
    pub fn reset_on_close(&mut self) {
        // Without it the close is an ordinary one: nothing better is left.
        let _ = match self {
            Self::Plain(tcp) => tcp.set_zero_linger(),
            Self::Tls(session) => session.tcp().set_zero_linger(),
            Self::Channel(channel) => {
                channel.reset_on_close();
                Ok(())
            }
            // One that is dropped before its end is reset anyway.
            Self::Downstream(_) | Self::Upstream(_) | Self::Closed => Ok(()),
        };
    }

    /// Whether what was written may stand in the layer above the socket, until it is flushed.
    pub const fn is_buffered(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::Downstream(_) | Self::Upstream(_))
    }

    /// Whether it is a connection in clear, of whose client nothing was negotiated.
    pub const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Whether its two ends agreed on HTTP/2 in their handshake.
    pub fn has_agreed_http2(&self) -> bool {
        matches!(self, Self::Tls(session) if session.has_agreed(b"h2"))
    }

    /// Whether it is a stream of HTTP/2.
    pub const fn is_stream(&self) -> bool {
        matches!(self, Self::Downstream(_) | Self::Upstream(_))
    }

    /// Whether it shares its socket with others.
    pub const fn is_channel(&self) -> bool {
        matches!(self, Self::Channel(_))
    }
}

/// Whether the runtime has heard of nothing on this socket. Not by a poll: to a task that did much already, that says of
/// everything that nothing came.
fn heard_nothing(tcp: &TcpStream) -> bool {
    is_empty(&tcp.try_io(Interest::READABLE, || peek(tcp)))
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
