//! Downstream connections: whose each is, what it speaks, its requests, its end. It may not choose where they go.

mod answering;
mod connection;
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
use crate::relay;
use crate::snapshot::{ListenerConfig, ListenerKind, ListenerProtocol};
use crate::worker::Worker;

/// Serves a downstream connection from its first byte to its last.
pub async fn serve(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    // An answer is one write: waiting to fill a packet would only delay it.
    let _ = tcp.set_nodelay(true);
    if listener.protocol == ListenerProtocol::Tcp {
        return Box::pin(relay::serve(worker, tcp, listener, peer)).await;
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
