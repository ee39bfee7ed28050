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
    let handshake = worker
        .handshakes
        .begin(peer.ip(), worker.limits().tls_handshakes);
    // In a box: a handshake takes some kilobytes, which the connection need not keep.
    let found = Box::pin(find(&worker, policy, tcp, peer));
    let found = tokio::select! {
        biased;
        found = found => found,
        () = handshake.gives_way() => {
            let sentence = "of the client with most handshakes on its thread it took the longest, and others wanted its place";
            Err(Failure::new("limit", sentence))
        }
    };
    drop(handshake);
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
