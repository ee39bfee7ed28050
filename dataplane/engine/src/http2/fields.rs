//! Fields and pseudo-fields as lines of text, and back. It may not judge them: the codec does.

use std::io;

use h2::ext::Protocol;
use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode, Uri};

use super::unwritable;
use super::websocket::{self, Key, WEBSOCKET};
use crate::http1::{BodyLength, Known, RequestHead, ResponseHead, write};

/// What is known of a request beside its head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind<'k> {
    /// Whether its stream goes on behind the head, with a body.
    pub has_body: bool,
    /// Whether an https target is meant for us.
    pub is_https: bool,
    /// The nonce to ask for a WebSocket with, where it asks for one.
    pub key: Option<&'k Key>,
}

/// Writes a request's head.
pub(super) fn request_head(out: &mut Vec<u8>, request: &Parts, kind: Kind<'_>) {
    let method = kind.key.map_or(request.method.as_str(), |_| "GET");
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    if method == "CONNECT" {
        connect_target(out, &request.uri);
    } else {
        target(out, &request.uri, kind.is_https);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let authority = request.uri.authority().map(http::uri::Authority::as_str);
    if let Some(authority) = authority {
        line(out, b"host", authority.as_bytes());
    }
    let mut crumbs = request.headers.get_all(COOKIE).iter().peekable();
    if crumbs.peek().is_some() {
        out.extend_from_slice(b"cookie: ");
        while let Some(crumb) = crumbs.next() {
            out.extend_from_slice(crumb.as_bytes());
            if crumbs.peek().is_some() {
                out.extend_from_slice(b"; ");
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    for (name, value) in &request.headers {
        let is_said = *name == COOKIE
            || (*name == HOST && is_same(authority, value))
            || (kind.key.is_some() && websocket::is_of_handshake(name.as_str().as_bytes()));
        if !is_said {
            line(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    if let Some(key) = kind.key {
        websocket::write_asked(out, key);
    } else if kind.has_body && !request.headers.contains_key(CONTENT_LENGTH) {
        write::chunked(out);
    }
    write::end_of_head(out);
}

/// The target of `CONNECT`. Where it is an extended one, its authority may have no port, which that of HTTP/1.1 has.
fn connect_target(out: &mut Vec<u8>, uri: &Uri) {
    let authority = uri.authority();
    out.extend_from_slice(
        authority
            .map_or("", |authority| authority.as_str())
            .as_bytes(),
    );
    if uri.scheme().is_some() && authority.is_some_and(|authority| authority.port().is_none()) {
        out.extend_from_slice(b":443");
    }
}

/// The target: a path, unless its scheme says that it was meant for another server, which is then for others to judge.
fn target(out: &mut Vec<u8>, uri: &Uri, is_https: bool) {
    if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority())
        && !is_https
        && scheme != "http"
    {
        out.extend_from_slice(scheme.as_bytes());
        out.extend_from_slice(b"://");
        out.extend_from_slice(authority.as_str().as_bytes());
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    out.extend_from_slice(path.as_bytes());
}

fn is_same(authority: Option<&str>, host: &HeaderValue) -> bool {
    authority.is_some_and(|authority| host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()))
}

/// One field line, whatever stands in it: a name and a value of HTTP/2 have no line end.
fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes the end of a chunked body.
pub(super) fn last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        line(out, name.as_str().as_bytes(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a response's head, with the framing of what follows.
pub(super) fn response_head(out: &mut Vec<u8>, response: &Response<()>, framing: BodyLength) {
    status_line(out, response.status().as_u16());
    for (name, value) in response.headers() {
        line(out, name.as_str().as_bytes(), value.as_bytes());
    }
    write::body_length(out, framing);
    write::end_of_head(out);
}

fn status_line(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(b"HTTP/1.1 ");
    write::decimal(out, status.into());
    out.push(b' ');
    out.extend_from_slice(write::reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes the head by which a WebSocket begins, of an answer that agreed to one. The length it may speak of is none: its
/// stream is a tunnel (RFC 9113 8.5).
pub(super) fn agreement(out: &mut Vec<u8>, response: &Response<()>, key: &Key) {
    status_line(out, 101);
    for (name, value) in response.headers() {
        let name_text = name.as_str().as_bytes();
        if *name != CONTENT_LENGTH && !websocket::is_of_handshake(name_text) {
            line(out, name_text, value.as_bytes());
        }
    }
    websocket::write_agreed(out, key);
    write::end_of_head(out);
}

/// A request's head that was read from our own text, for a server in clear. `is_websocket`: it asks for one.
pub(super) fn request(head: &RequestHead<'_>, is_websocket: bool) -> io::Result<Request<()>> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    let authority = head.host.parse();
    parts.authority = Some(authority.map_err(|_| unwritable("a host"))?);
    let target = head.path_and_query.parse();
    parts.path_and_query = Some(target.map_err(|_| unwritable("a target"))?);
    let mut request = Request::new(());
    *request.method_mut() = if is_websocket {
        request
            .extensions_mut()
            .insert(Protocol::from_static(WEBSOCKET));
        Method::CONNECT
    } else {
        head.method.parse().map_err(|_| unwritable("a method"))?
    };
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| unwritable("a target"))?;
    let headers = request.headers_mut();
    for header in head.headers.iter() {
        let is_left = is_of_hop(header.known())
            || (is_websocket && websocket::is_of_handshake(header.name()));
        if header.known() != Known::Host && !is_left {
            append(headers, header.name(), header.value())?;
        }
    }
    Ok(request)
}

/// A response's head that was read from our own text. `is_agreed`: a WebSocket begins by it.
pub(super) fn response(head: &ResponseHead<'_>, is_agreed: bool) -> io::Result<Response<()>> {
    let mut response = Response::new(());
    let status = if is_agreed { 200 } else { head.status };
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| unwritable("a status"))?;
    let headers = response.headers_mut();
    for header in head.headers.iter() {
        let is_left =
            is_of_hop(header.known()) || (is_agreed && websocket::is_of_handshake(header.name()));
        if !is_left {
            append(headers, header.name(), header.value())?;
        }
    }
    Ok(response)
}

/// Adds one field.
pub(super) fn append(headers: &mut HeaderMap, name: &[u8], value: &[u8]) -> io::Result<()> {
    let name = HeaderName::from_bytes(name).map_err(|_| unwritable("a field's name"))?;
    let value = HeaderValue::from_bytes(value).map_err(|_| unwritable("a field's value"))?;
    // It fails where there are more fields than any limit lets in.
    let added = headers.try_append(name, value);
    added.map(|_| ()).map_err(|_| unwritable("too many fields"))
}

/// Whether a field has no place in HTTP/2 (RFC 9113 8.2.2).
const fn is_of_hop(known: Known) -> bool {
    matches!(
        known,
        Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::Upgrade
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: http::request::Builder, has_body: bool) -> String {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut out = Vec::new();
        let kind = Kind {
            has_body,
            is_https: false,
            key: None,
        };
        request_head(&mut out, &parts, kind);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_is_written_as_text() {
        let request = Request::get("http://shop.test/a?b")
            .header("host", "SHOP.test")
            .header("cookie", "a=1")
            .header("te", "trailers")
            .header("cookie", "b=2");
        let wanted =
            "GET /a?b HTTP/1.1\r\nhost: shop.test\r\ncookie: a=1; b=2\r\nte: trailers\r\n\r\n";
        assert_eq!(text(request, false), wanted);
    }

    #[test]
    fn a_body_without_length_is_chunked_and_another_host_stands_beside_the_authority() {
        let request = Request::post("http://shop.test/").header("host", "bank.test");
        let wanted = "POST / HTTP/1.1\r\nhost: shop.test\r\nhost: bank.test\r\n\
                      transfer-encoding: chunked\r\n\r\n";
        assert_eq!(text(request, true), wanted);
        let request = Request::post("http://shop.test/").header("content-length", "3");
        let wanted = "POST / HTTP/1.1\r\nhost: shop.test\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(text(request, true), wanted);
    }

    #[test]
    fn another_scheme_and_connect_keep_their_form() {
        let request = Request::get("https://shop.test/a");
        assert!(text(request, false).starts_with("GET https://shop.test/a HTTP/1.1\r\n"));
        let request = Request::connect("db.test:5432");
        assert!(text(request, false).starts_with("CONNECT db.test:5432 HTTP/1.1\r\n"));
    }
}
