//! Heads as they are sent on: what is kept, what is removed, what is ours. Pure; it may not decide
//! where a request goes.

use std::net::IpAddr;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::edge_tls::ClientCertificate;
use crate::http1::{
    BodyLength, Header, Known, RequestHead, ResponseHead, Version, syntax, upgrade, write,
};
use crate::plan::Told;
use crate::router::HeaderEdits;
use crate::trace::TraceContext;

/// What is known of a request's way when its head is written anew.
#[derive(Debug)]
pub struct Forwarding<'a> {
    /// The path to send: in its normal form, after the route's changes.
    pub path: &'a str,
    /// The query, as it came.
    pub query: Option<&'a str>,
    /// Which fields the route changes.
    pub edits: Option<&'a HeaderEdits>,
    /// The host that was asked for, with its port, as the edge tells it.
    pub asked_host: &'a str,
    /// The host to name.
    pub host: &'a str,
    /// This node's name, for `Via`.
    pub node: &'a str,
    /// Where the request came from, where that is to be told: at the edge.
    pub client: Option<Client<'a>>,
    /// Whether what the head says of a stranger's certificate is an edge's word.
    pub keeps_client_certificate: bool,
    /// The trace this hop belongs to.
    pub trace: &'a TraceContext,
    /// Whether the request came in the frames of HTTP/2.
    pub is_http2: bool,
    /// What `Max-Forwards` becomes, where it counts (RFC 9110 §7.6.2).
    pub max_forwards: Option<u64>,
}

/// The one who sent a request to the edge.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// Its address.
    pub address: IpAddr,
    /// Whether what it says of others is believed.
    pub is_trusted: bool,
    /// Whether it came over TLS.
    pub is_tls: bool,
    /// The certificate it showed, verified.
    pub certificate: Option<&'a ClientCertificate>,
}

/// Writes a request's head for the upstream, all but the end: [`end_request`] follows.
pub fn request_head(out: &mut Vec<u8>, head: &RequestHead<'_>, forwarding: &Forwarding<'_>) {
    write::request_line_of(out, head.method, forwarding.path, forwarding.query);
    write::header(out, b"Host", forwarding.host.as_bytes());
    let keeps_forwarded = forwarding.client.is_none_or(|client| client.is_trusted);
    head.headers.write(out, |header| {
        let is_sent = match header.known() {
            Known::Host
            | Known::ContentLength
            | Known::Traceparent
            | Known::Tracestate
            | Known::Te => false,
            Known::MeshHeader => {
                forwarding.keeps_client_certificate && is_of_client_certificate(header)
            }
            Known::MaxForwards => forwarding.max_forwards.is_none(),
            Known::Forwarded
            | Known::XForwardedFor
            | Known::XForwardedProto
            | Known::XForwardedHost => forwarding.client.is_none(),
            Known::XForwardedOther => keeps_forwarded,
            _ => !head.hop_by_hop.removes(header),
        };
        is_sent && !drops(forwarding.edits, header)
    });
    edited(out, forwarding.edits);
    if head.upgrade {
        write::header(out, b"Connection", b"Upgrade");
        write::header(out, b"Upgrade", &upgrade::list(&head.headers));
    } else if head.version == Version::Http11 && takes_trailers(head) {
        write::te_trailers(out);
    }
    if let Some(client) = forwarding.client {
        client_headers(out, head, client, forwarding.asked_host);
    }
    if let Some(count) = forwarding.max_forwards {
        write::header(out, b"Max-Forwards", count.to_string().as_bytes());
    }
    let protocol = received_by(head.version, forwarding.is_http2);
    via(out, protocol, forwarding.node);
    write::header(out, b"traceparent", &forwarding.trace.traceparent());
    if let Some(tracestate) = &forwarding.trace.tracestate {
        write::header(out, b"tracestate", tracestate.as_bytes());
    }
    match head.body {
        BodyLength::Length(length) => write::content_length(out, length),
        BodyLength::Chunked => write::chunked(out),
        BodyLength::None | BodyLength::UntilClose => {}
    }
}

/// Whether a field says who a stranger is by the certificate it showed at the edge.
fn is_of_client_certificate(header: &Header<'_>) -> bool {
    [CLIENT_NAME, CLIENT_FINGERPRINT]
        .iter()
        .any(|name| header.name().eq_ignore_ascii_case(name))
}

/// Whether a route takes this field away.
fn drops(edits: Option<&HeaderEdits>, header: &Header<'_>) -> bool {
    edits.is_some_and(|edits| edits.drops(header.name()))
}

/// Writes the fields a route puts there.
pub fn edited(out: &mut Vec<u8>, edits: Option<&HeaderEdits>) {
    for (name, value) in edits.iter().flat_map(|edits| edits.added()) {
        write::header(out, name.as_bytes(), value.as_bytes());
    }
}

/// Whether the client takes trailers, which is all of `TE` that is not for one hop alone: we pass them on.
fn takes_trailers(head: &RequestHead<'_>) -> bool {
    let mut codings = head.headers.find_all(Known::Te).flat_map(syntax::list);
    codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

/// Ends a request's head, with what another node is told where it goes by one.
pub fn end_request(out: &mut Vec<u8>, told: Option<Told<'_>>) {
    if let Some(told) = told {
        write::header(out, b"mesh-instance", told.instance.as_bytes());
        if told.is_http2 {
            write::header(out, b"mesh-protocol", HTTP2);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// What the edge says of the one who asked. A stranger's own words on it are gone by now.
fn client_headers(out: &mut Vec<u8>, head: &RequestHead<'_>, client: Client<'_>, host: &str) {
    if let Some(certificate) = client.certificate {
        write::header(out, CLIENT_NAME, certificate.name.as_bytes());
        let fingerprint = certificate.fingerprint.as_bytes();
        write::header(out, CLIENT_FINGERPRINT, fingerprint);
    }
    let proto = if client.is_tls { "https" } else { "http" };
    let told = |known| {
        client
            .is_trusted
            .then(|| head.headers.find_all(known))
            .into_iter()
            .flatten()
    };
    out.extend_from_slice(b"X-Forwarded-For: ");
    for earlier in told(Known::XForwardedFor) {
        out.extend_from_slice(earlier);
        out.extend_from_slice(b", ");
    }
    let address_at = out.len();
    write::address(out, client.address);
    let address = address_at..out.len();
    out.extend_from_slice(b"\r\n");
    let first = |known| told(known).next();
    let told_proto = first(Known::XForwardedProto).unwrap_or(proto.as_bytes());
    write::header(out, b"X-Forwarded-Proto", told_proto);
    let told_host = first(Known::XForwardedHost).unwrap_or(host.as_bytes());
    write::header(out, b"X-Forwarded-Host", told_host);
    // RFC 7239 §4: an IPv6 address and a host with a port stand in quotes.
    out.extend_from_slice(b"Forwarded: ");
    for earlier in told(Known::Forwarded) {
        out.extend_from_slice(earlier);
        out.extend_from_slice(b", ");
    }
    let (before, behind): (&[u8], &[u8]) = match client.address {
        IpAddr::V4(_) => (b"for=", b";host=\""),
        IpAddr::V6(_) => (b"for=\"[", b"]\";host=\""),
    };
    out.extend_from_slice(before);
    out.extend_from_within(address);
    out.extend_from_slice(behind);
    out.extend_from_slice(host.as_bytes());
    out.extend_from_slice(b"\";proto=");
    out.extend_from_slice(proto.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The version a request came by, as `Via` has it (RFC 9110 §7.6.3).
const fn received_by(version: Version, is_http2: bool) -> &'static [u8] {
    match (version, is_http2) {
        (_, true) => b"Via: 2.0 ",
        (Version::Http11, false) => b"Via: 1.1 ",
        (Version::Http10, false) => b"Via: 1.0 ",
    }
}

fn via(out: &mut Vec<u8>, received_by: &[u8], node: &str) {
    out.extend_from_slice(received_by);
    out.extend_from_slice(node.as_bytes());
    out.extend_from_slice(VIA_SUFFIX);
    out.extend_from_slice(b"\r\n");
}

/// Who a stranger is by its certificate: nobody else's fields of these names go on.
const CLIENT_NAME: &[u8] = b"mesh-client-name";
const CLIENT_FINGERPRINT: &[u8] = b"mesh-client-fingerprint";

/// Behind the node's name in `Via`: tells our hops from others'.
const VIA_SUFFIX: &[u8] = b".meshnode";

/// Finds it. Made once: to make it takes longer than to look through a `Via`.
static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(VIA_SUFFIX));

/// Whether a request has so many of our hops behind it, by its `Via`.
pub fn has_hops(head: &RequestHead<'_>, most: usize) -> bool {
    let values = || head.headers.find_all(Known::Via);
    // Nearly all are too short for that, and need not be looked through.
    values().map(<[u8]>::len).sum::<usize>() >= most * VIA_SUFFIX.len()
        && values()
            .map(|value| MARK.find_iter(value).count())
            .sum::<usize>()
            >= most
}

/// How a response's head is written for the one who asked.
#[derive(Debug, Clone, Copy)]
pub struct Returning<'a> {
    /// What the client speaks.
    pub client: Version,
    /// Whether the client's connection goes on.
    pub keeps_client: bool,
    /// Whether the upstream is another node of the mesh, whose `mesh-` headers are its own.
    pub is_from_mesh: bool,
    /// How the body is framed for the client.
    pub framing: BodyLength,
    /// Which fields the route changes.
    pub edits: Option<&'a HeaderEdits>,
    /// What is said of coming by https alone, in place of the upstream's own words.
    pub hsts: Option<&'a str>,
    /// The time, as `Date` has it, for upstreams that did not say (RFC 9110 §6.6.1).
    pub date: &'a [u8],
}

/// Writes a response's head for the client.
pub fn response_head(out: &mut Vec<u8>, head: &ResponseHead<'_>, returning: &Returning<'_>) {
    write::status_line(out, head.status, head.reason);
    let mut has_date = false;
    head.headers.write(out, |header| {
        let is_sent = match header.known() {
            // With no body to frame it is a fact about the resource (HEAD, 304) and stays.
            Known::ContentLength => head.body == BodyLength::None && head.status != 204,
            Known::MeshHeader => returning.is_from_mesh,
            Known::Trailer => returning.framing == BodyLength::Chunked,
            Known::Date => {
                has_date = true;
                true
            }
            _ => !head.hop_by_hop.removes(header),
        };
        is_sent && !drops(returning.edits, header) && !is_overruled(returning.hsts, header)
    });
    edited(out, returning.edits);
    hsts(out, returning.hsts);
    if !has_date {
        write::header(out, b"Date", returning.date);
    }
    match returning.framing {
        BodyLength::Length(length) => write::content_length(out, length),
        BodyLength::Chunked => write::chunked(out),
        BodyLength::None | BodyLength::UntilClose => {}
    }
    connection(out, returning.client, returning.keeps_client);
    out.extend_from_slice(b"\r\n");
}

/// Writes the head of an answer behind which another protocol begins (RFC 9110 §15.2.2).
pub fn switching_head(out: &mut Vec<u8>, head: &ResponseHead<'_>, edits: Option<&HeaderEdits>) {
    write::status_line(out, head.status, head.reason);
    head.headers.write(out, |header| {
        let is_ours = matches!(header.known(), Known::MeshHeader | Known::ContentLength);
        !is_ours && !head.hop_by_hop.removes(header) && !drops(edits, header)
    });
    edited(out, edits);
    write::header(out, b"Connection", b"Upgrade");
    if let Some(protocol) = upgrade::only(&head.headers) {
        write::header(out, b"Upgrade", protocol);
    }
    out.extend_from_slice(b"\r\n");
}

/// Says that the host is to be reached by https alone, if so (RFC 6797 §6.1).
pub fn hsts(out: &mut Vec<u8>, value: Option<&str>) {
    if let Some(value) = value {
        write::header(out, HSTS, value.as_bytes());
    }
}

/// Of two such fields a client takes the first (RFC 6797 §8.1): only ours is sent.
fn is_overruled(hsts: Option<&str>, header: &Header<'_>) -> bool {
    hsts.is_some() && header.name().eq_ignore_ascii_case(HSTS)
}

/// What `mesh-protocol` says of an instance that is to be spoken to in HTTP/2.
pub const HTTP2: &[u8] = b"http2";

const HSTS: &[u8] = b"Strict-Transport-Security";

/// Says whether the connection goes on, where the version's default is otherwise (RFC 9112 §9.3).
pub fn connection(out: &mut Vec<u8>, client: Version, keeps: bool) {
    match (client, keeps) {
        (Version::Http11, true) | (Version::Http10, false) => {}
        (Version::Http11, false) => out.extend_from_slice(b"Connection: close\r\n"),
        (Version::Http10, true) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
    }
}

/// Writes an informational answer's head on.
pub fn interim_head(head: &ResponseHead<'_>, out: &mut Vec<u8>) {
    write::status_line(out, head.status, head.reason);
    head.headers.write(out, |header| {
        // RFC 9110 §8.6: no length stands in an informational answer, which has no body.
        let is_ours = matches!(header.known(), Known::MeshHeader | Known::ContentLength);
        !is_ours && !head.hop_by_hop.removes(header)
    });
    out.extend_from_slice(b"\r\n");
}

/// How a response's body is framed for a client (RFC 9112 §6.3): an HTTP/1.0 one knows no chunks.
pub const fn framing(body: BodyLength, client: Version) -> BodyLength {
    match (body, client) {
        (BodyLength::Chunked | BodyLength::UntilClose, Version::Http11) => BodyLength::Chunked,
        (BodyLength::Chunked | BodyLength::UntilClose, Version::Http10) => BodyLength::UntilClose,
        (BodyLength::None | BodyLength::Length(_), _) => body,
    }
}
