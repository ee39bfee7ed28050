//! One request from its head on: what it asks, where it goes, what is noted of it. It may not do I/O.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::{self, Asked};
use crate::clock::{self, Instant};
use crate::error::{Error, Reason};
use crate::http1::{
    BadMessage, BodyLength, HeadLimits, Known, Parsed, RequestHead, Target as Form, Version,
    parse_request,
};
use crate::normal::{self, Host, Unclear};
use crate::plan::{self, Caller, Plan, Target};
use crate::rewrite::{self, Client, Forwarding};
use crate::router::{self, Action, Changes};
use crate::snapshot::{Limits, ListenerKind, Network, Snapshot};
use crate::span::Texts;
use crate::trace::TraceContext;
use crate::worker::Worker;

/// How many of our hops a request may have behind it: more is a loop (RFC 9110 §7.6.3).
const MOST_HOPS: usize = 16;

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
    /// Whether the client means to send another.
    pub keeps_client: bool,
    /// How its body ends.
    pub body: BodyLength,
    /// Whether an answer of the mesh's own is JSON.
    pub wants_json: bool,
    /// Where it is sent, if it is.
    pub location: Option<String>,
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
    /// How long it may take in all.
    pub fn timeout(&self) -> Option<Duration> {
        let route = self.plan.route.as_ref().and_then(|route| route.timeout);
        route.or(self.snapshot.settings.limits.request_timeout)
    }

    /// What its route changes, if anything.
    pub fn changes(&self) -> Option<&Changes> {
        self.plan.changes()
    }

    /// Whether a repetition does no harm (RFC 9110 §9.2.2).
    pub fn is_idempotent(&self) -> bool {
        matches!(
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
            wants_json: self.wants_json,
            is_head: self.method == "HEAD",
            trace: Some(&self.trace),
            date,
        }
    }
}

/// What a connection lends to the reading of its requests.
#[derive(Debug)]
pub struct Origin<'a> {
    /// Who sends.
    pub caller: &'a Caller,
    /// From where.
    pub address: IpAddr,
    /// Why nothing of this connection is let through, if so.
    pub refusal: Option<&'a Error>,
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
    let settings = &snapshot.settings;
    let trace = TraceContext::begin(
        only(head, Known::Traceparent),
        head.headers.find_all(Known::Tracestate),
        settings.trace_ratio,
        &mut worker.random.borrow_mut(),
    );
    let (sent_path, query) = split_query(head.path_and_query);
    let host = Host::of(head.host);
    let normal = normal_path(sent_path, settings.has_strict_paths);
    let path = normal.as_deref().unwrap_or(sent_path);
    let asked = router::Asked {
        host: &host.name,
        path,
        query,
        method: head.method,
        headers: head.headers,
        peer: origin.address,
        trusted: trusted(&snapshot, origin),
        source: &origin.caller.source,
    };
    let is_told = head.headers.has(Known::MeshHeader);
    let instance = is_told
        .then(|| head.headers.find_named("mesh-instance").next())
        .flatten();
    let forwards_left = max_forwards(head);
    let mut plan = match refusal(origin, head, normal.as_ref().err()) {
        Some(error) => Plan::of(Target::Refused(error)),
        None if forwards_left == Some(0) => Plan::of(Target::LastHop),
        None => plan::plan(
            &snapshot,
            origin.caller,
            &asked,
            instance.and_then(|id| std::str::from_utf8(id).ok()),
            &mut worker.balancer.borrow_mut(),
        ),
    };
    let user_agent = || head.headers.find(Known::UserAgent);
    let texts = (trace.is_sampled).then(|| Texts::of(path, &host.name, user_agent()));
    let location = plan.location(&asked);
    let mut upstream_head = worker.buffers.borrow_mut().take_head();
    if let Some(path) = plan.forwarded_path(path) {
        let changes = plan.changes();
        let authority = host.authority(head.host);
        let forwarding = Forwarding {
            path: &path,
            query,
            edits: changes.map(|changes| &changes.request),
            host: match changes.and_then(|changes| changes.host.as_deref()) {
                Some(host) => host,
                // An HTTP/1.0 client may name no host; the next one has to be told one.
                None if authority.is_empty() => &plan.destination,
                None => &authority,
            },
            asked_host: &authority,
            node: &settings.node,
            client: client(&snapshot, origin),
            trace: &trace,
            max_forwards: forwards_left.map(|left| left.saturating_sub(1)),
        };
        rewrite::request_head(&mut upstream_head, head, &forwarding);
    }
    Request {
        head: upstream_head,
        method: known_method(head.method),
        version: head.version,
        keeps_client: head.keep_alive,
        body: head.body,
        wants_json: head
            .headers
            .find(Known::Accept)
            .is_some_and(answer::wants_json),
        location,
        started: clock::now(),
        started_unix_ns: if texts.is_some() { clock::unix_ns() } else { 0 },
        texts,
        trace,
        plan,
        snapshot,
    }
}

/// Why a request goes nowhere whatever the routes say.
fn refusal(
    origin: &Origin<'_>,
    head: &RequestHead<'_>,
    unclear: Option<&Unclear>,
) -> Option<Error> {
    if let Some(error) = origin.refusal {
        return Some(error.clone());
    }
    if head.method == "CONNECT" {
        let detail = "CONNECT is not taken: this is no forward proxy";
        return Some(Error::downstream(Reason::ConnectUnsupported, detail));
    }
    if matches!(head.target, Form::Absolute { scheme, .. } if scheme.eq_ignore_ascii_case("https"))
    {
        let detail = "an https target came in clear: it was meant for another server";
        return Some(Error::downstream(Reason::Misdirected, detail));
    }
    if head.upgrade {
        let detail = "another protocol was asked for by Upgrade, which this version does not speak";
        return Some(Error::downstream(Reason::UpgradeUnsupported, detail));
    }
    if let Some(unclear) = unclear {
        let reason = match unclear {
            Unclear::DotSegment => Reason::PathDotSegment,
            Unclear::Ambiguous(_) => Reason::PathAmbiguous,
        };
        return Some(Error::downstream(reason, unclear.sentence()));
    }
    if head.headers.has(Known::Via) && rewrite::hops(head) >= MOST_HOPS {
        let detail = format!("the request passed this mesh {MOST_HOPS} times: it goes in a circle");
        return Some(Error::downstream(Reason::LoopDetected, detail));
    }
    None
}

/// What the upstream is told of the client: at the edge alone. Inside the mesh a caller's own words on
/// whom it serves are passed on, since it is known.
fn client(snapshot: &Snapshot, origin: &Origin<'_>) -> Option<Client> {
    (origin.caller.kind == ListenerKind::Edge).then(|| Client {
        address: origin.address,
        is_trusted: snapshot.settings.is_trusted_proxy(origin.address),
        is_tls: false,
    })
}

/// How many hops are left, where `Max-Forwards` counts: for `OPTIONS` and `TRACE` alone.
fn max_forwards(head: &RequestHead<'_>) -> Option<u64> {
    if !matches!(head.method, "OPTIONS" | "TRACE") {
        return None;
    }
    let value = head.headers.find(Known::MaxForwards)?;
    // Rust would take a sign, too.
    value.iter().all(u8::is_ascii_digit).then_some(())?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Whose `X-Forwarded-For` counts: nobody's inside the mesh, where callers are known.
fn trusted<'s>(snapshot: &'s Snapshot, origin: &Origin<'_>) -> &'s [Network] {
    match origin.caller.kind {
        ListenerKind::Edge => &snapshot.settings.trusted_proxies,
        ListenerKind::Outbound | ListenerKind::Inbound => &[],
    }
}

/// The path in its normal form; `*` and the target of `CONNECT` are none.
fn normal_path(path: &str, is_strict: bool) -> Result<Cow<'_, str>, Unclear> {
    if path.starts_with('/') {
        normal::path(path, is_strict)
    } else {
        Ok(Cow::Borrowed(path))
    }
}

/// A header's value, where it stands exactly once.
fn only<'b>(head: &RequestHead<'b>, known: Known) -> Option<&'b [u8]> {
    let mut values = head.headers.find_all(known);
    values.next().filter(|_| values.next().is_none())
}

fn split_query(path_and_query: &str) -> (&str, Option<&str>) {
    path_and_query
        .split_once('?')
        .map_or((path_and_query, None), |(path, query)| (path, Some(query)))
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
