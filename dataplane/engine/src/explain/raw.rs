//! One raw connection explained, by the port it would come in by or the server name it would ask for. It may not decide:
//! `plan` does, as in serving.

use std::sync::Arc;

use super::calling::caller;
use super::document::{RequestDocument, Scheme};
use super::one::{SEED, split};
use super::reach;
use super::rows::{Answer, Considered, Own, RouteRow};
use crate::balancer::Balancer;
use crate::client_hello;
use crate::error::{Error, Reason};
use crate::network;
use crate::plan::{self, Caller, Plan, Tried};
use crate::random::Random;
use crate::router::{RawMatch, Route};
use crate::snapshot::{ListenerKind, ListenerProtocol, Snapshot};

/// By what a connection is led.
enum Way {
    /// The port it comes in by.
    Port(u16),
    /// The server name its TLS begins with.
    Name(Box<str>),
    /// The one service its listener leads to, or that another node says.
    Service,
}

/// What becomes of a connection; the error is a sentence on what is wrong with the question.
pub(super) fn explain(
    snapshot: &Arc<Snapshot>,
    request: &RequestDocument,
    considered: usize,
) -> Result<Answer, String> {
    let caller = caller(snapshot, request)?;
    let balancer = &mut Balancer::new(Random::from_seed(SEED));
    let (way, mut plan) = planned(snapshot, request, &caller, balancer)?;
    let chosen = plan.refusal().cloned().map_or(Ok(()), Err).and_then(|()| {
        let mut tried = Tried::default();
        plan::choose(snapshot, &caller, &mut plan, balancer, &mut tried)
    });
    let named = (caller.kind != ListenerKind::Inbound).then_some(&*plan.destination);
    let cluster = reach::cluster(snapshot, &plan, named);
    let rows = losers(snapshot, request, &way, &plan);
    Ok(Answer {
        route: plan.route.as_deref().map(RouteRow::of),
        routes: rows.len() + usize::from(plan.route.is_some()),
        considered: rows.into_iter().take(considered).collect(),
        split: split(&plan),
        intention: reach::intention(
            snapshot,
            &caller,
            &plan,
            chosen.as_ref().ok(),
            cluster.as_deref(),
        ),
        endpoints: reach::endpoints(snapshot, &plan, cluster.as_deref()),
        detection: reach::detection(snapshot, &request.listener),
        cluster: cluster.map(|cluster| cluster.name.to_string()),
        destination: Some(plan.destination.to_string()).filter(|service| !service.is_empty()),
        own: chosen.as_ref().err().map(Own::of),
        ..Answer::default()
    })
}

fn planned(
    snapshot: &Snapshot,
    request: &RequestDocument,
    caller: &Caller,
    balancer: &mut Balancer,
) -> Result<(Way, Plan), String> {
    let client = request.client_address;
    match (caller.kind, request.scheme) {
        (ListenerKind::Edge, Scheme::Tls) => {
            let name = client_hello::normal(&request.host);
            let plan = plan::by_server_name(snapshot, &name, client, balancer);
            let plan = plan.unwrap_or_else(|| Plan::refused(ends_here(snapshot, &name, request)));
            Ok((Way::Name(name), plan))
        }
        (ListenerKind::Edge, _) => {
            let port = request.host.rsplit(':').next().unwrap_or_default();
            let port: u16 = port.parse().map_err(|_| {
                let host = &request.host;
                format!("a raw connection of the edge goes to a port, as in :5432, not to {host:?}")
            })?;
            let plan = plan::by_port(snapshot, port, client, balancer);
            Ok((Way::Port(port), plan))
        }
        (ListenerKind::Outbound, _) => {
            let listener = snapshot.listeners.get(&*request.listener);
            let raw = listener.filter(|listener| listener.protocol != ListenerProtocol::Http);
            let destination = raw.and_then(|listener| listener.destination.as_deref());
            let destination = destination.ok_or_else(|| {
                let (source, host) = (&caller.source, &request.host);
                format!("no port of {source}'s leads raw connections to {host:?}: mesh/upstreams/{source} says which there are")
            })?;
            Ok((Way::Service, plan::to_service(snapshot, destination)))
        }
        (ListenerKind::Inbound, _) => Ok((Way::Service, plan::inbound(snapshot, caller, "", None))),
    }
}

/// Why TLS for this name is not passed on.
fn ends_here(snapshot: &Snapshot, name: &str, request: &RequestDocument) -> Error {
    let found = snapshot
        .router
        .find_server_name(name, request.client_address);
    let before = found.and_then(|(route, taken)| {
        let own = plan::settings_before(snapshot, name, taken)?;
        Some((&route.key, &own.key))
    });
    let why = before.map_or_else(
        || "no route passes it on".to_owned(),
        |(route, own)| format!("{own} goes before {route}"),
    );
    let detail = format!(
        "TLS for {name} ends at the edge: {why}. What becomes of its requests says: meshnode explain https://{name}/"
    );
    Error::us(Reason::NoRoute, detail)
}

/// The routes of the same kind that did not take it.
fn losers(
    snapshot: &Snapshot,
    request: &RequestDocument,
    way: &Way,
    plan: &Plan,
) -> Vec<Considered> {
    let winner = plan.route.as_deref();
    let mut rows: Vec<_> = snapshot
        .routes()
        .filter(|route| winner.is_none_or(|winner| winner.name != route.name))
        .filter_map(|route| missed(route, request, way, winner))
        .collect();
    rows.sort_by(|one, other| (one.0, &one.1.route.name).cmp(&(other.0, &other.1.route.name)));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Why a route did not take it, the nearest first; none: it is of another kind.
fn missed(
    route: &Route,
    request: &RequestDocument,
    way: &Way,
    winner: Option<&Route>,
) -> Option<(u8, Considered)> {
    let (takes, code, text) = match (&route.raw, way) {
        (Some(RawMatch::Port(port)), Way::Port(asked)) => (
            port == asked,
            "port",
            format!("it takes port {port}, not {asked}"),
        ),
        (Some(RawMatch::Names(_)), Way::Name(asked)) => (
            route.server_name(asked).is_some(),
            "sni",
            format!("it does not take {asked}"),
        ),
        _ => return None,
    };
    let client = request.client_address;
    let is_its = (route.conditions.as_deref())
        .is_none_or(|conditions| network::any_contains(&conditions.client_addresses, client));
    let (nearness, code, sentence) = match (takes, is_its, winner) {
        (false, ..) => (2, code, text),
        (true, false, _) => (
            1,
            "client_address",
            format!("it does not take clients at {client}"),
        ),
        (true, true, Some(winner)) => (0, "outranked", format!("{} goes before it", winner.name)),
        (true, true, None) => (
            0,
            "outranked",
            "settings of its host go before it".to_owned(),
        ),
    };
    let route = RouteRow::of(route);
    Some((
        nearness,
        Considered {
            route,
            code,
            sentence,
        },
    ))
}
