//! Another node's connection: a stream, requests one after the other, or a link of many channels. It may not decide
//! whom to believe.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use tokio::net::TcpStream;

use super::connection::Connection;
use crate::idle::Place;
use crate::mux::{self, Link, Manner};
use crate::relay;
use crate::session::Session;
use crate::side::Side;
use crate::snapshot::ListenerConfig;
use crate::stream::Stream;
use crate::tls::{self, MeshPeer, Speaks};
use crate::worker::Worker;

/// Serves another node's connection, once it has proven whose it is.
pub async fn serve(
    worker: Rc<Worker>,
    tcp: TcpStream,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    let Some((session, ends)) = Box::pin(accept(&worker, &listener, tcp, peer)).await else {
        return;
    };
    if ends.speaks == Speaks::Stream {
        let side = Side::new(Stream::tls(session));
        return relay::inbound(&worker, &listener, peer, side, ends).await;
    }
    if session.is_shared() {
        return serve_link(worker, session, ends, listener, peer).await;
    }
    let stream = Stream::tls(session);
    Connection::inbound(worker, stream, ends, listener, peer)
        .serve()
        .await;
}

/// Takes another node's connection.
async fn accept(
    worker: &Worker,
    listener: &ListenerConfig,
    tcp: TcpStream,
    peer: SocketAddr,
) -> Option<(Session, MeshPeer)> {
    let head_timeout = worker.limits().head_timeout;
    let accepted = tls::accept(&worker.shared.identities, tcp, head_timeout).await;
    worker.note_handshake(accepted.is_ok());
    match accepted {
        Ok((tls, ends)) => Some((tls.into(), ends)),
        Err(error) => {
            tracing::info!(listener = %listener.name, %peer, %error, "handshake failed");
            None
        }
    }
}

/// Serves each channel of a link as a connection of its own.
async fn serve_link(
    worker: Rc<Worker>,
    session: Session,
    mut ends: MeshPeer,
    listener: Arc<ListenerConfig>,
    peer: SocketAddr,
) {
    let manner = Manner {
        idle_timeout: worker.limits().idle_timeout,
    };
    let link = Link::new(session, false, None);
    let (looking, template) = (Rc::clone(&worker), ends.clone());
    let mut place = Place::new(&worker.idle);
    let is_standing = move |cx: &Context<'_>| {
        place.note(cx);
        let holds = (ends.standing).holds(&looking.shared.identities, looking.since_epoch());
        holds && !looking.is_draining()
    };
    let take = |channel| {
        let (worker, ends) = (Rc::clone(&worker), template.clone());
        let stream = Stream::Channel(channel);
        let listener = Arc::clone(&listener);
        let mut connection = Connection::inbound(worker, stream, ends, listener, peer);
        // In a task of its own, so that a panic in it costs nothing else.
        tokio::task::spawn_local(async move { connection.serve().await });
    };
    mux::drive(link, manner, is_standing, take).await;
}
