//! A stranger's connection by TLS: its handshake, and how many of those there are at one time. It may not decide which
//! certificate is shown.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::HandshakeKind;
use tokio::net::TcpStream;

use super::connection::Connection;
use crate::edge_tls::{self, Secured};
use crate::snapshot::{ListenerConfig, TlsPolicy};
use crate::stream::Stream;
use crate::worker::Worker;

/// Handshakes with strangers at once, on one thread: each holds some 30 KiB for up to `head_timeout`. What comes beyond
/// is closed and counted, and the thread goes on serving who is in.
const HANDSHAKES: usize = 1024;

/// Serves a stranger's connection by TLS, once the handshake is done.
pub async fn serve(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    policy: TlsPolicy,
    peer: SocketAddr,
) {
    // In a box: a handshake takes some kilobytes, which the connection need not keep.
    let secured = Box::pin(secure(&worker, &listener, policy, tcp, peer)).await;
    let Some((stream, secured)) = secured else {
        return;
    };
    Connection::secured(worker, stream, secured, listener, peer)
        .serve()
        .await;
}

/// Takes a stranger's connection by TLS. None: it came to nothing, and is counted by its cause.
async fn secure(
    worker: &Rc<Worker>,
    listener: &ListenerConfig,
    policy: TlsPolicy,
    tcp: TcpStream,
    peer: SocketAddr,
) -> Option<(Stream, Secured)> {
    let Some(_handshaking) = Handshaking::begin(worker) else {
        worker.stats.borrow_mut().record_tls_failure("limit");
        return None;
    };
    let timeout = worker.limits().head_timeout;
    let edge = Arc::clone(&worker.shared.edge_tls);
    match edge_tls::accept(&edge, policy, tcp, timeout).await {
        Ok((tls, secured)) => {
            let is_resumed = tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
            worker.stats.borrow_mut().record_secured(is_resumed);
            Some((Stream::tls(tls), secured))
        }
        Err(failure) => {
            worker.stats.borrow_mut().record_tls_failure(failure.cause);
            // At this level: anybody can cause it, as often as they like.
            tracing::debug!(listener = %listener.name, %peer, %failure, "handshake failed");
            None
        }
    }
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
