//! From a plan to the far end of the next try, and whether that is allowed. It may not connect.

use std::sync::Arc;

use super::{Caller, Destination, Plan, Target};
use crate::authorizer::Decision;
use crate::balancer::Balancer;
use crate::error::{Error, Reason};
use crate::snapshot::{Endpoint, Snapshot, Via};

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
