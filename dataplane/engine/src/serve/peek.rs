//! The look at a stranger's first bytes, where routes ask for a server name: read and kept, answered by nothing. It may
//! not end TLS.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use crate::buffers::ReadBuffer;
use crate::client_hello::{ClientHello, Found, MOST_BYTES};
use crate::clock::Instant;
use crate::edge_tls::Failure;
use crate::plan::{self, Plan};
use crate::side::Side;
use crate::stream::Stream;
use crate::worker::Worker;

/// Whose a connection turned out to be.
pub enum Peeked {
    /// A service's: it is passed on as it came.
    Passed(Box<Passed>),
    /// The edge's own, with what was read of it.
    Here(TcpStream, Vec<u8>),
}

/// A connection to be passed on.
pub struct Passed {
    /// It, with what was read of it.
    pub side: Side,
    /// Where it goes.
    pub plan: Plan,
    /// The server name it asks for.
    pub server_name: Box<str>,
}

/// Reads until it is known where the connection goes, until then at the most.
pub async fn peek(
    worker: &Worker,
    tcp: TcpStream,
    peer: SocketAddr,
    deadline: Instant,
) -> Result<Peeked, Failure> {
    let mut stream = Stream::Plain(tcp);
    let (mut hello, mut seen) = (ClientHello::default(), Vec::new());
    let looking = poll_fn(|cx| poll_name(&mut stream, &mut hello, &mut seen, cx));
    let found = tokio::time::timeout_at(deadline, looking).await;
    let name = found
        .map_err(|_| Failure::late())?
        .map_err(|_| Failure::gone())?;
    let found = name.and_then(|name| {
        let balancer = &mut worker.balancer.borrow_mut();
        let plan = plan::by_server_name(&worker.snapshot(), &name, peer.ip(), balancer)?;
        Some((plan, name))
    });
    match (found, stream) {
        (None, Stream::Plain(tcp)) => Ok(Peeked::Here(tcp, seen)),
        (None, _) => Err(Failure::gone()),
        (Some((plan, server_name)), stream) => {
            let mut side = Side::new(stream);
            side.received = seen.len() as u64;
            side.input = ReadBuffer::of(seen);
            Ok(Peeked::Passed(Box::new(Passed {
                side,
                plan,
                server_name,
            })))
        }
    }
}

/// The server name; none: there is none to be read. What waits is read behind [`MOST_BYTES`] no further.
fn poll_name(
    stream: &mut Stream,
    hello: &mut ClientHello,
    seen: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Option<Box<str>>>> {
    loop {
        let mut piece = [0; 2048];
        let most = piece.len().min(MOST_BYTES - seen.len());
        let count = ready!(stream.poll_read(cx, &mut piece[..most]))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        seen.extend_from_slice(&piece[..count]);
        match hello.look(seen) {
            Found::More => {}
            Found::Name(name) => return Poll::Ready(Ok(Some(name))),
            Found::Nothing => return Poll::Ready(Ok(None)),
        }
    }
}
