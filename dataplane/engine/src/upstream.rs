//! Connections to where requests go: from the pool, or opened. It may not know requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clock::{self, Instant};
use crate::error::{Error, Reason};
use crate::identity::Identity;
use crate::plan::{Caller, Destination};
use crate::pool::{Home, PoolKey};
use crate::side::Side;
use crate::snapshot::{Limits, Snapshot};
use crate::stream::Stream;
use crate::tls;
use crate::worker::Worker;

/// How long before a certificate's end the connections it proved are used no more: the other node, whose clock may be
/// ahead, ends them then, and would cut what is under way.
const MARGIN: Duration = Duration::from_secs(5);

/// A connection for one request, and where it goes back to.
#[derive(Debug)]
pub struct Upstream {
    /// The connection.
    pub side: Box<Side>,
    /// Where it is kept afterwards.
    pub home: Home,
    /// Whether it had a request before: then it may have died unseen.
    pub is_reused: bool,
}

/// A connection to `destination` that idles, if there is one.
pub fn pooled(
    worker: &Worker,
    snapshot: &Snapshot,
    caller: &Caller,
    service: &Arc<str>,
    destination: &Destination,
    now: Instant,
) -> Result<Option<Upstream>, Error> {
    let limits = &snapshot.settings.limits;
    let take = |key: &PoolKey, idle_timeout| {
        let (side, home) = worker.pool.borrow().take(key, now, idle_timeout)?;
        Some(Upstream {
            side,
            home,
            is_reused: true,
        })
    };
    Ok(match destination {
        Destination::Here(_) | Destination::Clear(_) => {
            let mut keys = (destination.addresses().iter().copied()).map(PoolKey::Clear);
            keys.find_map(|key| take(&key, limits.pool_idle_timeout))
        }
        Destination::Mesh(_, address) => {
            // Before the pool: without a certificate nobody uses a connection that was proven by one.
            let identity = own_identity(worker, caller)?;
            // The other node, by the same settings, closes what idles for `idle_timeout`: long before that it is used.
            let idle_timeout = limits.pool_idle_timeout.min(limits.idle_timeout / 2);
            let key = mesh_key(caller, &identity, service, *address);
            take(&key, idle_timeout)
        }
    })
}

/// Opens a connection to `destination`.
pub async fn open(
    worker: &Worker,
    snapshot: &Snapshot,
    caller: &Caller,
    service: &Arc<str>,
    destination: &Destination,
) -> Result<Upstream, Error> {
    let (side, key) = match destination {
        Destination::Here(_) | Destination::Clear(_) => {
            let limits = &snapshot.settings.limits;
            let (tcp, address) = connect_first(destination.addresses(), limits).await?;
            (Side::new(Stream::Plain(tcp)), PoolKey::Clear(address))
        }
        Destination::Mesh(_, address) => {
            let identity = own_identity(worker, caller)?;
            let key = mesh_key(caller, &identity, service, *address);
            let side = connect_mesh(worker, snapshot, &identity, service, *address).await?;
            (side, key)
        }
    };
    Ok(Upstream {
        side: Box::new(side),
        home: worker.pool.borrow_mut().home(key),
        is_reused: false,
    })
}

fn mesh_key(
    caller: &Caller,
    identity: &Identity,
    service: &Arc<str>,
    address: SocketAddr,
) -> PoolKey {
    PoolKey::Mesh {
        address,
        identity: Arc::clone(&caller.source),
        serial: identity.serial,
        service: Arc::clone(service),
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

/// The certificate to show for the caller.
fn own_identity(worker: &Worker, caller: &Caller) -> Result<Arc<Identity>, Error> {
    let identities = &worker.shared.identities;
    identities.get(&caller.source).ok_or_else(|| {
        let detail = format!("this node has no certificate for \"{}\" yet", caller.source);
        Error::us(Reason::IdentityMissing, detail)
    })
}

async fn connect_mesh(
    worker: &Worker,
    snapshot: &Snapshot,
    identity: &Identity,
    service: &Arc<str>,
    address: SocketAddr,
) -> Result<Side, Error> {
    let limits = &snapshot.settings.limits;
    let tcp = connect(address, limits).await.map_err(|(error, _)| error)?;
    let datacenter = &snapshot.settings.datacenter;
    let tls = tls::connect(identity, service, datacenter, tcp, limits.connect_timeout).await;
    worker.note_handshake(tls.is_ok());
    // No byte of the request was sent: another endpoint may be tried.
    let (tls, rest) = tls.map_err(Error::retryable)?;
    let mut side = Side::new(Stream::tls(tls));
    side.good_until = clock::now().checked_add(rest.saturating_sub(MARGIN));
    Ok(side)
}
