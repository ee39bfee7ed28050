//! One request from its head on: what it asks, where it goes, what is noted of it. It may not do I/O.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::admission;
use crate::answer::{self, Asked, Form};
use crate::clock::{self, Instant};
use crate::decide::{Origin, decide};
use crate::error::{Error, Reason};
use crate::grpc::Call;
use crate::http1::{
    BadMessage, BodyLength, HeadLimits, Known, Parsed, RequestHead, Version, parse_request, upgrade,
};
use crate::limiter::{Limiter, Per};
use crate::plan::{Plan, Target};
use crate::router::{Action, Changes, Hint};
use crate::snapshot::{Limits, Protocol, Snapshot};
use crate::span::Texts;
use crate::trace::TraceContext;
use crate::worker::Worker;

/// A request whose head was taken.
#[derive(Debug)]
pub struct Request {
    /// The snapshot it is served by, from its first to its last byte.
    pub snapshot: Arc<Snapshot>,
    /// Where it goes.
    pub plan: Plan,
    /// Its head for the upstream, all but the end.
    pub head: Vec<u8>,
    /// Its method.
    pub method: Cow<'static, str>,
    /// What the client speaks.
    pub version: Version,
    /// Whether it came in the frames of HTTP/2.
    pub is_http2: bool,
    /// HTTP/1.1 or HTTP/2: what an instance is spoken to in that speaks what its callers do.
    pub spoken: Protocol,
    /// Whether the client means to send another.
    pub keeps_client: bool,
    /// How its body ends.
    pub body: BodyLength,
    /// The protocols it asks for by `Upgrade`, as a list.
    pub upgrade: Option<Vec<u8>>,
    /// The call of gRPC it is, if so.
    pub call: Option<Call>,
    /// What an answer of the mesh's own is written as.
    pub form: Form,
    /// The routes that nearly took it, where none did and the client may know.
    pub hints: Vec<Hint>,
    /// Where it is sent, if it is.
    pub location: Option<String>,
    /// Whether it came to the edge by TLS.
    pub is_secured: bool,
    /// The client's address, where a limit counts by it.
    pub client: Option<IpAddr>,
    /// This hop's place in its trace.
    pub trace: TraceContext,
    /// What a span says of the head; only where one is kept.
    pub texts: Option<Texts>,
    /// When its first byte was there.
    pub started: Instant,
    /// The same, for the span.
    pub started_unix_ns: u64,
}

impl Request {
    /// How long it may take in all. A call says so itself, and its route or the mesh may say less.
    pub fn timeout(&self) -> Option<Duration> {
        let route = self.plan.route.as_ref().and_then(|route| route.timeout);
        let ours = route.or(self.snapshot.settings.limits.request_timeout);
        let asked = self.call.and_then(|call| call.timeout);
        ours.into_iter().chain(asked).min()
    }

    /// Why it goes nowhere, if so.
    pub fn refusal(&self) -> Option<Error> {
        if let Some(error) = self.plan.refusal() {
            return Some(error.clone());
        }
        let action = &self.plan.route.as_deref()?.action;
        // To a client of HTTP/2 any such status would say that its WebSocket has begun (RFC 9113 8.5).
        let is_taken_for_one = self.is_http2 && self.upgrade.is_some();
        let is_success = matches!(action, Action::Answer(answer) if answer.status < 300);
        (is_taken_for_one && is_success).then(|| {
            let detail = "a WebSocket was asked for, and the route has an answer of its own";
            Error::downstream(Reason::WebsocketUnsupported, detail)
        })
    }

    /// What its route changes, if anything.
    pub fn changes(&self) -> Option<&Changes> {
        self.plan.changes()
    }

    /// What its answer says of coming by https alone: over TLS alone, as over clear text anybody could say it.
    pub fn hsts(&self) -> Option<&str> {
        let https = self.plan.route.as_deref()?.https.as_deref()?;
        https.hsts.as_deref().filter(|_| self.is_secured)
    }

    /// Whether a repetition does no harm (RFC 9110 §9.2.2). One that asks for another protocol may have begun it.
    pub fn is_idempotent(&self) -> bool {
        self.upgrade.is_none()
            && matches!(
                &*self.method,
                "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
            )
    }

    /// Writes the mesh's own answer (an error, a redirect, or as the last recipient) and gives its status.
    pub fn write_answer(&self, out: &mut Vec<u8>, error: Option<&Error>, asked: &Asked<'_>) -> u16 {
        if let Some(error) = error {
            answer::error(out, error, asked);
            return error.reason.status();
        }
        if self.method == "TRACE" && matches!(self.plan.target, Target::LastHop) {
            answer::trace_refused(out, asked);
            return 405;
        }
        if let Target::ToHttps(status) = self.plan.target {
            let location = self.location.as_deref().unwrap_or_default();
            answer::redirect(out, status, location, None, asked);
            return status;
        }
        let edits = self.changes().map(|changes| &changes.response);
        match self.plan.route.as_deref().map(|route| &route.action) {
            Some(Action::Redirect(redirect)) => {
                let location = self.location.as_deref().unwrap_or_default();
                answer::redirect(out, redirect.status, location, edits, asked);
                redirect.status
            }
            Some(Action::Answer(answer)) => {
                answer::fixed(out, answer, edits, asked);
                answer.status
            }
            Some(Action::Split(_)) | None => {
                answer::options(out, asked);
                200
            }
        }
    }

    /// What an answer of the mesh's own needs to know.
    pub fn asked<'a>(&'a self, keeps_client: bool, date: &'a [u8]) -> Asked<'a> {
        Asked {
            client: self.version,
            keeps_client,
            form: self.form,
            hints: &self.hints,
            is_head: self.method == "HEAD",
            trace: Some(&self.trace),
            hsts: self.hsts(),
            date,
        }
    }
}

/// Takes the request at the start of `input`, if its head is whole. The head's length is given beside it.
pub fn read(
    worker: &Worker,
    origin: &Origin<'_>,
    input: &[u8],
) -> Result<Option<(Request, usize)>, BadMessage> {
    let snapshot = worker.snapshot();
    let limits = head_limits(&snapshot.settings.limits);
    let mut store = worker.headers.borrow_mut();
    match parse_request(input, &limits, &mut store)? {
        Parsed::Complete(head) => {
            let head_bytes = head.head_bytes;
            Ok(Some((
                understand(worker, snapshot, origin, &head),
                head_bytes,
            )))
        }
        Parsed::Partial => Ok(None),
    }
}

/// The codec's part of the limits.
pub fn head_limits(limits: &Limits) -> HeadLimits {
    HeadLimits {
        head_bytes: limits.head_bytes,
        headers: limits.headers,
        ..HeadLimits::default()
    }
}

fn understand(
    worker: &Worker,
    snapshot: Arc<Snapshot>,
    origin: &Origin<'_>,
    head: &RequestHead<'_>,
) -> Request {
    let trace = TraceContext::begin(
        only(head, Known::Traceparent),
        head.headers.find_all(Known::Tracestate),
        snapshot.settings.trace_ratio,
        &mut worker.random.borrow_mut(),
    );
    let mut upstream_head = worker.buffers.borrow_mut().take_head();
    let decided = decide(
        &snapshot,
        origin,
        head,
        &trace,
        &mut worker.balancer.borrow_mut(),
        &mut upstream_head,
    );
    let is_hinted = decided.is_hinted(&snapshot, origin, head) && worker.may_hint();
    let hints = if is_hinted {
        decided.hints(&snapshot, origin, head)
    } else {
        Vec::new()
    };
    let is_counted = |limiter: Option<&Arc<Limiter>>| {
        limiter.is_some_and(|limiter| limiter.limits.per == Per::Client)
    };
    let (by_route, by_service) = admission::limiters(&decided.plan, &snapshot);
    let client = (is_counted(by_route) || is_counted(by_service))
        .then(|| decided.asked(&snapshot, origin, head).client_address());
    let user_agent = || head.headers.find(Known::UserAgent);
    let texts =
        (trace.is_sampled).then(|| Texts::of(&decided.path, &decided.host.name, user_agent()));
    // What asks for another protocol is no call, whatever it says of a body it has not.
    let call = Call::of(head).filter(|_| !head.upgrade);
    let accepted = || {
        let accept = head.headers.find(Known::Accept);
        accept.map_or(Form::Text, Form::of)
    };
    Request {
        head: upstream_head,
        method: known_method(head.method),
        version: head.version,
        is_http2: origin.is_http2,
        spoken: decided.spoken,
        keeps_client: head.keep_alive,
        body: head.body,
        upgrade: head.upgrade.then(|| upgrade::list(&head.headers)),
        form: call.map_or_else(accepted, |_| Form::Grpc),
        call,
        hints,
        location: decided.location,
        is_secured: origin.caller.secured.is_some(),
        client,
        started: clock::now(),
        started_unix_ns: if texts.is_some() { clock::unix_ns() } else { 0 },
        texts,
        trace,
        plan: decided.plan,
        snapshot,
    }
}

/// A header's value, where it stands exactly once.
fn only<'b>(head: &RequestHead<'b>, known: Known) -> Option<&'b [u8]> {
    let mut values = head.headers.find_all(known);
    values.next().filter(|_| values.next().is_none())
}

/// A method without an allocation, where it is one of the usual.
fn known_method(method: &str) -> Cow<'static, str> {
    const KNOWN: [&str; 8] = [
        "GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == method)
        .map_or_else(|| Cow::Owned(method.to_owned()), Cow::Borrowed)
}
