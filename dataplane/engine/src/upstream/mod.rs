//! Connections to where requests go: from the pool, or opened. It may not know requests.

mod connecting;
mod raw;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use self::connecting::{Node, connect_instance, connect_mesh, no_address, own_identity};
pub use self::raw::{open_raw, poll_frame};
use crate::clock::{self, Instant};
use crate::error::{Error, Reason, Who};
use crate::http2;
use crate::identity::Identity;
use crate::lanes::{Found, Lane};
use crate::multiplex::client;
use crate::mux::{self, Link, Manner};
use crate::overload::Cause;
use crate::plan::{Caller, Destination};
use crate::pool::{Home, Owner, PoolKey};
use crate::session::Session;
use crate::side::Side;
use crate::snapshot::{Limits, Snapshot};
use crate::stream::Stream;
use crate::tls::Speaks;
use crate::worker::Worker;

/// A connection for one request, and where it goes back to.
#[derive(Debug)]
pub struct Upstream {
    /// The connection.
    pub side: Box<Side>,
    /// Where it is kept afterwards; none: it is a stream of a connection that is kept anyway.
    pub home: Option<Home>,
    /// Whether it had a request before: then it may have died unseen.
    pub is_reused: bool,
}

/// Where a request goes, and how that is spoken to.
#[derive(Debug, Clone, Copy)]
pub struct Way<'w> {
    /// The service called.
    pub service: &'w Arc<str>,
    /// The far end.
    pub destination: &'w Destination,
    /// Whether that is spoken to in HTTP/2.
    pub speaks_http2: bool,
}

/// A connection for `way` that idles, if there is one.
pub fn pooled(
    worker: &Worker,
    snapshot: &Snapshot,
    caller: &Caller,
    way: &Way<'_>,
    now: Instant,
) -> Result<Option<Upstream>, Error> {
    let limits = &snapshot.settings.limits;
    let (service, destination) = (way.service, way.destination);
    let take = |key: &PoolKey, idle_timeout| {
        let (side, home) = worker.pool.borrow().take(key, now, idle_timeout)?;
        Some(Upstream {
            side,
            home: Some(home),
            is_reused: true,
        })
    };
    if way.speaks_http2 {
        let key = lane_key(destination)?;
        let stream = worker.lanes.stream(&key, most_streams(limits), now);
        return Ok(stream.map(|stream| of_stream(stream, true)));
    }
    Ok(match destination {
        Destination::Here(_) | Destination::Clear(_) => {
            let keys = destination.addresses().iter();
            let mut keys = keys.map(|address| instance_key(destination, *address));
            keys.find_map(|key| take(&key, limits.pool_idle_timeout))
        }
        Destination::Mesh(_, address) => {
            // Before the pool: without a certificate nobody uses a connection that was proven by one.
            let identity = own_identity(worker, caller)?;
            let idle_timeout = mesh_idle_timeout(limits);
            let key = mesh_key(caller, &identity, service, *address);
            let home = worker.pool.borrow().find(&key);
            home.and_then(|home| of_home(home, now, idle_timeout))
        }
    })
}

/// Opens a connection for `way`.
pub async fn open(
    worker: &Worker,
    snapshot: &Snapshot,
    caller: &Caller,
    way: &Way<'_>,
) -> Result<Upstream, Error> {
    let limits = &snapshot.settings.limits;
    let (service, destination) = (way.service, way.destination);
    if way.speaks_http2 {
        let owner = (Arc::clone(service), Arc::clone(destination.id()));
        return open_stream(worker, limits, owner, destination).await;
    }
    match destination {
        Destination::Here(_) | Destination::Clear(_) => {
            let (stream, address) = connect_instance(worker, destination, limits).await?;
            let key = instance_key(destination, address);
            let home = worker.pool.borrow_mut().home(key);
            Ok(Upstream::new(Side::new(stream), home))
        }
        Destination::Mesh(_, address) => {
            let identity = own_identity(worker, caller)?;
            let key = mesh_key(caller, &identity, service, *address);
            let home = worker.pool.borrow_mut().home(key);
            let node = Node {
                identity: &identity,
                service,
                address: *address,
            };
            open_mesh(worker, snapshot, &node, home).await
        }
    }
}

impl Upstream {
    /// One that was just opened.
    fn new(side: Side, home: Home) -> Self {
        Self {
            side: Box::new(side),
            home: Some(home),
            is_reused: false,
        }
    }
}

/// A connection that stands: one that idles, or a new channel in a link.
fn of_home(home: Home, now: Instant, idle_timeout: Duration) -> Option<Upstream> {
    let is_shared = home.is_shared();
    match home.take(now, idle_timeout, is_shared) {
        Some(side) => Some(Upstream {
            side,
            home: Some(home),
            is_reused: true,
        }),
        None if is_shared => channel(&home, now),
        None => None,
    }
}

/// A new channel in a link that stands.
fn channel(home: &Home, now: Instant) -> Option<Upstream> {
    let (channel, link) = home.channel(now)?;
    let mut side = Side::new(Stream::Channel(channel));
    side.good_until = link.good_until();
    Some(Upstream {
        side: Box::new(side),
        home: Some(home.clone()),
        is_reused: link.has_heard(),
    })
}

/// Opens a connection to another node: a link for this request and those that wait for one, or one for itself, where
/// the node knows no links or too much is sent to share.
async fn open_mesh(
    worker: &Worker,
    snapshot: &Snapshot,
    node: &Node<'_>,
    home: Home,
) -> Result<Upstream, Error> {
    while home.is_shared() {
        if let Some(upstream) = channel(&home, clock::now()) {
            return Ok(upstream);
        }
        let Some(opener) = home.open_or_wait().await? else {
            continue;
        };
        match connect_mesh(worker, snapshot, node, Speaks::Channels).await {
            Ok((session, good_until)) if session.is_shared() => {
                let link = Link::new(session, true, good_until);
                let manner = Manner {
                    idle_timeout: mesh_idle_timeout(&snapshot.settings.limits),
                };
                let driving = mux::drive(Rc::clone(&link), manner, |_| true, drop);
                tokio::task::spawn_local(driving);
                opener.done(link);
            }
            Ok(own) => {
                home.note_no_links();
                return Ok(own_connection(own, home.clone()));
            }
            Err(error) => {
                opener.failed(&error);
                return Err(error);
            }
        }
    }
    let own = connect_mesh(worker, snapshot, node, Speaks::Http).await?;
    Ok(own_connection(own, home))
}

fn own_connection((session, good_until): (Session, Option<Instant>), home: Home) -> Upstream {
    let mut side = Side::new(Stream::tls(session));
    side.good_until = good_until;
    Upstream::new(side, home)
}

/// How long what idles towards another node may be used: by the same settings that one closes it after `idle_timeout`.
fn mesh_idle_timeout(limits: &Limits) -> Duration {
    limits.pool_idle_timeout.min(limits.idle_timeout / 2)
}

/// A stream of an HTTP/2 connection to an instance: one that stands by now, or is opened. Of many who want one at once,
/// one opens it and the others wait for that, once.
async fn open_stream(
    worker: &Worker,
    limits: &Limits,
    owner: Owner,
    destination: &Destination,
) -> Result<Upstream, Error> {
    let (key, most) = (lane_key(destination)?, most_streams(limits));
    let mut may_wait = true;
    loop {
        match worker.lanes.find(&key, most, clock::now(), may_wait) {
            Found::Stream(stream) => return Ok(of_stream(stream, true)),
            Found::Opening(told) => told.notified().await,
            Found::Nothing(opening) => {
                let (stream, address) = connect_instance(worker, destination, limits).await?;
                let closed = || {
                    let detail = format!("{address} closed the connection as it was made");
                    Error::upstream(Reason::ConnectFailed, detail).retryable()
                };
                let send = client::open(stream, limits).await.map_err(|_| closed())?;
                let now = clock::now();
                let stream = opening.done(Lane::new(send, owner, now), most, now);
                return Ok(of_stream(stream.ok_or_else(closed)?, false));
            }
        }
        may_wait = false;
    }
}

fn of_stream(stream: Box<http2::Upstream>, is_reused: bool) -> Upstream {
    Upstream {
        side: Box::new(Side::new(Stream::Upstream(stream))),
        home: None,
        is_reused,
    }
}

/// What the connections to an instance have in common, whichever of its addresses took them.
fn lane_key(destination: &Destination) -> Result<PoolKey, Error> {
    let first = destination.addresses().first().copied();
    let key = |address| instance_key(destination, address);
    first.map(key).ok_or_else(no_address)
}

const fn most_streams(limits: &Limits) -> usize {
    limits.http2_streams as usize
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

/// What the connections to an instance at one of its addresses have in common.
fn instance_key(destination: &Destination, address: SocketAddr) -> PoolKey {
    match destination.tls() {
        Some(tls) => PoolKey::Secured {
            address,
            tls: tls.number,
        },
        None => PoolKey::Clear(address),
    }
}

/// Counts that a request or a connection found no way to an instance: against that, unless it was our own doing.
pub fn note_failed(worker: &Worker, service: &str, id: &str, error: &Error, what: &'static str) {
    let mut stats = worker.stats.borrow_mut();
    match (error.who, error.reason) {
        (Who::Us, Reason::Overloaded) => stats.record_shed(Cause::Handles.code(), what),
        // Another node that has no handle says nothing of its instance, either.
        (Who::Us, Reason::IdentityMissing) | (_, Reason::Overloaded) => {}
        _ => stats.record_connect_error(service, id),
    }
}
