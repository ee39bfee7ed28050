//! Takes connections to the control socket and speaks HTTP on them. It may not let strangers in.

use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};

use super::calls;
use super::socket::ControlSocket;
use crate::engine::Engine;

/// Connections at once: the agent's, and those of people with curl. More wait.
const CONNECTIONS: usize = 64;
/// How long a connection may idle, or take for a head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause after the system could not give a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The control API, running. It ends, and its file goes, when this is dropped.
pub struct Control {
    stop: Option<oneshot::Sender<()>>,
    handle: Option<JoinHandle<()>>,
    _socket: ControlSocket,
}

impl Control {
    /// Listens at `path`; the error is a sentence.
    pub fn start(engine: &Arc<Engine>, path: &Path) -> Result<Self, String> {
        let (socket, listener) = ControlSocket::bind(path)?;
        let (stop, stopped) = oneshot::channel();
        let handle = spawn(Arc::clone(engine), listener, stopped)
            .map_err(|error| format!("can't start the control thread: {error}"))?;
        Ok(Self {
            stop: Some(stop),
            handle: Some(handle),
            _socket: socket,
        })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop = None;
        if self
            .handle
            .take()
            .is_some_and(|handle| handle.join().is_err())
        {
            tracing::error!("the control thread had ended by a panic");
        }
    }
}

fn spawn(
    engine: Arc<Engine>,
    listener: StdUnixListener,
    stopped: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(&engine, listener) => {}
                    _ = stopped => {}
                }
            });
            // Calls that still wait for spans are not waited for.
            runtime.shutdown_background();
        })
}

async fn accept(engine: &Arc<Engine>, listener: StdUnixListener) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the control socket can't be watched");
            return;
        }
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) if is_allowed(engine, &stream) => {
                let engine = Arc::clone(engine);
                tokio::spawn(async move {
                    speak(engine, stream).await;
                    drop(place);
                });
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "no control connection to be had");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whether our own user or root is at the other end (`SO_PEERCRED`), whatever the file's rights became.
fn is_allowed(engine: &Engine, stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    match rustix::net::sockopt::socket_peercred(stream) {
        Ok(peer) if peer.uid == own || peer.uid.is_root() => true,
        peer => {
            engine
                .shared
                .faults
                .control_refused
                .fetch_add(1, Ordering::Relaxed);
            let uid = peer.ok().map(|peer| peer.uid.as_raw());
            tracing::warn!(?uid, "a stranger on the control socket was refused");
            false
        }
    }
}

async fn speak(engine: Arc<Engine>, stream: UnixStream) {
    let service = service_fn(|request| {
        let engine = Arc::clone(&engine);
        async move { Ok::<_, Infallible>(calls::answer(&engine, request).await) }
    });
    let spoken = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = spoken {
        tracing::debug!(%error, "a control connection broke");
    }
}
