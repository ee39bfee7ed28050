//! Where a request goes and whether it may: decided from values, without I/O.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::authorizer::Decision;
use crate::balancer::Balancer;
use crate::error::{Error, Reason};
use crate::router::{Action, Route};
use crate::snapshot::{Cluster, Endpoint, ListenerKind, LocalService, Snapshot, Via};

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

    /// Whether the request goes to an endpoint.
    pub const fn is_forwarded(&self) -> bool {
        matches!(self.target, Target::Cluster(_) | Target::Local(..))
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
    /// It goes to an instance on this node, by its id where the caller's side chose one.
    Local(Arc<LocalService>, Option<Box<str>>),
    /// It is sent elsewhere by its route.
    Redirect,
    /// It ends here: its `Max-Forwards` is used up (RFC 9110 §7.6.2).
    LastHop,
    /// It gets this answer.
    Refused(Error),
}

/// A connection's far end, chosen for one try.
#[derive(Debug, Clone)]
pub enum Destination {
    /// An instance, in clear: the addresses to try, in order.
    Instance {
        /// Its id.
        id: Arc<str>,
        /// Its addresses.
        addresses: Vec<SocketAddr>,
    },
    /// The same, by another node.
    Mesh(Arc<Endpoint>, SocketAddr),
}

impl Destination {
    /// The chosen instance's id.
    pub fn id(&self) -> &Arc<str> {
        match self {
            Self::Instance { id, .. } => id,
            Self::Mesh(endpoint, _) => &endpoint.id,
        }
    }
}

/// Decides what is done with a request for `host` (as sent) and `path` (no query).
pub fn plan(
    snapshot: &Snapshot,
    caller: &Caller,
    host: &str,
    path: &str,
    instance: Option<&str>,
    balancer: &mut Balancer,
) -> Plan {
    let host = canonical_host(host);
    match caller.kind {
        ListenerKind::Edge => edge(snapshot, &host, path, balancer),
        ListenerKind::Outbound => outbound(snapshot, &host),
        ListenerKind::Inbound => inbound(snapshot, caller, &host, instance),
    }
}

fn edge(snapshot: &Snapshot, host: &str, path: &str, balancer: &mut Balancer) -> Plan {
    if host.ends_with(MESH_SUFFIX) {
        let detail = format!("{host} is called from inside the mesh only; the edge takes routes");
        return refused(None, Error::downstream(Reason::MeshHostAtEdge, detail));
    }
    let Some(route) = snapshot.router.find(host, path) else {
        let detail = format!(
            "no route takes {host}{path}; one is made by: consul kv put mesh/routes/NAME '{host}/ -> SERVICE'"
        );
        return refused(None, Error::us(Reason::NoRoute, detail));
    };
    let name = match &route.action {
        Action::Redirect { .. } => {
            return Plan {
                route: Some(Arc::clone(route)),
                ..Plan::of(Target::Redirect)
            };
        }
        Action::Split(clusters) => &clusters[balancer.pick_cluster(route)].cluster,
    };
    to_cluster(snapshot, Some(Arc::clone(route)), name)
}

fn outbound(snapshot: &Snapshot, host: &str) -> Plan {
    match host.strip_suffix(MESH_SUFFIX) {
        Some(service) if !service.is_empty() => to_cluster(snapshot, None, service),
        _ => {
            let detail = format!("services are called as http://SERVICE.mesh/; {host} is none");
            refused(None, Error::downstream(Reason::NotMeshHost, detail))
        }
    }
}

fn to_cluster(snapshot: &Snapshot, route: Option<Arc<Route>>, name: &str) -> Plan {
    let Some(cluster) = snapshot.clusters.get(name).filter(|cluster| cluster.exists) else {
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
    Plan {
        route,
        destination,
        target: Target::Cluster(Arc::clone(cluster)),
        intention: None,
    }
}

fn inbound(snapshot: &Snapshot, caller: &Caller, host: &str, instance: Option<&str>) -> Plan {
    let destination = caller.destination.clone().unwrap_or_default();
    if host
        .strip_suffix(MESH_SUFFIX)
        .is_some_and(|service| *service != *destination)
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
    let known = |id: &&str| {
        service
            .instances
            .iter()
            .any(|instance| *instance.id == **id)
    };
    let wanted = instance.filter(known).map(Box::from);
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

/// Chooses the far end for the next try. `tried` holds the places of the endpoints that failed.
pub fn choose(
    snapshot: &Snapshot,
    caller: &Caller,
    plan: &mut Plan,
    balancer: &mut Balancer,
    tried: &mut Vec<usize>,
) -> Result<Destination, Error> {
    match &plan.target {
        Target::Cluster(cluster) => {
            let place = balancer
                .pick_endpoint(cluster, tried)
                .ok_or_else(|| none_left(plan))?;
            tried.push(place);
            let endpoint = &cluster.endpoints[place];
            if let Via::Mesh(address) = endpoint.via {
                return Ok(Destination::Mesh(Arc::clone(endpoint), address));
            }
            // No other node of the mesh stands before these: what the intentions say is decided here.
            if endpoint.via == Via::Local || snapshot.authorizer.covers(&cluster.service) {
                let decision = snapshot.authorizer.decide(&caller.source, &cluster.service);
                let error = denial(&decision, &caller.source, &cluster.service);
                plan.intention = decision.intention;
                error.map_or(Ok(()), Err)?;
            }
            Ok(here(snapshot, &cluster.service, endpoint))
        }
        Target::Local(service, wanted) => {
            let place = match wanted {
                Some(id) if tried.is_empty() => service
                    .instances
                    .iter()
                    .position(|instance| *instance.id == **id),
                _ => balancer.pick_instance(service, tried),
            };
            let place = place.ok_or_else(|| none_left(plan))?;
            tried.push(place);
            let instance = &service.instances[place];
            Ok(Destination::Instance {
                id: Arc::clone(&instance.id),
                addresses: instance.addresses.clone(),
            })
        }
        Target::Redirect | Target::LastHop | Target::Refused(_) => Err(none_left(plan)),
    }
}

/// An endpoint reached in clear; for one of this node, at the addresses inbound calls use too.
fn here(snapshot: &Snapshot, service: &str, endpoint: &Endpoint) -> Destination {
    let local = snapshot
        .services
        .get(service)
        .filter(|_| endpoint.via == Via::Local);
    let instance =
        local.and_then(|service| service.instances.iter().find(|one| one.id == endpoint.id));
    Destination::Instance {
        id: Arc::clone(&endpoint.id),
        addresses: instance.map_or_else(
            || vec![endpoint.address],
            |instance| instance.addresses.clone(),
        ),
    }
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

/// A host as routes have it: lower case, without port and trailing dot.
pub fn canonical_host(host: &str) -> Cow<'_, str> {
    let name = match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_without_case_port_and_last_dot() {
        for host in ["shop.test", "SHOP.test", "shop.test:8080", "Shop.Test.:80"] {
            assert_eq!(canonical_host(host), "shop.test");
        }
        assert_eq!(canonical_host("[::1]:80"), "[::1]");
        assert_eq!(canonical_host("[::1]"), "[::1]");
    }
}
