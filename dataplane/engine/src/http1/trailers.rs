//! Fields behind a chunked body (RFC 9110 6.5, RFC 9112 7.1.2). It may not pass on one that a head alone may have.

use super::{BadMessage, Known, syntax};

/// Fields that change how a message is framed, routed, authenticated, read or kept, beside those the proxy knows: a
/// recipient that merges trailers into the head must not be misled by them (RFC 9110 6.5.1).
const HEAD_ONLY: &[&str] = &[
    "age",
    "authentication-info",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "cookie2",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "origin",
    "pragma",
    "range",
    "retry-after",
    "set-cookie2",
    "status",
    "strict-transport-security",
    "vary",
    "warning",
    "www-authenticate",
];

/// Whether a field may stand in a trailer section and is passed on from there; others are dropped.
pub fn may_be_trailer(name: &[u8]) -> bool {
    let is_it = |field: &&str| name.eq_ignore_ascii_case(field.as_bytes());
    Known::of(name) == Known::Other && !HEAD_ONLY.iter().any(is_it)
}

/// Name and value of one field line, its line feed included.
pub(super) fn split_line(line: &[u8]) -> Result<(&[u8], &[u8]), BadMessage> {
    let line = line.strip_suffix(b"\r\n").ok_or(BadMessage::BareLf)?;
    let name_bytes = line
        .iter()
        .take_while(|&&byte| syntax::is_token_byte(byte))
        .count();
    let (name, rest) = line.split_at(name_bytes);
    let value = match (rest.first(), name.is_empty()) {
        (Some(b':'), false) => &rest[1..],
        (Some(b':'), true) => return Err(BadMessage::FieldNameEmpty),
        (Some(b' ' | b'\t'), true) => return Err(BadMessage::ObsFold),
        (Some(b' ' | b'\t'), false) => return Err(BadMessage::SpaceInFieldName),
        (None, _) => return Err(BadMessage::FieldWithoutColon),
        (Some(b'\r'), _) => return Err(BadMessage::BareCr),
        (Some(_), _) => return Err(BadMessage::FieldNameInvalid),
    };
    match value.iter().find(|&&byte| !syntax::is_value_byte(byte)) {
        None => Ok((name, syntax::trim_ows(value))),
        Some(b'\r') => Err(BadMessage::BareCr),
        Some(_) => Err(BadMessage::FieldValueInvalid),
    }
}

#[cfg(test)]
mod tests {
    use super::may_be_trailer;

    #[test]
    fn what_frames_routes_or_vouches_is_no_trailer() {
        for name in [
            "grpc-status",
            "Server-Timing",
            "ETag",
            "digest",
            "x-checksum",
        ] {
            assert!(may_be_trailer(name.as_bytes()), "{name}");
        }
        for name in [
            "Content-Length",
            "transfer-encoding",
            "HOST",
            "Authorization",
            "Set-Cookie",
            "x-forwarded-for",
            "X_Forwarded_For",
            "mesh-reason",
            "traceparent",
            "Content-Encoding",
            "Cache-Control",
            "Connection",
            "content_length",
        ] {
            assert!(!may_be_trailer(name.as_bytes()), "{name}");
        }
    }
}
