//! What is noted of a request when it is over: counted, timed, told in a span. It may not change what becomes of it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::clock::{self, Instant};
use crate::error::Reason;
use crate::forward::Outcome;
use crate::http1::Version;
use crate::plan::Caller;
use crate::request::{Request, Told};
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
    request: &mut Request,
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
    let told = request.told.take().map(|told| *told);
    worker.spans.borrow_mut().record(&request.trace, || {
        let told = told.unwrap_or_default();
        span(caller, peer, request, told, outcome, reason)
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
    told: Told,
    outcome: &Outcome,
    reason: Option<Reason>,
) -> SpanRecord {
    let kind = caller.kind;
    let destination = Some(&request.plan.destination)
        .filter(|service| !service.is_empty())
        .cloned();
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
        method: match &request.method {
            Cow::Borrowed(method) => Cow::Borrowed(method),
            Cow::Owned(method) => Cow::Owned(text(method.as_bytes()).into()),
        },
        path: told.path,
        scheme: if kind == ListenerKind::Inbound {
            "https"
        } else {
            "http"
        },
        server_address: told.host,
        client_address: (kind == ListenerKind::Edge).then(|| peer.ip()),
        status: Some(outcome.status).filter(|status| *status != 0),
        protocol_version: if request.version == Version::Http10 {
            "1.0"
        } else {
            "1.1"
        },
        user_agent: told.user_agent,
        reason,
        route: request.plan.route.clone(),
        source: Some(Arc::clone(&caller.source)),
        destination,
        endpoint: outcome.endpoint.clone(),
        intention: request.plan.intention.clone(),
    }
}
