//! Where a request would go from here: the cluster, its endpoints, and who says whether it may. It may not choose.

use std::sync::Arc;

use super::one::SEED;
use super::rows::{EndpointRow, Intention};
use crate::authorizer::Decision;
use crate::balancer::Balancer;
use crate::plan::{self, Caller, Destination, Plan, Target};
use crate::random::Random;
use crate::router::Action;
use crate::snapshot::{
    Cluster, Endpoint, ListenerKind, ListenerProtocol, LocalInstance, Snapshot, Via,
};

/// The cluster the request was to go to, whether it can or not; `called` is the service that was asked for by its name.
pub(super) fn cluster(
    snapshot: &Snapshot,
    plan: &Plan,
    called: Option<&str>,
) -> Option<Arc<Cluster>> {
    if let Target::Cluster(cluster) = &plan.target {
        return Some(Arc::clone(cluster));
    }
    let name = match &plan.route {
        Some(route) => {
            let Action::Split(parts) = &route.action else {
                return None;
            };
            // The same first turn as that which was decided by.
            let turn = Balancer::new(Random::from_seed(SEED)).pick_cluster(route);
            &*parts.get(turn)?.cluster
        }
        None => called?,
    };
    snapshot.clusters.get(name).cloned()
}

/// What decides what a connection of that listener speaks, where its first bytes do.
pub(super) fn detection(snapshot: &Snapshot, listener: &str) -> Option<String> {
    let listener = snapshot.listeners.get(listener)?;
    let is_found_out = listener.protocol == ListenerProtocol::Auto;
    let patience = snapshot.settings.limits.detect_timeout.as_millis();
    is_found_out.then(|| {
        format!(
            "its first bytes decide: HTTP/1.1 and HTTP/2 are requests; TLS (its server name is told in the span) and \
             all else is moved as it is, and so is a connection that says nothing for {patience} ms"
        )
    })
}

pub(super) fn endpoints(
    snapshot: &Snapshot,
    plan: &Plan,
    cluster: Option<&Cluster>,
) -> Vec<EndpointRow> {
    if let Target::Local(service, _) = &plan.target {
        let row = |instance: &Arc<LocalInstance>| EndpointRow {
            id: instance.id.to_string(),
            node: snapshot.settings.node.to_string(),
            address: instance.addresses.first().map(ToString::to_string),
            via: "local",
            is_usable: instance.healthy,
            code: (!instance.healthy).then_some("unhealthy"),
            sentence: (!instance.healthy).then_some("it does not pass its checks"),
        };
        return service.instances.iter().map(row).collect();
    }
    let endpoints = cluster.map_or(&[][..], |cluster| &cluster.endpoints);
    endpoints
        .iter()
        .map(|endpoint| endpoint_row(endpoint))
        .collect()
}

fn endpoint_row(endpoint: &Endpoint) -> EndpointRow {
    let (code, sentence) = match endpoint {
        Endpoint {
            is_draining: true, ..
        } => (
            Some("draining"),
            Some("it is being drained and gets nothing new"),
        ),
        Endpoint { weight: 0, .. } => (Some("no_weight"), Some("its weight is 0")),
        _ => (None, None),
    };
    EndpointRow {
        id: endpoint.id.to_string(),
        node: endpoint.node.to_string(),
        address: Some(endpoint.address.to_string()),
        via: match endpoint.via {
            Via::Mesh(_) => "mesh",
            Via::Local => "local",
            Via::Clear => "clear",
        },
        is_usable: endpoint.share() > 0,
        code,
        sentence,
    }
}

/// Who says whether the call may go on: the node of the endpoint, or this one where no other stands before that.
pub(super) fn intention(
    snapshot: &Snapshot,
    caller: &Caller,
    plan: &Plan,
    chosen: Option<&Destination>,
    cluster: Option<&Cluster>,
) -> Option<Intention> {
    let service = match (caller.kind, cluster) {
        (ListenerKind::Inbound, _) => &plan.destination,
        (_, Some(cluster)) => &cluster.service,
        (_, None) => return None,
    };
    let usable = cluster.and_then(|cluster| cluster.endpoints.first());
    let (node, via) = match (chosen, usable) {
        (Some(Destination::Mesh(endpoint, _)), _) => (&endpoint.node, Some(endpoint.via)),
        (None, Some(endpoint)) if matches!(endpoint.via, Via::Mesh(_)) => {
            (&endpoint.node, Some(endpoint.via))
        }
        (_, endpoint) => (
            &snapshot.settings.node,
            endpoint.map(|endpoint| endpoint.via),
        ),
    };
    let decision = snapshot.authorizer.decide(&caller.source, service);
    let is_known =
        snapshot.authorizer.covers(service) || !matches!(via, Some(Via::Mesh(_) | Via::Clear));
    if is_known {
        return Some(Intention {
            sentence: sentence(&decision, &caller.source, service),
            name: decision.intention.map(|name| name.to_string()),
            is_allowed: Some(decision.is_allowed),
            decided_by: Some(node.to_string()),
        });
    }
    let is_asked = matches!(via, Some(Via::Mesh(_)));
    let (is_allowed, decided_by, sentence) = if is_asked {
        let sentence = format!("{node} decides; this node is told no intentions of {service}");
        (None, Some(node.to_string()), sentence)
    } else {
        let sentence = format!(
            "no intention names {service} as destination, and no node of the mesh stands before it"
        );
        (Some(true), None, sentence)
    };
    Some(Intention {
        name: None,
        is_allowed,
        decided_by,
        sentence,
    })
}

fn sentence(decision: &Decision, source: &str, destination: &str) -> String {
    if let Some(error) = plan::denial(decision, source, destination) {
        return error.detail.into_owned();
    }
    match &decision.intention {
        Some(name) => format!("intention {name} allows it"),
        None => "no intention names them, and the default is allow".to_owned(),
    }
}
