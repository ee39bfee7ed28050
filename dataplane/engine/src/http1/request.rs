//! Reads a request's head, strictly. It may not look at the body's bytes, nor decide where the request goes.

use super::framing::{self, BodyLength, Version};
use super::lines::{self, RequestLine};
use super::{
    BadMessage, HeadLimits, HeaderStore, Headers, HopByHop, Known, Parsed, Target, host, scan,
    syntax, upgrade,
};

/// The head of a request that keeps every rule.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'b> {
    /// The method: a token, in the case sent.
    pub method: &'b str,
    /// The target in its form.
    pub target: Target<'b>,
    /// The client's version.
    pub version: Version,
    /// The host asked for, with its port if one was given: from the target where it has one, else from `Host`.
    /// Validated; in the case sent. Empty only in an HTTP/1.0 request without `Host`.
    pub host: &'b str,
    /// What to send on as target: a path with its query, `*`, or host and port for `CONNECT`.
    pub path_and_query: &'b str,
    /// The field lines.
    pub headers: Headers<'b>,
    /// How the body ends; never [`BodyLength::UntilClose`].
    pub body: BodyLength,
    /// Which fields end at this hop.
    pub hop_by_hop: HopByHop,
    /// Whether the client means to send another request on this connection.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends its body.
    pub expects_continue: bool,
    /// Whether the client asks for another protocol: those that [`upgrade::protocols`] names.
    pub upgrade: bool,
    /// How many bytes the head has, an empty line before it included; the body begins there.
    pub head_bytes: usize,
}

/// Reads the head at the start of `buf`. The verdict depends on the bytes alone, not on how they came.
pub fn parse_request<'b>(
    buf: &'b [u8],
    limits: &HeadLimits,
    store: &'b mut HeaderStore,
) -> Result<Parsed<RequestHead<'b>>, BadMessage> {
    let window = &buf[..buf.len().min(limits.capped_head_bytes())];
    let may_grow = window.len() < limits.capped_head_bytes();
    let skipped = usize::from(window.starts_with(b"\r\n")) * 2;
    let head = &window[skipped..];
    if let Some(line) = lines::request_line(head, limits)
        && let Some(bytes) = store.read(head, line.bytes, limits.capped_headers())
    {
        return understand(line, &head[..bytes], store, skipped + bytes).map(Parsed::Complete);
    }
    refuse(scan::request(window, limits), may_grow)
}

/// The verdict where the quick way ended: the first rule broken, or the limit.
pub(super) fn refuse<T>(
    scanned: Result<Parsed<usize>, BadMessage>,
    may_grow: bool,
) -> Result<Parsed<T>, BadMessage> {
    match scanned? {
        Parsed::Partial if may_grow => Ok(Parsed::Partial),
        Parsed::Partial => Err(BadMessage::HeadTooLarge),
        // Not reached as long as both take the same; refused all the same.
        Parsed::Complete(_) => Err(BadMessage::HeadMalformed),
    }
}

fn understand<'b>(
    line: RequestLine<'b>,
    head: &'b [u8],
    store: &'b mut HeaderStore,
    head_bytes: usize,
) -> Result<RequestHead<'b>, BadMessage> {
    let RequestLine {
        method,
        target,
        version,
        ..
    } = line;
    let hop_by_hop = store.read_connection(head)?;
    let headers = store.headers(head);
    let target = Target::parse(method, target)?;
    let host_field = host_field(&headers, version)?;
    let body = framing::declared(&headers, version)?.unwrap_or(BodyLength::None);
    let expects_continue = expects_continue(&headers, version)? && body != BodyLength::None;
    Ok(RequestHead {
        method,
        target,
        version,
        host: target.authority().unwrap_or(host_field),
        path_and_query: target.path_and_query(),
        headers,
        body,
        keep_alive: keeps_alive(version, hop_by_hop),
        expects_continue,
        upgrade: asks_upgrade(&headers, version, hop_by_hop),
        hop_by_hop: hop_by_hop.with_body(body).with_expect(expects_continue),
        head_bytes,
    })
}

/// The only `Host`, validated even where the target's host counts; may be absent in HTTP/1.0.
fn host_field<'b>(headers: &Headers<'b>, version: Version) -> Result<&'b str, BadMessage> {
    match headers.only(Known::Host, BadMessage::HostRepeated)? {
        None if version == Version::Http10 => Ok(""),
        None => Err(BadMessage::HostMissing),
        Some(value) => std::str::from_utf8(value)
            .ok()
            .filter(|host| host::is_host(host))
            .ok_or(BadMessage::HostInvalid),
    }
}

/// RFC 9112 9.3, as a gateway reads it: an HTTP/1.0 client that asks for it may keep its connection.
pub(super) fn keeps_alive(version: Version, hop_by_hop: HopByHop) -> bool {
    !hop_by_hop.has_close() && (version == Version::Http11 || hop_by_hop.has_keep_alive())
}

/// RFC 9110 10.1.1: an HTTP/1.0 client's expectation is not met, other expectations than this one are refused.
fn expects_continue(headers: &Headers<'_>, version: Version) -> Result<bool, BadMessage> {
    if !headers.has(Known::Expect) || version == Version::Http10 {
        return Ok(false);
    }
    let mut expects = false;
    for expectation in headers.find_all(Known::Expect).flat_map(syntax::list) {
        if !expectation.eq_ignore_ascii_case(b"100-continue") {
            return Err(BadMessage::ExpectationUnknown);
        }
        expects = true;
    }
    Ok(expects)
}

fn asks_upgrade(headers: &Headers<'_>, version: Version, hop_by_hop: HopByHop) -> bool {
    version == Version::Http11
        && hop_by_hop.has_upgrade()
        && upgrade::protocols(headers).next().is_some()
}
