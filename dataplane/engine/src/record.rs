//! What is noted of a request when it is over: counted, timed, told in a span. It may not change what becomes of it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::detect::Detected;
use crate::error::{Error, Reason};
use crate::outcome::Outcome;
use crate::plan::{Caller, Plan};
use crate::request::Request;
use crate::snapshot::{ListenerConfig, ListenerKind, ListenerProtocol};
use crate::span::{SpanRecord, Texts, TunnelRecord, cut};
use crate::stats::{RequestLabels, StreamPlace};
use crate::trace::TraceContext;
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
    let span = || span(listener, caller, peer, request, outcome, reason, duration);
    worker.spans.borrow_mut().record(is_sampled, span);
    now
}

/// What the connection of a request turned out to speak, where its port finds that out.
fn detected(listener: &ListenerConfig, request: &Request) -> Option<Detected> {
    let is_found_out = listener.protocol == ListenerProtocol::Auto;
    is_found_out.then_some(if request.is_http2 {
        Detected::Http2
    } else {
        Detected::Http
    })
}

/// A raw connection, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'c> {
    /// The listener it came in by.
    pub listener: &'c ListenerConfig,
    /// Who opened it.
    pub caller: &'c Caller,
    /// From where.
    pub peer: SocketAddr,
    /// Where it goes.
    pub plan: &'c Plan,
    /// The instance it goes to, or that was tried last.
    pub endpoint: Option<&'c Arc<str>>,
    /// Its place in its trace.
    pub trace: &'c TraceContext,
    /// When it came.
    pub started: Instant,
    /// The same, for the span.
    pub started_unix_ns: u64,
    /// What it turned out to speak, where its port finds that out.
    pub detected: Option<Detected>,
    /// The name its TLS asks for, where that was seen.
    pub server_name: Option<&'c str>,
}

impl Connection<'_> {
    fn labels(&self, reason: Option<Reason>) -> RequestLabels<'_> {
        RequestLabels {
            listener: &self.listener.name,
            source: &self.caller.source,
            destination: &self.plan.destination,
            route: self.plan.route.as_ref().map_or("", |route| &*route.name),
            status: 0,
            reason,
        }
    }
}

/// Notes that a raw connection found its far end.
pub fn open(worker: &Worker, connection: &Connection<'_>) -> StreamPlace {
    let mut stats = worker.stats.borrow_mut();
    stats.record_stream(&connection.labels(None))
}

/// Notes that it has ended.
pub fn close(worker: &Worker, place: StreamPlace, record: &TunnelRecord) {
    let mut stats = worker.stats.borrow_mut();
    stats.record_stream_end(place, record.received_bytes, record.sent_bytes);
}

/// Notes a raw connection that is over: refused, lost, or ended.
pub fn connection(
    worker: &Worker,
    connection: &Connection<'_>,
    error: Option<&Error>,
    tunnel: Option<TunnelRecord>,
) {
    let reason = error.map(|error| error.reason);
    let plan = connection.plan;
    if let Some(error) = error {
        let labels = connection.labels(reason);
        worker.stats.borrow_mut().record_stream_refused(&labels);
        tracing::info!(
            listener = %connection.listener.name, peer = %connection.peer, %error,
            source = %connection.caller.source, destination = %plan.destination,
            intention = plan.intention.as_deref().unwrap_or_default(),
            "a connection was refused or cut",
        );
    }
    let kind = connection.caller.kind;
    let endpoint = connection.endpoint.cloned();
    let destination = &plan.destination;
    let span = || SpanRecord {
        context: connection.trace.clone(),
        direction: kind,
        start_unix_ns: connection.started_unix_ns,
        end_unix_ns: connection.started_unix_ns + connection.started.elapsed().as_nanos() as u64,
        service: match kind {
            ListenerKind::Edge | ListenerKind::Outbound => Arc::clone(&connection.caller.source),
            ListenerKind::Inbound => Arc::clone(destination),
        },
        instance: endpoint.clone().filter(|_| kind == ListenerKind::Inbound),
        method: Cow::Borrowed(""),
        texts: connection
            .server_name
            .map_or_else(Texts::default, Texts::of_name),
        scheme: "",
        listener: Some(Arc::clone(&connection.listener.name)),
        client_address: (kind == ListenerKind::Edge).then(|| connection.peer.ip()),
        status: None,
        protocol_version: "",
        reason,
        route: plan.route.clone(),
        source: Some(Arc::clone(&connection.caller.source)),
        destination: Some(destination).filter(|name| !name.is_empty()).cloned(),
        endpoint: endpoint.clone(),
        intention: plan.intention.clone(),
        tunnel,
        detected: connection.detected,
    };
    let is_sampled = connection.trace.is_sampled;
    worker.spans.borrow_mut().record(is_sampled, span);
}

/// Takes what it tells out of the request and its outcome, which are over.
fn span(
    listener: &ListenerConfig,
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
        detected: detected(listener, request),
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
        listener: None,
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
