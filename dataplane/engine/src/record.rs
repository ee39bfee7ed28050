//! What is noted of a request when it is over: counted, timed, told in a span. It may not change what becomes of it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::error::Reason;
use crate::forward::Outcome;
use crate::plan::Caller;
use crate::request::Request;
use crate::snapshot::{ListenerConfig, ListenerKind};
use crate::span::{SpanRecord, cut};
use crate::stats::RequestLabels;
use crate::worker::Worker;

/// Notes a request that is over: now, which is given back.
pub fn request(
    worker: &Worker,
    listener: &ListenerConfig,
    caller: &Caller,
    peer: SocketAddr,
    request: &mut Request,
    outcome: &mut Outcome,
) -> Instant {
    let now = outcome.ended.unwrap_or_else(clock::now);
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
    let duration = now - request.started;
    worker.stats.borrow_mut().record_request(&labels, duration);
    if let Some(error) = &outcome.error {
        tracing::debug!(
            listener = %listener.name, %peer, method = %request.method, %error,
            key = request.plan.route.as_ref().map_or("", |route| &*route.key),
            "request failed",
        );
    }
    let is_sampled = request.trace.is_sampled;
    let span = || span(caller, peer, request, outcome, reason, duration);
    worker.spans.borrow_mut().record(is_sampled, span);
    now
}

/// Takes what it tells out of the request and its outcome, which are over.
fn span(
    caller: &Caller,
    peer: SocketAddr,
    request: &mut Request,
    outcome: &mut Outcome,
    reason: Option<Reason>,
    duration: Duration,
) -> SpanRecord {
    let kind = caller.kind;
    let destination = Some(&request.plan.destination)
        .filter(|service| !service.is_empty())
        .cloned();
    let endpoint = outcome.endpoint.take();
    SpanRecord {
        context: request.trace.clone(),
        direction: kind,
        start_unix_ns: request.started_unix_ns,
        end_unix_ns: request.started_unix_ns + duration.as_nanos() as u64,
        service: match kind {
            ListenerKind::Edge | ListenerKind::Outbound => Arc::clone(&caller.source),
            ListenerKind::Inbound => request.plan.destination.clone(),
        },
        instance: endpoint.clone().filter(|_| kind == ListenerKind::Inbound),
        method: match &request.method {
            Cow::Borrowed(method) => Cow::Borrowed(method),
            Cow::Owned(method) => Cow::Owned(cut(method).to_owned()),
        },
        texts: request.texts.take().unwrap_or_default(),
        scheme: if kind == ListenerKind::Inbound || request.is_secured {
            "https"
        } else {
            "http"
        },
        client_address: (kind == ListenerKind::Edge).then(|| peer.ip()),
        status: Some(outcome.status).filter(|status| *status != 0),
        protocol_version: if request.is_http2 {
            "2"
        } else {
            request.version.number()
        },
        reason,
        route: request.plan.route.take(),
        source: Some(Arc::clone(&caller.source)),
        destination,
        endpoint,
        intention: request.plan.intention.take(),
        tunnel: outcome.tunnel,
    }
}
