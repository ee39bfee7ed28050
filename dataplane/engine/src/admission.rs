//! Whether a request may go on by the limits of its route and of its service. It may not wait: what is over is refused.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Reason};
use crate::http1::BodyLength;
use crate::limiter::{Held, Key, Limiter, Over, Per};
use crate::plan::{Caller, Plan, Target};
use crate::snapshot::{ListenerKind, Snapshot};

/// When to ask again where others have to end first: the least that can be said.
const SOON: Duration = Duration::from_secs(1);

/// That a request was let through; it is under way until this is dropped.
#[derive(Debug, Default)]
pub struct Admitted {
    _route: Option<Held>,
    _service: Option<Held>,
}

/// A request that wants to go on.
#[derive(Debug, Clone, Copy)]
pub struct Entrant<'e> {
    /// Who sends it.
    pub caller: &'e Caller,
    /// Where it goes.
    pub plan: &'e Plan,
    /// By which snapshot.
    pub snapshot: &'e Snapshot,
    /// How its body ends.
    pub body: BodyLength,
    /// The client's address, where a limit counts by it.
    pub client: Option<IpAddr>,
}

/// Lets a request through that is within its limits, before anything of it is sent. `now` is asked only where
/// something is counted.
pub fn admit(entrant: &Entrant<'_>, now: impl FnOnce() -> Duration) -> Result<Admitted, Error> {
    let Entrant { plan, snapshot, .. } = *entrant;
    if let Some(most) = body_limit(entrant.caller.kind, plan, snapshot)
        && matches!(entrant.body, BodyLength::Length(length) if length > most)
    {
        return Err(body_too_large(most));
    }
    let (route, service) = limiters(plan, snapshot);
    if route.is_none() && service.is_none() {
        return Ok(Admitted::default());
    }
    let now = now();
    let enter = |limiter: Option<&Arc<Limiter>>, is_route| match limiter {
        Some(limiter) => enter(limiter, entrant, is_route, now),
        None => Ok(None),
    };
    Ok(Admitted {
        _route: enter(route, true)?,
        _service: enter(service, false)?,
    })
}

fn enter(
    limiter: &Arc<Limiter>,
    entrant: &Entrant<'_>,
    is_route: bool,
    now: Duration,
) -> Result<Option<Held>, Error> {
    let Some(key) = key(limiter, entrant) else {
        return Ok(None);
    };
    limiter.admit(key, now).map_err(|over| {
        let detail = sentence(limiter, entrant.plan, is_route, entrant.snapshot);
        match over {
            Over::Rate(wait) => Error::us(Reason::RateLimited, detail).retry_after(wait),
            // Nobody knows when one of them ends.
            Over::Concurrent => Error::us(Reason::ConcurrencyLimited, detail).retry_after(SOON),
        }
    })
}

/// What is kept for a route, and for a service: of the requests that go to it from here, or of those that come for it.
pub fn limiters<'p>(
    plan: &'p Plan,
    snapshot: &'p Snapshot,
) -> (Option<&'p Arc<Limiter>>, Option<&'p Arc<Limiter>>) {
    let route = plan.route.as_ref().and_then(|route| route.limiter.as_ref());
    let service = match &plan.target {
        Target::Cluster(cluster) if cluster.name == cluster.service => cluster.limiter.as_ref(),
        // A part of a service shares what the whole may have.
        Target::Cluster(cluster) => {
            let whole = snapshot.clusters.get(&cluster.service);
            whole.and_then(|whole| whole.limiter.as_ref())
        }
        Target::Local(service, _) => service.limiter.as_ref(),
        Target::Answered | Target::LastHop | Target::ToHttps(_) | Target::Refused(_) => None,
    };
    (route, service)
}

/// Bytes a request's body may have: where it enters the mesh its route says so, else the settings. Inside nobody counts
/// again: the other node does not know the route.
pub fn body_limit(kind: ListenerKind, plan: &Plan, snapshot: &Snapshot) -> Option<u64> {
    if kind == ListenerKind::Inbound {
        return None;
    }
    let route = plan.route.as_ref().and_then(|route| route.body_bytes);
    route.or(snapshot.settings.limits.body_bytes)
}

/// The error of a body over its limit.
pub fn body_too_large(most: u64) -> Error {
    let detail = format!("the request's body is over the limit of {most} bytes");
    Error::downstream(Reason::BodyTooLarge, detail)
}

/// What is kept, in words: for who is refused and for who asks beforehand.
pub fn sentence(limiter: &Limiter, plan: &Plan, is_route: bool, snapshot: &Snapshot) -> String {
    let limits = &limiter.limits;
    let whose = match &plan.route {
        Some(route) if is_route => format!("route \"{}\"", route.name),
        _ => format!("service \"{}\"", plan.destination),
    };
    let node = &snapshot.settings.node;
    let mut parts = Vec::new();
    if let Some(rate) = limits.rate {
        let per_second = requests(rate.per_second);
        parts.push(format!("{per_second} a second (burst {})", rate.burst));
    }
    if let Some(concurrent) = limits.concurrent {
        parts.push(format!("{} at one time", requests(concurrent)));
    }
    let per = match limits.per {
        Per::All => "",
        Per::Caller => " from each calling service",
        Per::Client => " from each client",
    };
    let taken = parts.join(" and ");
    format!("{whose} takes {taken}{per}, counted on {node}")
}

fn requests(count: u32) -> String {
    let word = if count == 1 { "request" } else { "requests" };
    format!("{count} {word}")
}

fn key<'k>(limiter: &Limiter, entrant: &Entrant<'k>) -> Option<Key<'k>> {
    let caller = entrant.caller;
    Some(match (limiter.limits.per, caller.kind) {
        (Per::All, _) => Key::All,
        (Per::Client, ListenerKind::Edge) => Key::Client(entrant.client?),
        // Who calls by another node is not the client: that one counts.
        (Per::Client, ListenerKind::Inbound) => return None,
        (Per::Caller, _) | (Per::Client, ListenerKind::Outbound) => Key::Caller(&caller.source),
    })
}
