//! Writes heads, always anew. It may not choose what stands in them; what comes from outside must have been checked.

use std::net::IpAddr;

use super::{BodyLength, syntax};

/// `GET /path HTTP/1.1`; always our version (RFC 9110 2.5).
pub fn request_line(out: &mut Vec<u8>, method: &str, target: &str) {
    request_line_of(out, method, target, None);
}

/// The same with the query apart from its path.
pub fn request_line_of(out: &mut Vec<u8>, method: &str, path: &str, query: Option<&str>) {
    debug_assert!(syntax::is_token(method.as_bytes()), "method");
    debug_assert!(path.bytes().all(syntax::is_target_byte), "target");
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(path.as_bytes());
    if let Some(query) = query {
        debug_assert!(query.bytes().all(syntax::is_target_byte), "query");
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// `HTTP/1.1 200 OK`; always our version.
pub fn status_line(out: &mut Vec<u8>, status: u16, reason: &[u8]) {
    debug_assert!((100..=599).contains(&status), "status");
    debug_assert!(syntax::is_field_value(reason), "reason");
    let digit = |place: u16| b'0' + (status / place % 10) as u8;
    let mut line = *b"HTTP/1.1 000 ";
    (line[9], line[10], line[11]) = (digit(100), digit(10), digit(1));
    out.extend_from_slice(&line);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// One field line. Name and value are of a head that was parsed, or of ours: they can't have a line end.
#[inline]
pub fn header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    debug_assert!(syntax::is_token(name), "name");
    debug_assert!(syntax::is_field_value(value), "value");
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The field that announces a body of this length; nothing for none and for one that ends with the connection.
pub fn body_length(out: &mut Vec<u8>, length: BodyLength) {
    match length {
        BodyLength::None | BodyLength::UntilClose => {}
        BodyLength::Length(bytes) => content_length(out, bytes),
        BodyLength::Chunked => chunked(out),
    }
}

/// `content-length: n`
pub fn content_length(out: &mut Vec<u8>, bytes: u64) {
    out.extend_from_slice(b"content-length: ");
    decimal(out, bytes);
    out.extend_from_slice(b"\r\n");
}

/// `transfer-encoding: chunked`
pub fn chunked(out: &mut Vec<u8>) {
    out.extend_from_slice(b"transfer-encoding: chunked\r\n");
}

/// `te: trailers` as RFC 9110 10.1.4 wants it, with its connection option. No other `Connection` may be written beside
/// it.
pub fn te_trailers(out: &mut Vec<u8>) {
    out.extend_from_slice(b"te: trailers\r\nconnection: te\r\n");
}

/// The empty line.
pub fn end_of_head(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// A number in decimal digits.
pub fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// An address, without brackets. One of version 4 byte by byte: a formatter costs as much as half a head.
pub fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (place, part) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                octet(out, part);
            }
        }
        IpAddr::V6(address) => out.extend_from_slice(address.to_string().as_bytes()),
    }
}

fn octet(out: &mut Vec<u8>, octet: u8) {
    if octet >= 100 {
        out.push(b'0' + octet / 100);
    }
    if octet >= 10 {
        out.push(b'0' + octet / 10 % 10);
    }
    out.push(b'0' + octet % 10);
}

/// The line before a chunk's data.
pub(crate) fn chunk_size(out: &mut Vec<u8>, mut bytes: usize) {
    let mut digits = [0; 18];
    digits[16] = b'\r';
    digits[17] = b'\n';
    let mut at = 16;
    while bytes > 0 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[bytes & 15];
        bytes >>= 4;
    }
    out.extend_from_slice(&digits[at..]);
}

/// The usual phrase of a status; empty for one without.
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{address, chunk_size, content_length, decimal, request_line, status_line};

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 9, 10, 404, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
        for number in [1, 15, 16, 4096, usize::MAX] {
            let mut out = Vec::new();
            chunk_size(&mut out, number);
            assert_eq!(out, format!("{number:x}\r\n").as_bytes());
        }
    }

    #[test]
    fn addresses_are_written_as_they_are_displayed() {
        for text in ["0.10.200.255", "127.0.0.1", "::1", "2001:db8::ff"] {
            let mut out = Vec::new();
            address(&mut out, text.parse().unwrap());
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn lines_are_written_with_our_version() {
        let mut out = Vec::new();
        request_line(&mut out, "GET", "/a?b");
        status_line(&mut out, 204, b"");
        content_length(&mut out, 0);
        assert_eq!(
            out,
            b"GET /a?b HTTP/1.1\r\nHTTP/1.1 204 \r\ncontent-length: 0\r\n"
        );
    }
}
