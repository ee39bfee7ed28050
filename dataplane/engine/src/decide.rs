//! What becomes of a request by its head: brought to its one form, given its place to go, written anew. Serving and
//! explaining are told the same by it. It may not do I/O, nor know a thread or a connection.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::balancer::Balancer;
use crate::edge_tls::Secured;
use crate::error::{Error, Reason};
use crate::http1::{BodyLength, Known, RequestHead, Target as Form};
use crate::normal::{self, Host, Unclear};
use crate::plan::{self, Caller, Plan, Target};
use crate::rewrite::{self, Client, Forwarding};
use crate::router::{Asked, Hint, nearest};
use crate::snapshot::{ClientRule, ListenerKind, Network, Protocol, Snapshot};
use crate::trace::TraceContext;

/// How many of our hops a request may have behind it: more is a loop (RFC 9110 §7.6.3).
const MOST_HOPS: usize = 16;
/// How many routes are named where none took a request: a person reads three.
const HINTS: usize = 3;
/// How many routes are looked at to find those: some 0.1 ms. Where there are more, only those of the request's own host
/// are: a host alone that is wrong is near to too many. `explain` looks at all.
const LOOKED_AT: usize = 1_000;
/// The name of the edge's identity, which no service can have: Consul lets only who may write it be it.
const EDGE: &str = "edge";

/// What a connection lends to the reading of its requests.
#[derive(Debug)]
pub struct Origin<'a> {
    /// Who sends.
    pub caller: &'a Caller,
    /// From where.
    pub address: IpAddr,
    /// Why nothing of this connection is let through, if so.
    pub refusal: Option<&'a Error>,
    /// Whether it came in the frames of HTTP/2.
    pub is_http2: bool,
}

/// What was decided about a request.
#[derive(Debug)]
pub struct Decided<'h> {
    /// The host in its normal form; where the port means one destination, that one's.
    pub host: Host<'h>,
    /// The path in its normal form; as it was sent where it has none.
    pub path: Cow<'h, str>,
    /// What stands behind the `?`.
    pub query: Option<&'h str>,
    /// Where it goes.
    pub plan: Plan,
    /// Where the client is sent, if it is.
    pub location: Option<String>,
    /// Whether the routes had a say.
    pub is_routed: bool,
    /// HTTP/1.1 or HTTP/2: what an instance is spoken to in that speaks what its callers do.
    pub spoken: Protocol,
}

impl<'h> Decided<'h> {
    /// The request as routes see it.
    pub fn asked<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        origin: &Origin<'a>,
        head: &RequestHead<'a>,
    ) -> Asked<'a>
    where
        'h: 'a,
    {
        asked(snapshot, origin, head, &self.host, &self.path, self.query)
    }

    /// Whether no route took the request, and the client may know which nearly did.
    pub fn is_hinted(
        &self,
        snapshot: &Snapshot,
        origin: &Origin<'_>,
        head: &RequestHead<'_>,
    ) -> bool {
        let refusal = self.plan.refusal();
        refusal.is_some_and(|error| error.reason == Reason::NoRoute)
            && is_confidant(snapshot, origin, head)
    }

    /// The routes that nearly took the request.
    pub fn hints(
        &self,
        snapshot: &Snapshot,
        origin: &Origin<'_>,
        head: &RequestHead<'_>,
    ) -> Vec<Hint> {
        let asked = self.asked(snapshot, origin, head);
        let near = if snapshot.routes_len() <= LOOKED_AT {
            nearest(snapshot.routes(), &asked, None, HINTS)
        } else {
            let of_host = snapshot.router.of_host(asked.host, LOOKED_AT);
            nearest(of_host.into_iter(), &asked, None, HINTS)
        };
        near.iter().map(|near| near.hint(&asked)).collect()
    }
}

/// Decides about a request, and writes its head for the upstream behind `out`, all but the end, if it goes to one.
pub fn decide<'h>(
    snapshot: &Snapshot,
    origin: &Origin<'h>,
    head: &RequestHead<'h>,
    trace: &TraceContext,
    balancer: &mut Balancer,
    out: &mut Vec<u8>,
) -> Decided<'h> {
    let settings = &snapshot.settings;
    let (sent_path, query) = split_query(head.path_and_query);
    let host = match &origin.caller.host {
        Some(host) => Host::meant(host),
        None => Host::of(head.host),
    };
    let normal = normal_path(sent_path, settings.has_strict_paths);
    let path = normal.as_deref().unwrap_or(sent_path);
    let asked = asked(snapshot, origin, head, &host, path, query);
    let is_told = head.headers.has(Known::MeshHeader);
    let instance = is_told
        .then(|| head.headers.find_named(b"mesh-instance").next())
        .flatten();
    let forwards_left = max_forwards(head);
    let mut is_routed = false;
    let refused = refusal(origin, head, normal.as_ref().err())
        .or_else(|| tls_refusal(snapshot, origin.caller, &host.name));
    let mut plan = match refused {
        Some(error) => Plan::of(Target::Refused(error)),
        None if forwards_left == Some(0) => Plan::of(Target::LastHop),
        None => {
            is_routed = plan::is_routed(origin.caller.kind, asked.host);
            plan::plan(snapshot, origin.caller, &asked, instance, balancer)
        }
    };
    let location = plan.location(&asked, settings.https_port);
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
            client: client(snapshot, origin),
            keeps_client_certificate: is_by_the_edge(origin.caller),
            trace,
            is_http2: origin.is_http2,
            max_forwards: forwards_left.map(|left| left.saturating_sub(1)),
        };
        rewrite::request_head(out, head, &forwarding);
    }
    Decided {
        spoken: spoken(origin, head, &plan),
        path: normal.unwrap_or(Cow::Borrowed(sent_path)),
        host,
        query,
        plan,
        location,
        is_routed,
    }
}

/// What an instance is spoken to in that speaks what its callers do: HTTP/2 for what a service sent so, and another node
/// says so of. At the edge every browser speaks it, which says nothing of the instance.
fn spoken(origin: &Origin<'_>, head: &RequestHead<'_>, plan: &Plan) -> Protocol {
    let is_http2 = match origin.caller.kind {
        ListenerKind::Edge => false,
        ListenerKind::Outbound => origin.is_http2,
        ListenerKind::Inbound => {
            let told = || head.headers.find_named(b"mesh-protocol").next();
            plan.is_detected_here() && told() == Some(rewrite::HTTP2)
        }
    };
    if is_http2 {
        Protocol::Http2
    } else {
        Protocol::Http
    }
}

/// Whether the one who asks may know of routes: by its own address, and on nobody's behalf. A proxy on this very
/// machine that is not known as one serves strangers, too.
fn is_confidant(snapshot: &Snapshot, origin: &Origin<'_>, head: &RequestHead<'_>) -> bool {
    let told = [Known::XForwardedFor, Known::Forwarded, Known::Via];
    snapshot.settings.is_trusted_client(origin.address)
        && !told.into_iter().any(|known| head.headers.has(known))
}

fn asked<'a>(
    snapshot: &'a Snapshot,
    origin: &Origin<'a>,
    head: &RequestHead<'a>,
    host: &'a Host<'_>,
    path: &'a str,
    query: Option<&'a str>,
) -> Asked<'a> {
    Asked {
        host: &host.name,
        path,
        query,
        method: head.method,
        headers: head.headers,
        peer: origin.address,
        trusted: trusted(snapshot, origin),
        source: &origin.caller.source,
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
    if let Form::Absolute { scheme, .. } = head.target {
        let is_https = scheme.eq_ignore_ascii_case("https");
        let detail = match (is_https, origin.caller.secured.is_some()) {
            (true, false) => "an https target came in clear: it was meant for another server",
            (false, true) => "an http target came by TLS: it was meant for another server",
            _ => "",
        };
        if !detail.is_empty() {
            return Some(Error::downstream(Reason::Misdirected, detail));
        }
    }
    if head.upgrade && !matches!(head.body, BodyLength::None | BodyLength::Length(0)) {
        let detail =
            "a body stands beside Upgrade: where it ends, two programs may see in two places";
        return Some(Error::downstream(Reason::UpgradeWithBody, detail));
    }
    if let Some(unclear) = unclear {
        let reason = match unclear {
            Unclear::DotSegment => Reason::PathDotSegment,
            Unclear::Ambiguous(_) => Reason::PathAmbiguous,
        };
        return Some(Error::downstream(reason, unclear.sentence()));
    }
    if head.headers.has(Known::Via) && rewrite::has_hops(head, MOST_HOPS) {
        let detail = format!("the request passed this mesh {MOST_HOPS} times: it goes in a circle");
        return Some(Error::downstream(Reason::LoopDetected, detail));
    }
    None
}

/// Why a host is not for this connection: its TLS was made for another one's settings, or demanded less of the client
/// than this host does now (RFC 9110 §7.4).
pub fn tls_refusal(snapshot: &Snapshot, caller: &Caller, host: &str) -> Option<Error> {
    if caller.kind != ListenerKind::Edge || snapshot.tls.is_empty() {
        return None;
    }
    let of_host = snapshot.tls_of(host).map(|found| &**found);
    let rule = of_host.and_then(|found| found.clients.as_ref());
    let Some(secured) = caller.secured.as_deref() else {
        let is_closed = of_host.is_some_and(|found| found.closed.is_some());
        let is_demanding = rule.is_some_and(|rule| rule.is_required);
        return (is_closed || is_demanding).then(|| in_clear(host, is_closed));
    };
    let misdirected = |detail: String| Some(Error::downstream(Reason::Misdirected, detail));
    let sni = secured.sni.as_deref();
    if sni != Some(host) {
        let of_sni = sni.and_then(|sni| snapshot.tls_of(sni));
        if of_sni.map(|found| &found.host) != of_host.map(|found| &found.host) {
            let sni = sni.unwrap_or("no host");
            return misdirected(format!(
                "the TLS connection was made for {sni}, and {host} has settings of its own"
            ));
        }
    }
    if of_host.is_some_and(|found| found.closed.is_some()) {
        return misdirected(format!(
            "the TLS settings of {host} are broken: nobody is let in"
        ));
    }
    if rule.is_some() && !is_same_rule(rule, secured) {
        return misdirected(format!(
            "what {host} demands of its clients changed since the TLS connection was made"
        ));
    }
    None
}

fn is_same_rule(rule: Option<&Arc<ClientRule>>, secured: &Secured) -> bool {
    match (rule, &secured.rule) {
        (Some(now), Some(then)) => Arc::ptr_eq(now, then) || now == then,
        (now, then) => now.is_none() && then.is_none(),
    }
}

fn in_clear(host: &str, is_closed: bool) -> Error {
    let detail = if is_closed {
        format!("the TLS settings of {host} are broken: nobody is let in")
    } else {
        format!("{host} demands a certificate of its clients: come by https")
    };
    Error::downstream(Reason::ClientCertificateRequired, detail)
}

/// Whether a caller is an edge of this mesh, which is believed in what it says of strangers.
fn is_by_the_edge(caller: &Caller) -> bool {
    caller.kind == ListenerKind::Inbound && &*caller.source == EDGE
}

/// What the upstream is told of the client: at the edge alone. Inside the mesh a caller's own words on
/// whom it serves are passed on, since it is known.
fn client<'o>(snapshot: &Snapshot, origin: &Origin<'o>) -> Option<Client<'o>> {
    let secured = origin.caller.secured.as_deref();
    (origin.caller.kind == ListenerKind::Edge).then(|| Client {
        address: origin.address,
        is_trusted: snapshot.settings.is_trusted_proxy(origin.address),
        is_tls: origin.caller.secured.is_some(),
        certificate: secured.and_then(|secured| secured.client.as_ref()),
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

fn split_query(path_and_query: &str) -> (&str, Option<&str>) {
    path_and_query
        .split_once('?')
        .map_or((path_and_query, None), |(path, query)| (path, Some(query)))
}
