//! Downstream connections: whose each is, what it speaks, its requests, its end. It may not choose where they go.

mod answering;
mod connection;
mod detected;
mod node;
mod peek;
mod reading;
mod secured;
mod streams;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpStream;

use self::connection::Connection;
use crate::listener::Admission;
use crate::relay;
use crate::snapshot::{ListenerConfig, ListenerKind, ListenerProtocol};
use crate::worker::Worker;

/// Serves a downstream connection from its first byte to its last, in a task of its own, so that a panic in it costs
/// nothing else.
pub fn spawn(
    worker: &Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
    admission: Admission,
) {
    // An answer is one write: waiting to fill a packet would only delay it.
    let _ = tcp.set_nodelay(true);
    let worker = Rc::clone(worker);
    if is_plain(&listener) {
        // Made out here: a task keeps what it was made of to its end, and nearly all that idle are of this kind.
        let mut connection = Connection::establish(worker, tcp, listener, peer);
        tokio::task::spawn_local(async move {
            let _admission = admission;
            connection.serve().await;
        });
    } else {
        tokio::task::spawn_local(async move {
            let _admission = admission;
            serve(worker, tcp, listener, peer).await;
        });
    }
}

/// Whether strangers speak HTTP in clear there.
fn is_plain(listener: &ListenerConfig) -> bool {
    listener.kind == ListenerKind::Edge
        && listener.protocol == ListenerProtocol::Http
        && listener.tls.is_none()
}

/// Serves a downstream connection from its first byte to its last.
pub async fn serve(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    match listener.protocol {
        ListenerProtocol::Http => {}
        ListenerProtocol::Tcp => return Box::pin(relay::serve(worker, tcp, listener, peer)).await,
        ListenerProtocol::Auto => {
            return Box::pin(detected::serve(worker, tcp, listener, peer)).await;
        }
    }
    if listener.kind == ListenerKind::Inbound {
        // In a box: a handshake and a link take some kilobytes, which those in clear need not keep.
        return Box::pin(node::serve(worker, tcp, listener, peer)).await;
    }
    if let Some(policy) = listener.tls {
        return Box::pin(secured::serve(worker, tcp, listener, policy, peer)).await;
    }
    Connection::establish(worker, tcp, listener, peer)
        .serve()
        .await;
}
