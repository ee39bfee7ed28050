//! Where a request goes and whether it may: decided from values, without I/O.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use crate::authorizer::Decision;
use crate::balancer::Balancer;
use crate::edge_tls::Secured;
use crate::error::{Error, Reason};
use crate::normal;
use crate::router::{Action, Asked, Changes, HostMatch, Route, is_mesh_host};
use crate::snapshot::{
    Cluster, Endpoint, InstanceTls, ListenerConfig, ListenerKind, LocalInstance, LocalService,
    Protocol, Snapshot, TlsHost, Via,
};

/// Behind a service's name where it is called through the mesh.
const MESH_SUFFIX: &str = ".mesh";

/// Who sends the requests of a connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What kind of listener it came in by.
    pub kind: ListenerKind,
    /// Its proven name; the edge's own for strangers.
    pub source: Arc<str>,
    /// Inbound: the service whose certificate it asked for.
    pub destination: Option<Arc<str>>,
    /// Outbound, on a port that means one destination: the host of every request there, whatever it says itself.
    pub host: Option<Arc<str>>,
    /// At the edge: what its TLS came to; none: it came in clear.
    pub secured: Option<Arc<Secured>>,
}

impl Caller {
    /// Until when a stranger is who its certificate says, where it showed one: since the epoch.
    pub fn client_end(&self) -> Option<Duration> {
        let client = self.secured.as_ref()?.client.as_ref()?;
        Some(Duration::from_secs(client.not_after_unix_s))
    }

    /// The host under which a destination of its own port is called.
    pub fn host_of(listener: &ListenerConfig) -> Option<Arc<str>> {
        let destination = listener.destination.as_ref()?;
        Some(Arc::from(format!("{destination}{MESH_SUFFIX}")))
    }
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The route that took it, at the edge.
    pub route: Option<Arc<Route>>,
    /// The service it goes to; empty where none was found.
    pub destination: Arc<str>,
    /// What is done with it.
    pub target: Target,
    /// The intention that let it through on this node, where one was asked.
    pub intention: Option<Arc<str>>,
}

impl Plan {
    /// A plan that needs no route and no service.
    pub fn of(target: Target) -> Self {
        Self {
            route: None,
            destination: Arc::default(),
            target,
            intention: None,
        }
    }

    /// A plan that comes to nothing.
    pub fn refused(error: Error) -> Self {
        Self::of(Target::Refused(error))
    }

    /// Whether the request goes to an endpoint.
    pub const fn is_forwarded(&self) -> bool {
        matches!(self.target, Target::Cluster(_) | Target::Local(..))
    }

    /// Whether it goes to an instance of this node that speaks what its callers do.
    pub fn is_detected_here(&self) -> bool {
        matches!(&self.target, Target::Local(service, _) if service.protocol == Protocol::Auto)
    }

    /// What the route changes, if anything.
    pub fn changes(&self) -> Option<&Changes> {
        self.route.as_deref()?.changes.as_deref()
    }

    /// Where the client is sent, if its route sends it elsewhere.
    pub fn location(&self, asked: &Asked<'_>, https_port: Option<u16>) -> Option<String> {
        if matches!(self.target, Target::ToHttps(_)) {
            return Some(https_location(asked, https_port));
        }
        let route = self.route.as_deref()?;
        let Action::Redirect(redirect) = &route.action else {
            return None;
        };
        Some(redirect.location(&route.path, asked.host, asked.path, asked.query))
    }

    /// The path to send on for `path`, if the request goes to an endpoint. What a rewrite made and is no path in its
    /// normal form goes nowhere: no one downstream may see another path than was decided on.
    pub fn forwarded_path<'p>(&mut self, path: &'p str) -> Option<Cow<'p, str>> {
        if !self.is_forwarded() {
            return None;
        }
        let Some(change) = self.changes().and_then(|changes| changes.path.as_ref()) else {
            return Some(Cow::Borrowed(path));
        };
        let changed = change.apply(path);
        let is_path = !path.starts_with('/')
            || (changed.starts_with('/')
                && changed
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'))
                && normal::path(&changed, false).is_ok_and(|normal| normal == changed));
        if !is_path {
            let detail = format!(
                "{} made {changed} of the path, which is no path in normal form",
                change.label()
            );
            self.target = Target::Refused(Error::us(Reason::RewriteFailed, detail));
            return None;
        }
        Some(changed)
    }

    /// Why the request goes nowhere, if so.
    pub const fn refusal(&self) -> Option<&Error> {
        match &self.target {
            Target::Refused(error) => Some(error),
            _ => None,
        }
    }
}

/// What is done with a request.
#[derive(Debug, Clone)]
pub enum Target {
    /// It goes to one of these endpoints.
    Cluster(Arc<Cluster>),
    /// It goes to an instance on this node, by its place where the caller's side chose one.
    Local(Arc<LocalService>, Option<usize>),
    /// Its route answers it: with a redirect, or as it says.
    Answered,
    /// It is sent to the same by https, with this status.
    ToHttps(u16),
    /// It ends here: its `Max-Forwards` is used up (RFC 9110 §7.6.2).
    LastHop,
    /// It gets this answer.
    Refused(Error),
}

/// A connection's far end, chosen for one try.
#[derive(Debug, Clone)]
pub enum Destination {
    /// An instance on this node, in clear.
    Here(Arc<LocalInstance>),
    /// One elsewhere, in clear: no other node of the mesh stands before it.
    Clear(Arc<Endpoint>),
    /// One elsewhere, by another node.
    Mesh(Arc<Endpoint>, SocketAddr),
}

impl Destination {
    /// The chosen instance's id.
    pub fn id(&self) -> &Arc<str> {
        match self {
            Self::Here(instance) => &instance.id,
            Self::Clear(endpoint) | Self::Mesh(endpoint, _) => &endpoint.id,
        }
    }

    /// Whether the other end of a connection there is spoken to in HTTP/2; `spoken` is for one that speaks what its
    /// callers do. Another node speaks HTTP/1.1, whatever its instance does.
    pub fn speaks_http2(&self, spoken: Protocol) -> bool {
        let protocol = match self {
            Self::Here(instance) => instance.protocol,
            Self::Clear(endpoint) => endpoint.protocol,
            Self::Mesh(..) => return false,
        };
        match protocol {
            Protocol::Auto => spoken == Protocol::Http2,
            own => own == Protocol::Http2,
        }
    }

    /// What another node is told of a request: the instance it is for, and whether that, speaking what its callers do, is
    /// to be spoken to in HTTP/2.
    pub fn told(&self, spoken: Protocol) -> Option<Told<'_>> {
        let Self::Mesh(endpoint, _) = self else {
            return None;
        };
        Some(Told {
            instance: &endpoint.id,
            is_http2: endpoint.protocol == Protocol::Auto && spoken == Protocol::Http2,
        })
    }

    /// How the other end is spoken to by TLS that the instance ends; another node has its own.
    pub fn tls(&self) -> Option<&Arc<InstanceTls>> {
        match self {
            Self::Here(instance) => instance.tls.as_ref(),
            Self::Clear(endpoint) => endpoint.tls.as_ref(),
            Self::Mesh(..) => None,
        }
    }

    /// Where the instance listens, to be tried in this order.
    pub fn addresses(&self) -> &[SocketAddr] {
        match self {
            Self::Here(instance) => &instance.addresses,
            Self::Clear(endpoint) | Self::Mesh(endpoint, _) => slice::from_ref(&endpoint.address),
        }
    }
}

/// What one node tells another of a request, in fields that are never taken from strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'d> {
    /// The instance that was chosen.
    pub instance: &'d str,
    /// Whether it is to be spoken to in HTTP/2, as it came so and that is what the instance goes by.
    pub is_http2: bool,
}

/// Decides what is done with a request.
pub fn plan(
    snapshot: &Snapshot,
    caller: &Caller,
    asked: &Asked<'_>,
    instance: Option<&[u8]>,
    balancer: &mut Balancer,
) -> Plan {
    match caller.kind {
        ListenerKind::Edge => edge(snapshot, caller, asked, balancer),
        ListenerKind::Outbound => outbound(snapshot, asked, balancer),
        ListenerKind::Inbound => inbound(snapshot, caller, asked.host, instance),
    }
}

/// Whether routes have a say about requests for this host.
pub fn is_routed(kind: ListenerKind, host: &str) -> bool {
    match kind {
        ListenerKind::Edge => !is_mesh_host(host),
        ListenerKind::Outbound => mesh_service(host).is_some(),
        ListenerKind::Inbound => false,
    }
}

/// The service a host under `.mesh` names.
pub fn mesh_service(host: &str) -> Option<&str> {
    host.strip_suffix(MESH_SUFFIX)
        .filter(|service| !service.is_empty())
}

fn edge(snapshot: &Snapshot, caller: &Caller, asked: &Asked<'_>, balancer: &mut Balancer) -> Plan {
    let (host, path) = (asked.host, asked.path);
    if is_mesh_host(host) {
        let detail = format!("{host} is called from inside the mesh only; the edge takes routes");
        return refused(None, Error::downstream(Reason::MeshHostAtEdge, detail));
    }
    let Some(route) = snapshot.router.find(asked) else {
        let detail = format!(
            "no route takes {host}{path}; one is made by: consul kv put mesh/routes/NAME '{host}/ -> SERVICE'"
        );
        return refused(None, Error::us(Reason::NoRoute, detail));
    };
    if caller.secured.is_none() && is_sent_to_https(route, asked) {
        return Plan {
            route: Some(Arc::clone(route)),
            ..Plan::of(to_https(asked))
        };
    }
    by_route(snapshot, route, balancer)
}

/// Whether a request in clear is to come again by https. Never one by which an authority looks whether the host is ours
/// (RFC 8555 §8.3): that is how a certificate begins.
fn is_sent_to_https(route: &Route, asked: &Asked<'_>) -> bool {
    route
        .https
        .as_ref()
        .is_some_and(|https| https.is_redirected)
        && !asked.path.starts_with("/.well-known/acme-challenge/")
        && !asked.came_by_https()
}

/// For methods other than these a client that follows 301 may make a GET of the request (RFC 9110 §15.4.2).
fn to_https(asked: &Asked<'_>) -> Target {
    if asked.host.is_empty() {
        let detail = "the request names no host, and is to come by https";
        return Target::Refused(Error::downstream(Reason::BadRequest, detail));
    }
    Target::ToHttps(match asked.method {
        "GET" | "HEAD" => 301,
        _ => 308,
    })
}

fn https_location(asked: &Asked<'_>, port: Option<u16>) -> String {
    let mut location = format!("https://{}", asked.host);
    if let Some(port) = port {
        location.push(':');
        location.push_str(&port.to_string());
    }
    location.push_str(if asked.path.starts_with('/') {
        asked.path
    } else {
        "/"
    });
    if let Some(query) = asked.query {
        location.push('?');
        location.push_str(query);
    }
    location
}

fn by_route(snapshot: &Snapshot, route: &Arc<Route>, balancer: &mut Balancer) -> Plan {
    let route = Arc::clone(route);
    match &route.action {
        Action::Redirect(_) | Action::Answer(_) => Plan {
            route: Some(route),
            ..Plan::of(Target::Answered)
        },
        Action::Split(clusters) => {
            let name = Arc::clone(&clusters[balancer.pick_cluster(&route)].cluster);
            to_cluster(snapshot, Some(route), &name)
        }
    }
}

fn outbound(snapshot: &Snapshot, asked: &Asked<'_>, balancer: &mut Balancer) -> Plan {
    let Some(service) = mesh_service(asked.host) else {
        let host = asked.host;
        let detail = format!("services are called as http://SERVICE.mesh/; {host} is none");
        return refused(None, Error::downstream(Reason::NotMeshHost, detail));
    };
    match snapshot.router.find(asked) {
        Some(route) => by_route(snapshot, route, balancer),
        None => to_cluster(snapshot, None, service),
    }
}

/// Where a raw connection from there goes that came in by one of the node's ports.
pub fn by_port(snapshot: &Snapshot, port: u16, client: IpAddr, balancer: &mut Balancer) -> Plan {
    let Some(route) = snapshot.router.find_stream(port, client) else {
        let detail = format!("no route takes a connection from {client} to port {port}");
        return Plan::refused(Error::us(Reason::NoRoute, detail));
    };
    by_route(snapshot, route, balancer)
}

/// Where a connection from there goes that begins with TLS for this server name, if it is passed on as it is; none: its
/// TLS ends here.
pub fn by_server_name(
    snapshot: &Snapshot,
    name: &str,
    client: IpAddr,
    balancer: &mut Balancer,
) -> Option<Plan> {
    let (route, taken) = snapshot.router.find_server_name(name, client)?;
    if settings_before(snapshot, name, taken).is_some() {
        return None;
    }
    Some(by_route(snapshot, route, balancer))
}

/// The settings of a host that go before a route that passes its connections on: those as near to the name, and any that
/// ask for certificates, so that no route leads around that.
pub fn settings_before<'s>(
    snapshot: &'s Snapshot,
    name: &str,
    taken: &HostMatch,
) -> Option<&'s Arc<TlsHost>> {
    let own = snapshot.tls_of(name)?;
    let nearness = match own.host.strip_prefix("*.") {
        Some(suffix) => suffix.len(),
        None => usize::MAX,
    };
    let goes_before = own.clients.is_some() || own.closed.is_some() || nearness >= taken.nearness();
    goes_before.then_some(own)
}

/// Where a raw connection to a service goes.
pub fn to_service(snapshot: &Snapshot, service: &str) -> Plan {
    to_cluster(snapshot, None, service)
}

fn to_cluster(snapshot: &Snapshot, route: Option<Arc<Route>>, name: &str) -> Plan {
    // A part of a service is reached by routes alone.
    let is_callable = |cluster: &&Arc<Cluster>| {
        cluster.exists && (route.is_some() || cluster.name == cluster.service)
    };
    let Some(cluster) = snapshot.clusters.get(name).filter(is_callable) else {
        let detail = format!("no service is called \"{name}\"");
        // A name a caller made up is no label of ours; one that a route has is.
        let destination = route
            .as_ref()
            .map_or_else(Arc::default, |_| Arc::from(name));
        return Plan {
            destination,
            ..refused(route, Error::us(Reason::NoSuchService, detail))
        };
    };
    let destination = Arc::clone(&cluster.service);
    if cluster.endpoints.is_empty() {
        let (instances, word) = (
            cluster.instances,
            if cluster.instances == 1 {
                "instance"
            } else {
                "instances"
            },
        );
        let name = &destination;
        let detail = match instances {
            0 => format!("service \"{name}\" has no instances"),
            1 => format!("service \"{name}\" has 1 {word}, which does not pass its checks"),
            _ => format!("service \"{name}\" has {instances} {word}, none passes its checks"),
        };
        return Plan {
            destination,
            ..refused(route, Error::us(Reason::NoHealthyEndpoint, detail))
        };
    }
    if cluster
        .endpoints
        .iter()
        .all(|endpoint| endpoint.is_draining)
    {
        let detail = format!(
            "every instance of service \"{destination}\" that may be used is being drained"
        );
        return Plan {
            destination,
            ..refused(route, Error::us(Reason::NoHealthyEndpoint, detail))
        };
    }
    Plan {
        route,
        destination,
        target: Target::Cluster(Arc::clone(cluster)),
        intention: None,
    }
}

/// Where what another node asks of this one goes.
pub fn inbound(snapshot: &Snapshot, caller: &Caller, host: &str, instance: Option<&[u8]>) -> Plan {
    let destination = caller.destination.clone().unwrap_or_default();
    if host
        .strip_suffix(MESH_SUFFIX)
        // Hosts have no case (RFC 9110 §4.2.3); services have.
        .is_some_and(|service| !service.eq_ignore_ascii_case(&destination))
    {
        let detail = format!("the connection is for \"{destination}\", the request for {host}");
        return Plan {
            destination,
            ..refused(None, Error::downstream(Reason::Misdirected, detail))
        };
    }
    let decision = snapshot.authorizer.decide(&caller.source, &destination);
    if let Some(error) = denial(&decision, &caller.source, &destination) {
        return Plan {
            destination,
            intention: decision.intention,
            ..refused(None, error)
        };
    }
    let Some(service) = snapshot.services.get(&destination) else {
        let node = &snapshot.settings.node;
        let detail = format!("service \"{destination}\" does not run on {node}");
        return Plan {
            destination,
            ..refused(None, Error::us(Reason::NotHere, detail))
        };
    };
    let is_it = |id: &[u8], one: &LocalInstance| one.id.as_bytes() == id;
    let place_of = |id| service.instances.iter().position(|one| is_it(id, one));
    let wanted = instance.and_then(place_of);
    Plan {
        route: None,
        destination,
        target: Target::Local(Arc::clone(service), wanted),
        intention: decision.intention,
    }
}

fn refused(route: Option<Arc<Route>>, error: Error) -> Plan {
    Plan {
        route,
        ..Plan::of(Target::Refused(error))
    }
}

/// The endpoints that were chosen for a request, by their places.
#[derive(Debug, Default)]
pub struct Tried {
    /// Apart, as most requests need no second: they keep no list.
    last: Option<usize>,
    before: Vec<usize>,
}

impl Tried {
    /// Whether none was chosen.
    pub const fn is_empty(&self) -> bool {
        self.last.is_none() && self.before.is_empty()
    }

    /// Forgets them, so that each may be chosen once more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// All of them, now that they failed.
    fn failed(&mut self) -> &[usize] {
        self.before.extend(self.last.take());
        &self.before
    }
}

/// Chooses the far end for the next try.
pub fn choose(
    snapshot: &Snapshot,
    caller: &Caller,
    plan: &mut Plan,
    balancer: &mut Balancer,
    tried: &mut Tried,
) -> Result<Destination, Error> {
    match &plan.target {
        Target::Cluster(cluster) => {
            let place = balancer
                .pick_endpoint(cluster, tried.failed())
                .ok_or_else(|| none_left(plan))?;
            tried.last = Some(place);
            let endpoint = &cluster.endpoints[place];
            if let Via::Mesh(address) = endpoint.via {
                return Ok(Destination::Mesh(Arc::clone(endpoint), address));
            }
            if is_decided_here(snapshot, &cluster.service, endpoint) {
                let decision = snapshot.authorizer.decide(&caller.source, &cluster.service);
                let error = denial(&decision, &caller.source, &cluster.service);
                plan.intention = decision.intention;
                error.map_or(Ok(()), Err)?;
            }
            Ok(in_clear(snapshot, &cluster.service, endpoint))
        }
        Target::Local(service, wanted) => {
            let place = match wanted {
                Some(place) if tried.is_empty() => Some(*place),
                _ => balancer.pick_instance(service, tried.failed()),
            };
            let place = place.ok_or_else(|| none_left(plan))?;
            tried.last = Some(place);
            Ok(Destination::Here(Arc::clone(&service.instances[place])))
        }
        Target::Answered | Target::ToHttps(_) | Target::LastHop | Target::Refused(_) => {
            Err(none_left(plan))
        }
    }
}

/// Why what goes on between `source` and a far end of `service` may go on no longer, where this node has a say: as it
/// had by [`plan`] or [`choose`] when it began.
pub fn objection(
    snapshot: &Snapshot,
    source: &str,
    service: &str,
    destination: &Destination,
) -> Option<Error> {
    let decides = match destination {
        Destination::Here(_) => true,
        Destination::Clear(endpoint) => is_decided_here(snapshot, service, endpoint),
        Destination::Mesh(..) => false,
    };
    if !decides {
        return None;
    }
    let decision = snapshot.authorizer.decide(source, service);
    denial(&decision, source, service)
}

/// Whether no other node of the mesh stands before an endpoint reached in clear: what the intentions say is decided here.
fn is_decided_here(snapshot: &Snapshot, service: &str, endpoint: &Endpoint) -> bool {
    endpoint.via == Via::Local || snapshot.authorizer.covers(service)
}

/// An endpoint reached in clear; for one of this node, at the addresses inbound calls use too.
fn in_clear(snapshot: &Snapshot, service: &str, endpoint: &Arc<Endpoint>) -> Destination {
    let service = match endpoint.via {
        Via::Local => snapshot.services.get(service),
        Via::Clear | Via::Mesh(_) => None,
    };
    let instance = service.and_then(|service| service.instance(&endpoint.id));
    instance.map_or_else(
        || Destination::Clear(Arc::clone(endpoint)),
        |instance| Destination::Here(Arc::clone(instance)),
    )
}

fn none_left(plan: &Plan) -> Error {
    let detail = format!(
        "no endpoint of service \"{}\" is left to try",
        plan.destination
    );
    Error::us(Reason::NoHealthyEndpoint, detail)
}

/// The error for a call that is not allowed, with the sentence that names what denies it.
pub fn denial(decision: &Decision, source: &str, destination: &str) -> Option<Error> {
    let reason = decision.reason.filter(|_| !decision.is_allowed)?;
    let detail = match (&decision.intention, reason) {
        (Some(name), Reason::IntentionUnsupported) => format!(
            "{destination} refused {source}: intention {name} has Permissions, which this version does not understand"
        ),
        (Some(name), _) => {
            format!("{destination} refused {source}: intention {name} (deny)")
        }
        (None, _) => format!(
            "{destination} refused {source}: no intention names them and the default is deny; allow it by: meshnode intentions allow {source} {destination}"
        ),
    };
    Some(Error::us(reason, detail))
}
