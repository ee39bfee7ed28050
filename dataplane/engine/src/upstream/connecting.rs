//! New connections: to an instance, and with both proofs to a node. They may not look into the pool.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clock::{self, Instant};
use crate::error::{Error, Reason};
use crate::identity::Identity;
use crate::instance_tls;
use crate::overload;
use crate::plan::{Caller, Destination};
use crate::session::Session;
use crate::snapshot::{Limits, Snapshot};
use crate::stream::Stream;
use crate::tls::{self, Speaks};
use crate::worker::Worker;

/// How long before a certificate's end the connections it proved are used no more: the other node, whose clock may be
/// ahead, ends them then, and would cut what is under way.
const MARGIN: Duration = Duration::from_secs(5);

/// The other end of the mesh, as one connection of it is to be.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub identity: &'a Identity,
    pub service: &'a str,
    pub address: SocketAddr,
}

pub(super) fn no_address() -> Error {
    Error::us(Reason::ConnectFailed, "the instance has no address").retryable()
}

/// Opens a connection to an instance, by TLS where it is to be.
pub(super) async fn connect_instance(
    worker: &Worker,
    destination: &Destination,
    limits: &Limits,
) -> Result<(Stream, SocketAddr), Error> {
    let (tcp, address) = connect_first(destination.addresses(), limits).await?;
    let Some(tls) = destination.tls() else {
        return Ok((Stream::Plain(tcp), address));
    };
    // In a box: most connections are in clear, and need not keep the room for a handshake.
    let secured = instance_tls::connect(
        &worker.instance_tls,
        tls,
        tcp,
        address,
        limits.connect_timeout,
    );
    let secured = Box::pin(secured);
    Ok((Stream::tls(secured.await?), address))
}

/// Opens a connection to the first address that does not refuse it.
async fn connect_first(
    addresses: &[SocketAddr],
    limits: &Limits,
) -> Result<(TcpStream, SocketAddr), Error> {
    let mut last = no_address();
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
            // No instance is to blame for a handle we have not; to another one a connection may stand already.
            let wanted = format!("a connection to {address}");
            let ours = overload::out_of_handles(&error, &wanted).map(Error::retryable);
            let detail = || format!("{address} could not be connected to: {error}");
            let failed = || Error::upstream(Reason::ConnectFailed, detail()).retryable();
            Err((ours.unwrap_or_else(failed), error.kind()))
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
pub(super) fn own_identity(worker: &Worker, caller: &Caller) -> Result<Arc<Identity>, Error> {
    let identities = &worker.shared.identities;
    identities.get(&caller.source).ok_or_else(|| {
        let detail = format!("this node has no certificate for \"{}\" yet", caller.source);
        Error::us(Reason::IdentityMissing, detail)
    })
}

pub(super) async fn connect_mesh(
    worker: &Worker,
    snapshot: &Snapshot,
    node: &Node<'_>,
    speaks: Speaks,
) -> Result<(Session, Option<Instant>), Error> {
    let limits = &snapshot.settings.limits;
    let connecting = connect(node.address, limits).await;
    let tcp = connecting.map_err(|(error, _)| error)?;
    let asked = tls::Asked {
        service: node.service,
        datacenter: &snapshot.settings.datacenter,
        speaks,
    };
    let tls = tls::connect(node.identity, &asked, tcp, limits.connect_timeout).await;
    worker.note_handshake(tls.is_ok());
    // No byte of the request was sent: another endpoint may be tried.
    let (tls, rest) = tls.map_err(Error::retryable)?;
    let good_until = clock::now().checked_add(rest.saturating_sub(MARGIN));
    Ok((tls.into(), good_until))
}
