//! Takes connections from one listening socket until it is to close. It may not serve them.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::gate::{Admission, Door, Gate};
use crate::overload::Cause;
use crate::snapshot::ListenerConfig;
use crate::stats::Recorder;

/// The pause after the system could not give a connection (file handles or memory are gone), doubled each time:
/// the connection stays in the queue, so trying at once would spin.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_LAST: Duration = Duration::from_secs(1);

/// Connections taken in a row before others on the thread have their turn.
const ROW: usize = 64;

/// Gives each connection that comes through `door` to `take`, until the listener closes; what waits in the queue then
/// is taken first. They are counted in `stats`. `is_late`: the thread that serves them comes to nothing any more.
pub(crate) async fn accept_all(
    mut door: Door,
    stats: &RefCell<Recorder>,
    is_late: impl Fn() -> bool,
    take: impl Fn(TcpStream, SocketAddr, Arc<ListenerConfig>, Admission),
) {
    let gate = Arc::clone(door.gate());
    let Some(socket) = door.take_socket() else {
        return;
    };
    let admit = |tcp, peer: SocketAddr| {
        let listener = gate.config();
        let shed = match gate.sheds() {
            // What was measured may be over.
            Some(_) => gate.sheds_now(),
            None => is_late().then_some(Cause::Cpu),
        };
        let admitted = match shed {
            Some(cause) => Err(cause),
            None => gate.admit(peer.ip()),
        };
        match admitted {
            Ok(admission) => {
                stats.borrow_mut().record_accepted(&listener.name);
                take(tcp, peer, listener, admission);
            }
            // The socket is closed at once: cheaper than any answer, which is the point of the limit.
            Err(cause) => {
                let mut stats = stats.borrow_mut();
                stats.record_refused(&listener.name);
                stats.record_shed(cause.code(), "connection");
            }
        }
    };
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(listener = %gate.config().name, %error, "the socket can't be watched");
            return;
        }
    };
    tokio::select! {
        () = gate.closing() => {}
        () = accept_on(&socket, &gate, &admit) => {}
    }
    empty(socket, &admit);
}

async fn accept_on(
    socket: &tokio::net::TcpListener,
    gate: &Gate,
    admit: &impl Fn(TcpStream, SocketAddr),
) {
    let mut pause = PAUSE_FIRST;
    let mut row = 0;
    loop {
        match socket.accept().await {
            Ok((tcp, peer)) => {
                pause = PAUSE_FIRST;
                admit(tcp, peer);
            }
            Err(error) if is_the_peers_doing(&error) => {}
            Err(error) => {
                gate.note_accept_error();
                if pause == PAUSE_FIRST {
                    let listener = gate.config();
                    tracing::warn!(listener = %listener.name, %error, "no connection to be had");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_LAST);
            }
        }
        row += 1;
        if row == ROW {
            row = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Takes what the kernel has finished shaking hands with: closing would reset it.
fn empty(socket: tokio::net::TcpListener, admit: &impl Fn(TcpStream, SocketAddr)) {
    // Asked of the system itself, because the runtime may not have heard of the last ones yet.
    let Ok(socket) = socket.into_std() else {
        return;
    };
    loop {
        match socket.accept() {
            Ok((tcp, peer)) => {
                if tcp.set_nonblocking(true).is_ok()
                    && let Ok(tcp) = TcpStream::from_std(tcp)
                {
                    admit(tcp, peer);
                }
            }
            Err(error) if is_the_peers_doing(&error) => {}
            Err(_) => return,
        }
    }
}

/// Whether only that one connection is lost (accept(2): errors of the network already pending on it).
fn is_the_peers_doing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::TimedOut
            | io::ErrorKind::PermissionDenied // a firewall's doing
    )
}
