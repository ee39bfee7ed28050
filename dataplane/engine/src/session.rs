//! A TLS session after its handshake: bytes to records and back, over one socket. It may not do handshakes.
//!
//! What tokio-rustls does for traffic, for one poll at a time: it asks the socket and rustls again after each record,
//! which is a quarter of what TLS costs a small request beside the encryption itself.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use rustls::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

use crate::identity::ALPN_MUX;

/// A TLS session over its socket.
#[derive(Debug)]
pub struct Session {
    tls: Connection,
    tcp: TcpStream,
}

impl From<server::TlsStream<TcpStream>> for Session {
    fn from(accepted: server::TlsStream<TcpStream>) -> Self {
        let (tcp, tls) = accepted.into_inner();
        let tls = tls.into();
        Self { tls, tcp }
    }
}

impl From<client::TlsStream<TcpStream>> for Session {
    fn from(opened: client::TlsStream<TcpStream>) -> Self {
        let (tcp, tls) = opened.into_inner();
        let tls = tls.into();
        Self { tls, tcp }
    }
}

impl Session {
    /// The socket below.
    pub const fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Whether both ends agreed on channels inside it.
    pub fn is_shared(&self) -> bool {
        self.tls.alpn_protocol() == Some(ALPN_MUX)
    }

    /// Whether the socket has not ended, asked of the system itself: the runtime may not have heard of it.
    pub fn is_connected(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(&self.tcp, &mut [0], flags) {
            Ok((count, _)) => count > 0,
            Err(error) => error == rustix::io::Errno::AGAIN,
        }
    }

    /// Whether this protocol was agreed on in the handshake (ALPN).
    pub fn has_agreed(&self, protocol: &[u8]) -> bool {
        self.tls.alpn_protocol() == Some(protocol)
    }

    /// Whether something was decrypted and not read yet, be it the other side's farewell: that is in no socket any more.
    pub fn has_decrypted(&self) -> bool {
        !self.tls.wants_read()
    }

    /// Waits until [`Self::poll_read`] has something to give. An error where the socket ended without a farewell.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.has_decrypted() {
            if ready!(self.poll_records(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what is decrypted, of several records as much as fits. 0 is the end the other side announced.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        while !self.has_decrypted() {
            if ready!(self.poll_records(cx))? == 0 {
                break;
            }
        }
        // Where nothing is, rustls knows which end it was: one without farewell is an error.
        Poll::Ready(self.tls.reader().read(buffer))
    }

    /// Reads once from the socket and decrypts what is whole. Gives how many bytes came.
    fn poll_records(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut socket = Socket {
            tcp: &mut self.tcp,
            cx,
        };
        let count = ready!(pending(self.tls.read_tls(&mut socket)))?;
        if let Err(error) = self.tls.process_new_packets() {
            // The alert that tells the other side; that it may not go out changes nothing.
            let _ = self.tls.write_tls(&mut socket);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        Poll::Ready(Ok(count))
    }

    /// Encrypts, and sends what the socket takes. What it did not take goes with [`Self::poll_flush`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            // None where as much waits for the socket as rustls keeps.
            let count = self.tls.writer().write(bytes)?;
            let flushed = self.poll_flush(cx)?;
            if count > 0 || bytes.is_empty() {
                return Poll::Ready(Ok(count));
            }
            ready!(flushed);
        }
    }

    /// Sends what is encrypted.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut socket = Socket {
                tcp: &mut self.tcp,
                cx,
            };
            if ready!(pending(self.tls.write_tls(&mut socket)))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says farewell, and that no more will be written.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tls.send_close_notify();
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// The socket as rustls takes it: where it would have to wait, that is an error.
struct Socket<'s, 'cx> {
    tcp: &'s mut TcpStream,
    cx: &'s mut Context<'cx>,
}

impl Read for Socket<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut slot = ReadBuf::new(buffer);
        would_block(Pin::new(&mut *self.tcp).poll_read(self.cx, &mut slot))?;
        Ok(slot.filled().len())
    }
}

impl Write for Socket<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        would_block(Pin::new(&mut *self.tcp).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        match records {
            [record] => self.write(record),
            _ => would_block(Pin::new(&mut *self.tcp).poll_write_vectored(self.cx, records)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(done) => done,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn pending<T>(done: io::Result<T>) -> Poll<io::Result<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}
