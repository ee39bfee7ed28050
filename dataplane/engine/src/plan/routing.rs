//! From a request to its plan, by the kind of listener it came in by. It may not choose an instance.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Caller, MESH_SUFFIX, Plan, Target, denial};
use crate::balancer::Balancer;
use crate::error::{Error, Reason};
use crate::router::{Action, Asked, HostMatch, Route, is_mesh_host};
use crate::snapshot::{Cluster, ListenerKind, LocalInstance, Snapshot, TlsHost};

const DAY: Duration = Duration::from_secs(86_400);

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

/// Why TLS for this name may be passed on no longer once it is: its host asks for certificates now, or is closed, which
/// nothing leads around. A route that goes, or settings that only take its place, are for the connections that come.
pub fn passing_refusal(snapshot: &Snapshot, name: &str) -> Option<Error> {
    let own = snapshot.tls_of(name)?;
    let why = if own.closed.is_some() {
        "are broken: nobody is let in"
    } else if own.clients.is_some() {
        "ask for certificates now, which end at the edge"
    } else {
        return None;
    };
    let detail = format!("the TLS settings of {name} ({}) {why}", own.key);
    Some(Error::downstream(Reason::Misdirected, detail))
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
        return Plan {
            destination,
            ..refused(route, Error::us(Reason::NoHealthyEndpoint, empty(cluster)))
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

/// Why a service without any instance that may be used has none.
fn empty(cluster: &Cluster) -> String {
    let name = &cluster.service;
    let since = cluster
        .emptied
        .map(|at| since(at, SystemTime::now()))
        .unwrap_or_default();
    match cluster.instances {
        0 => format!("service \"{name}\" has no instances{since}"),
        1 => format!("service \"{name}\" has 1 instance, which does not pass its checks{since}"),
        many => {
            format!("service \"{name}\" has {many} instances, none passes its checks{since}")
        }
    }
}

/// ` (since 03:11:40 UTC)`: whoever reads it may be anywhere. With its date, ` (since 06 Nov 1994 08:49:37 UTC)`, where a day
/// has gone by.
fn since(at: SystemTime, today: SystemTime) -> String {
    let is_old = today.duration_since(at).is_ok_and(|age| age >= DAY);
    // As in `Sun, 06 Nov 1994 08:49:37 GMT`.
    let date = httpdate::fmt_http_date(at);
    let shown = date.get(if is_old { 5..25 } else { 17..25 });
    format!(" (since {} UTC)", shown.unwrap_or(&date))
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{DAY, since};

    #[test]
    fn what_began_before_today_has_its_date() {
        let at = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let told = |later| since(at, at + later);
        assert_eq!(told(Duration::from_secs(86_399)), " (since 08:49:37 UTC)");
        assert_eq!(told(DAY), " (since 06 Nov 1994 08:49:37 UTC)");
        // A clock that was set back.
        assert_eq!(since(at, at - DAY), " (since 08:49:37 UTC)");
    }
}
