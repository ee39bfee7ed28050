//! A stranger's connection by TLS: whether it is passed on as it is, its handshake if not, and how many of those there
//! are at one time. It may not decide which certificate is shown.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::HandshakeKind;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::peek::{self, Peeked};
use crate::clock;
use crate::edge_tls::{self, Failure, Secured};
use crate::relay;
use crate::snapshot::{ListenerConfig, TlsPolicy};
use crate::stream::Stream;
use crate::worker::Worker;

/// Handshakes with strangers at once, on one thread: each holds some 30 KiB for up to `head_timeout`. What comes beyond
/// is closed and counted, and the thread goes on serving who is in.
const HANDSHAKES: usize = 1024;

/// What a connection by TLS turned out to be.
enum Way {
    /// Its TLS ends here.
    Here(Stream, Secured),
    /// It is passed on.
    Passed(Box<peek::Passed>),
}

/// Serves a stranger's connection by TLS, once the handshake is done or it is known to be passed on.
pub async fn serve(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    policy: TlsPolicy,
    peer: SocketAddr,
) {
    // In a box: a handshake takes some kilobytes, which the connection need not keep.
    let found = Box::pin(find(&worker, policy, tcp, peer)).await;
    match found {
        Ok(Way::Here(stream, secured)) => {
            Connection::secured(worker, stream, secured, listener, peer)
                .serve()
                .await;
        }
        Ok(Way::Passed(passed)) => {
            let peek::Passed {
                side,
                plan,
                server_name,
            } = *passed;
            let passing = relay::pass(worker, side, plan, server_name, listener, peer);
            Box::pin(passing).await;
        }
        Err(failure) => {
            worker.stats.borrow_mut().record_tls_failure(failure.cause);
            // At this level: anybody can cause it, as often as they like.
            tracing::debug!(listener = %listener.name, %peer, %failure, "handshake failed");
        }
    }
}

/// Looks where a stranger's connection goes, and takes it by TLS if it ends here. The error: it came to nothing.
async fn find(
    worker: &Rc<Worker>,
    policy: TlsPolicy,
    tcp: TcpStream,
    peer: SocketAddr,
) -> Result<Way, Failure> {
    let Some(_handshaking) = Handshaking::begin(worker) else {
        let sentence = "too many handshakes are under way on this thread";
        return Err(Failure::new("limit", sentence));
    };
    let deadline = clock::now() + worker.limits().head_timeout;
    let (tcp, seen) = if worker.snapshot().router.has_server_names() {
        match peek::peek(worker, tcp, peer, deadline).await? {
            Peeked::Passed(passed) => return Ok(Way::Passed(passed)),
            Peeked::Here(tcp, seen) => (tcp, seen),
        }
    } else {
        (tcp, Vec::new())
    };
    let edge = Arc::clone(&worker.shared.edge_tls);
    let (tls, secured) = edge_tls::accept(&edge, policy, tcp, &seen, deadline).await?;
    let is_resumed = tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
    worker.stats.borrow_mut().record_secured(is_resumed);
    Ok(Way::Here(Stream::tls(tls), secured))
}

/// A handshake under way on this thread; it is none any more when this is dropped.
struct Handshaking<'w>(&'w Worker);

impl<'w> Handshaking<'w> {
    fn begin(worker: &'w Worker) -> Option<Self> {
        let count = worker.handshakes.get();
        (count < HANDSHAKES).then(|| {
            worker.handshakes.set(count + 1);
            Self(worker)
        })
    }
}

impl Drop for Handshaking<'_> {
    fn drop(&mut self) {
        self.0.handshakes.set(self.0.handshakes.get() - 1);
    }
}
