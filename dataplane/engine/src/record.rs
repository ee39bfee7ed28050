//! What is noted of a request when it is over: counted, timed, told in a span. It may not change what becomes of it.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::clock::{self, Instant};
use crate::error::Reason;
use crate::forward::Outcome;
use crate::http1::Version;
use crate::plan::Caller;
use crate::request::Request;
use crate::snapshot::{ListenerConfig, ListenerKind};
use crate::span::{SpanRecord, text};
use crate::stats::RequestLabels;
use crate::worker::Worker;

/// Notes a request that is over: now, which is given back.
pub fn request(
    worker: &Worker,
    listener: &ListenerConfig,
    caller: &Caller,
    peer: SocketAddr,
    request: &Request,
    outcome: &Outcome,
) -> Instant {
    let now = clock::now();
    let reason = outcome
        .error
        .as_ref()
        .map(|error| error.reason)
        .or(outcome.remote_reason);
    let labels = RequestLabels {
        listener: &listener.name,
        source: &caller.source,
        destination: &request.plan.destination,
        route: request.plan.route.as_ref().map_or("", |route| &*route.name),
        status: outcome.status,
        reason,
    };
    worker
        .stats
        .borrow_mut()
        .record_request(&labels, now - request.started);
    worker.spans.borrow_mut().record(&request.trace, || {
        span(caller, peer, request, outcome, reason)
    });
    if let Some(error) = &outcome.error {
        tracing::debug!(
            listener = %listener.name, %peer, method = %request.method, %error,
            key = request.plan.route.as_ref().map_or("", |route| &*route.key),
            "request failed",
        );
    }
    now
}

fn span(
    caller: &Caller,
    peer: SocketAddr,
    request: &Request,
    outcome: &Outcome,
    reason: Option<Reason>,
) -> SpanRecord {
    let kind = caller.kind;
    let destination = Some(&request.plan.destination)
        .filter(|service| !service.is_empty())
        .cloned();
    let told = request.told.as_deref();
    SpanRecord {
        context: request.trace.clone(),
        direction: kind,
        start_unix_ns: request.started_unix_ns,
        end_unix_ns: clock::unix_ns(),
        service: match kind {
            ListenerKind::Edge | ListenerKind::Outbound => Arc::clone(&caller.source),
            ListenerKind::Inbound => request.plan.destination.clone(),
        },
        instance: outcome
            .endpoint
            .clone()
            .filter(|_| kind == ListenerKind::Inbound),
        method: text(request.method.as_bytes()),
        path: told.map_or_else(Box::default, |told| text(told.path.as_bytes())),
        scheme: if kind == ListenerKind::Inbound {
            "https"
        } else {
            "http"
        },
        server_address: told.map_or_else(Box::default, |told| text(told.host.as_bytes())),
        client_address: (kind == ListenerKind::Edge).then(|| peer.ip()),
        status: Some(outcome.status).filter(|status| *status != 0),
        protocol_version: if request.version == Version::Http10 {
            "1.0"
        } else {
            "1.1"
        },
        user_agent: told
            .and_then(|told| told.user_agent.as_ref())
            .map(|agent| text(agent.as_bytes())),
        reason,
        route: request.plan.route.clone(),
        source: Some(Arc::clone(&caller.source)),
        destination,
        endpoint: outcome.endpoint.clone(),
        intention: request.plan.intention.clone(),
    }
}
