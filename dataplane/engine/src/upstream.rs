//! Connections to where requests go: from the pool, or opened. It may not know requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::{Error, Reason};
use crate::plan::{Caller, Destination};
use crate::pool::PoolKey;
use crate::side::Side;
use crate::snapshot::{Limits, Snapshot};
use crate::stream::Stream;
use crate::tls;
use crate::worker::Worker;

/// A connection for one request, and where it goes back to.
#[derive(Debug)]
pub struct Upstream {
    /// The connection.
    pub side: Side,
    /// Where it is kept afterwards.
    pub key: PoolKey,
    /// Whether it had a request before: then it may have died unseen.
    pub is_reused: bool,
}

/// Takes a connection to `destination` from the pool (where `may_reuse`) or opens one.
pub async fn acquire(
    worker: &Worker,
    snapshot: &Snapshot,
    caller: &Caller,
    service: &Arc<str>,
    destination: &Destination,
    may_reuse: bool,
) -> Result<Upstream, Error> {
    let limits = &snapshot.settings.limits;
    let keys = keys(caller, service, destination);
    if may_reuse {
        let (mut pool, mut stats) = (worker.pool.borrow_mut(), worker.stats.borrow_mut());
        for key in &keys {
            if let Some(side) = pool.take(key, limits.pool_idle_timeout, &mut stats) {
                return Ok(Upstream {
                    side,
                    key: key.clone(),
                    is_reused: true,
                });
            }
        }
    }
    let (stream, key) = match destination {
        Destination::Instance { addresses, .. } => {
            let (tcp, address) = connect_first(addresses, limits).await?;
            (Stream::Plain(tcp), PoolKey::Clear(address))
        }
        Destination::Mesh(_, address) => {
            let key = keys.into_iter().next().unwrap_or(PoolKey::Clear(*address));
            (
                connect_mesh(worker, snapshot, caller, service, *address).await?,
                key,
            )
        }
    };
    Ok(Upstream {
        side: Side::new(stream),
        key,
        is_reused: false,
    })
}

/// Under which keys a usable connection may lie.
fn keys(caller: &Caller, service: &Arc<str>, destination: &Destination) -> Vec<PoolKey> {
    match destination {
        Destination::Instance { addresses, .. } => {
            addresses.iter().copied().map(PoolKey::Clear).collect()
        }
        Destination::Mesh(_, address) => vec![PoolKey::Mesh {
            address: *address,
            identity: Arc::clone(&caller.source),
            service: Arc::clone(service),
        }],
    }
}

/// Opens a connection to the first address that does not refuse it.
async fn connect_first(
    addresses: &[SocketAddr],
    limits: &Limits,
) -> Result<(TcpStream, SocketAddr), Error> {
    let mut last = Error::us(Reason::ConnectFailed, "the instance has no address").retryable();
    for address in addresses {
        match connect(*address, limits).await {
            Ok(tcp) => return Ok((tcp, *address)),
            // Only a refusal says that nobody listens there; a timeout would be waited for twice.
            Err((error, kind)) => {
                last = error;
                if kind != io::ErrorKind::ConnectionRefused {
                    break;
                }
            }
        }
    }
    Err(last)
}

async fn connect(
    address: SocketAddr,
    limits: &Limits,
) -> Result<TcpStream, (Error, io::ErrorKind)> {
    match timeout(limits.connect_timeout, TcpStream::connect(address)).await {
        Ok(Ok(tcp)) => {
            // Without it a small request waits for the last one's acknowledgement.
            let _ = tcp.set_nodelay(true);
            Ok(tcp)
        }
        Ok(Err(error)) => {
            let detail = format!("{address} could not be connected to: {error}");
            Err((
                Error::upstream(Reason::ConnectFailed, detail).retryable(),
                error.kind(),
            ))
        }
        Err(_) => {
            let detail = format!(
                "{address} did not take the connection within {} ms",
                limits.connect_timeout.as_millis()
            );
            let error = Error::upstream(Reason::ConnectTimeout, detail).retryable();
            Err((error, io::ErrorKind::TimedOut))
        }
    }
}

async fn connect_mesh(
    worker: &Worker,
    snapshot: &Snapshot,
    caller: &Caller,
    service: &Arc<str>,
    address: SocketAddr,
) -> Result<Stream, Error> {
    let limits = &snapshot.settings.limits;
    let identity = worker
        .shared
        .identities
        .get(&caller.source)
        .ok_or_else(|| {
            let detail = format!("this node has no certificate for \"{}\" yet", caller.source);
            Error::us(Reason::IdentityMissing, detail)
        })?;
    let tcp = connect(address, limits).await.map_err(|(error, _)| error)?;
    let datacenter = &snapshot.settings.datacenter;
    let tls = tls::connect(&identity, service, datacenter, tcp, limits.connect_timeout).await;
    worker.note_handshake(tls.is_ok());
    // No byte of the request was sent: another endpoint may be tried.
    tls.map(|tls| Stream::Client(Box::new(tls)))
        .map_err(Error::retryable)
}
