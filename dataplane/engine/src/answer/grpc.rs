//! The mesh's own answers to calls of gRPC, which have their status behind their body and not before it. It may not do I/O.

use super::{Asked, body, trace_id};
use crate::error::{Error, Reason};
use crate::http1::write;

/// Writes an error as a call's answer of trailers alone (gRPC over HTTP/2, "Responses").
pub(super) fn error(out: &mut Vec<u8>, error: &Error, asked: &Asked<'_>) {
    let trace = asked.trace.map(trace_id);
    let sentence = body::sentence(error, trace.as_deref());
    write::status_line(out, 200, write::reason_phrase(200).as_bytes());
    write::header(out, b"Content-Type", b"application/grpc");
    write::header(out, b"grpc-status", status(error.reason).as_bytes());
    write::header(out, b"grpc-message", percent_encoded(&sentence).as_bytes());
    write::header(out, b"mesh-reason", error.reason.code().as_bytes());
    if let Some(trace) = &trace {
        write::header(out, b"mesh-trace", trace.as_bytes());
    }
    super::finish(out, asked, b"");
}

/// The status of gRPC that says the same as a reason. Who knows only the status of HTTP would be told as the table of
/// "HTTP to gRPC Status Code Mapping" has it; where a reason says more, so does this.
const fn status(reason: Reason) -> &'static str {
    match reason {
        Reason::ClientClosed => "1",
        Reason::RequestTimeout | Reason::ConnectTimeout | Reason::UpstreamTimeout => "4",
        _ => match reason.status() {
            400 | 417 | 500 | 508 => "13",
            401 => "16",
            403 => "7",
            404 | 405 | 501 | 505 => "12",
            413 | 414 | 429 | 431 => "8",
            421 | 502 | 503 => "14",
            504 => "4",
            _ => "2",
        },
    }
}

/// A sentence as `grpc-message` has it: what is not visible ASCII, and `%`, byte by byte.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // A string takes whatever is written to it.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_an_error_of_grpc() {
        for reason in Reason::ALL {
            let number: u8 = status(*reason).parse().unwrap();
            assert!((1..=16).contains(&number), "{}", reason.code());
        }
        let of = |reason| status(reason);
        assert_eq!(of(Reason::IntentionDenied), "7");
        assert_eq!(of(Reason::NoRoute), "12");
        assert_eq!(of(Reason::NoHealthyEndpoint), "14");
        assert_eq!(of(Reason::UpstreamTimeout), "4");
        assert_eq!(of(Reason::UpstreamClosed), "14");
        assert_eq!(of(Reason::HeaderTooLarge), "8");
    }

    #[test]
    fn a_message_has_no_byte_that_a_field_may_not_have() {
        assert_eq!(percent_encoded("100 % of \u{e4}\n"), "100 %25 of %C3%A4%0A");
    }
}
