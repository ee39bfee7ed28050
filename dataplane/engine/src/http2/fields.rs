//! Fields and pseudo-fields as lines of text, and back. It may not judge them: the codec does.

use std::io;

use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode, Uri};

use super::unwritable;
use crate::http1::{BodyLength, Known, RequestHead, ResponseHead, write};

/// Writes a request's head. `has_body`: its stream goes on behind the head. `is_https`: an https target is meant for us.
pub(super) fn request_head(out: &mut Vec<u8>, request: &Parts, has_body: bool, is_https: bool) {
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b' ');
    target(out, request, is_https);
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
        let is_said = *name == COOKIE || (*name == HOST && is_same(authority, value));
        if !is_said {
            line(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    if has_body && !request.headers.contains_key(CONTENT_LENGTH) {
        write::chunked(out);
    }
    write::end_of_head(out);
}

/// The target: a path, unless its scheme says that it was meant for another server, which is then for others to judge.
fn target(out: &mut Vec<u8>, request: &Parts, is_https: bool) {
    let uri = &request.uri;
    if request.method == Method::CONNECT {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        out.extend_from_slice(authority.as_bytes());
        return;
    }
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
    let status = response.status().as_u16();
    out.extend_from_slice(b"HTTP/1.1 ");
    write::decimal(out, status.into());
    out.push(b' ');
    out.extend_from_slice(write::reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        line(out, name.as_str().as_bytes(), value.as_bytes());
    }
    write::body_length(out, framing);
    write::end_of_head(out);
}

/// A request's head that was read from our own text, for a server in clear.
pub(super) fn request(head: &RequestHead<'_>) -> io::Result<Request<()>> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    let authority = head.host.parse();
    parts.authority = Some(authority.map_err(|_| unwritable("a host"))?);
    let target = head.path_and_query.parse();
    parts.path_and_query = Some(target.map_err(|_| unwritable("a target"))?);
    let mut request = Request::new(());
    *request.method_mut() = head.method.parse().map_err(|_| unwritable("a method"))?;
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| unwritable("a target"))?;
    let headers = request.headers_mut();
    for header in head.headers.iter() {
        if header.known() != Known::Host && !is_of_hop(header.known()) {
            append(headers, header.name(), header.value())?;
        }
    }
    Ok(request)
}

/// A response's head that was read from our own text.
pub(super) fn response(head: &ResponseHead<'_>) -> io::Result<Response<()>> {
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_u16(head.status).map_err(|_| unwritable("a status"))?;
    let headers = response.headers_mut();
    for header in head
        .headers
        .iter()
        .filter(|header| !is_of_hop(header.known()))
    {
        append(headers, header.name(), header.value())?;
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
        request_head(&mut out, &parts, has_body, false);
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
