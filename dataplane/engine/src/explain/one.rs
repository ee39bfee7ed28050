//! One request explained. It may not decide: `decide` and `plan` do, as in serving.

use std::sync::Arc;

use super::calling::caller;
use super::document::RequestDocument;
use super::rows::{Answer, Considered, Normal, Own, Part, RouteRow};
use super::{changes, raw, reach};
use crate::admission;
use crate::balancer::Balancer;
use crate::decide::{Decided, Origin, decide};
use crate::error::Error;
use crate::http1::{BadMessage, HeaderStore, Parsed, RequestHead, parse_request};
use crate::limiter::Limiter;
use crate::plan::{self, Plan, Target, Tried};
use crate::random::Random;
use crate::request::head_limits;
use crate::rewrite;
use crate::router::{Action, Asked, Near, nearest};
use crate::snapshot::{ListenerKind, Snapshot};
use crate::trace::TraceContext;

/// Each request is a first one: whose turn it is elsewhere is not told apart.
pub(super) const SEED: u64 = 1;

/// What becomes of a request; the error is a sentence on what is wrong with the question.
pub(super) fn explain(
    snapshot: &Arc<Snapshot>,
    request: &RequestDocument,
    considered: usize,
    store: &mut HeaderStore,
) -> Result<Answer, String> {
    if request.scheme.is_raw() {
        return raw::explain(snapshot, request, considered);
    }
    let caller = caller(snapshot, request)?;
    let origin = Origin {
        caller: &caller,
        address: request.client_address,
        refusal: None,
        is_http2: false,
    };
    let input = request.head();
    let limits = head_limits(&snapshot.settings.limits);
    let refused = |fault: BadMessage| Answer {
        routes: snapshot.routes_len(),
        own: Some(Own::of(&Error::downstream(
            fault.reason(),
            fault.sentence(),
        ))),
        ..Answer::default()
    };
    match parse_request(&input, &limits, store) {
        Ok(Parsed::Complete(head)) if head.head_bytes == input.len() => Ok(Answer {
            detection: reach::detection(snapshot, &request.listener),
            ..explain_head(snapshot, &origin, &head, considered)
        }),
        // A line's end in a value would be another head to the proxy, too.
        Ok(_) => Err("an empty line stands in the request's head: it would end there".to_owned()),
        Err(fault) => Ok(refused(fault)),
    }
}

fn explain_head(
    snapshot: &Arc<Snapshot>,
    origin: &Origin<'_>,
    head: &RequestHead<'_>,
    considered: usize,
) -> Answer {
    let trace = TraceContext::begin(None, [], 0.0, &mut Random::from_seed(SEED));
    let mut balancer = Balancer::new(Random::from_seed(SEED));
    let mut out = Vec::new();
    let mut decided = decide(snapshot, origin, head, &trace, &mut balancer, &mut out);
    let considered = if decided.is_routed {
        let asked = decided.asked(snapshot, origin, head);
        losers(snapshot, &asked, &decided, considered)
    } else {
        Vec::new()
    };
    let (chosen, failed) = if decided.plan.is_forwarded() {
        let plan = &mut decided.plan;
        let chosen = plan::choose(
            snapshot,
            origin.caller,
            plan,
            &mut balancer,
            &mut Tried::default(),
        );
        chosen.map_or_else(|error| (None, Some(error)), |chosen| (Some(chosen), None))
    } else {
        (None, decided.plan.refusal().cloned())
    };
    let request = chosen.as_ref().map(|chosen| {
        rewrite::end_request(&mut out, chosen.told(decided.spoken));
        changes::sent(origin.caller, head, &decided, &out)
    });
    let plan = &decided.plan;
    let called = match origin.caller.kind {
        ListenerKind::Outbound => plan::mesh_service(&decided.host.name),
        ListenerKind::Edge | ListenerKind::Inbound => None,
    };
    let cluster = reach::cluster(snapshot, plan, called);
    Answer {
        route: plan.route.as_deref().map(RouteRow::of),
        considered,
        routes: snapshot.routes_len(),
        normal: Some(Normal {
            host: decided.host.name.to_string(),
            path: decided.path.to_string(),
        }),
        request,
        response_changes: changes::of_response(&decided),
        split: split(plan),
        intention: reach::intention(
            snapshot,
            origin.caller,
            plan,
            chosen.as_ref(),
            cluster.as_deref(),
        ),
        limits: limits(snapshot, origin, &decided),
        endpoints: reach::endpoints(snapshot, plan, cluster.as_deref()),
        cluster: cluster.map(|cluster| cluster.name.to_string()),
        destination: Some(plan.destination.to_string()).filter(|service| !service.is_empty()),
        own: own_answer(&decided, head, failed.as_ref()),
        detection: None,
    }
}

fn losers(
    snapshot: &Snapshot,
    asked: &Asked<'_>,
    decided: &Decided<'_>,
    most: usize,
) -> Vec<Considered> {
    let winner = decided.plan.route.as_deref();
    let near = nearest(snapshot.routes(), asked, winner, most);
    let row = |near: Near<'_>| Considered {
        route: RouteRow::of(near.route),
        code: near.why.code(),
        sentence: near.why.sentence(near.route, asked),
    };
    near.into_iter().map(row).collect()
}

/// What is counted of such requests, whether one more would go on or not.
fn limits(snapshot: &Snapshot, origin: &Origin<'_>, decided: &Decided<'_>) -> Vec<String> {
    let plan = &decided.plan;
    if !plan.is_forwarded() {
        return Vec::new();
    }
    let (route, service) = admission::limiters(plan, snapshot);
    let told = |limiter: Option<&Arc<Limiter>>, is_route| {
        limiter.map(|limiter| admission::sentence(limiter, plan, is_route, snapshot))
    };
    let body = admission::body_limit(origin.caller.kind, plan, snapshot);
    let body = body.map(|most| format!("a request's body has {most} bytes at the most"));
    [told(route, true), told(service, false), body]
        .into_iter()
        .flatten()
        .collect()
}

/// Where the route sends, by weight.
pub(super) fn split(plan: &Plan) -> Vec<Part> {
    let route = plan.route.as_deref();
    let Some(Action::Split(parts)) = route.map(|route| &route.action) else {
        return Vec::new();
    };
    let parts = parts.iter().map(|part| Part {
        cluster: part.cluster.to_string(),
        weight: part.weight,
    });
    parts.collect()
}

impl Own {
    pub fn of(error: &Error) -> Self {
        Self {
            status: error.reason.status(),
            reason: error.reason.code(),
            message: error.detail.to_string(),
            location: None,
        }
    }
}

/// What the mesh answers itself, if it does.
fn own_answer(
    decided: &Decided<'_>,
    head: &RequestHead<'_>,
    failed: Option<&Error>,
) -> Option<Own> {
    if let Some(error) = failed {
        return Some(Own::of(error));
    }
    let (status, message) = match (&decided.plan.target, decided.plan.route.as_deref()) {
        (Target::LastHop, _) => (
            if head.method == "TRACE" { 405 } else { 200 },
            "Max-Forwards is used up: it ends here",
        ),
        (Target::ToHttps(status), _) => (*status, "the route takes requests by https alone"),
        (Target::Answered, Some(route)) => match &route.action {
            Action::Redirect(redirect) => (redirect.status, "the route redirects"),
            Action::Answer(answer) => (answer.status, "the route answers itself"),
            Action::Split(_) => return None,
        },
        _ => return None,
    };
    Some(Own {
        status,
        reason: "",
        message: message.to_owned(),
        location: decided.location.clone(),
    })
}
