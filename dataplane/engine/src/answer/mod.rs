//! The answers the mesh makes itself: the one place where an error becomes a response. It may not do I/O.

mod body;
mod form;
mod grpc;

pub use self::form::Form;
use crate::error::Error;
use crate::http1::{Version, write};
use crate::rewrite;
use crate::router::{FixedAnswer, HeaderEdits, Hint};
use crate::trace::TraceContext;

/// What an answer has to know of the request it answers.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What the client speaks.
    pub client: Version,
    /// Whether the connection goes on behind the answer.
    pub keeps_client: bool,
    /// What the answer is to be written as.
    pub form: Form,
    /// The routes that nearly took the request, where the one who asked may know.
    pub hints: &'a [Hint],
    /// Whether the request was a HEAD: its answer has the length of a body, and none.
    pub is_head: bool,
    /// The trace, where the request came far enough to have one.
    pub trace: Option<&'a TraceContext>,
    /// What is said of coming by https alone, if anything.
    pub hsts: Option<&'a str>,
    /// The time, as `Date` has it.
    pub date: &'a [u8],
}

/// Writes the answer to a request that failed.
pub fn error(out: &mut Vec<u8>, error: &Error, asked: &Asked<'_>) {
    if asked.form == Form::Grpc {
        grpc::error(out, error, asked);
        return;
    }
    let reason = error.reason;
    let trace = asked.trace.map(trace_id);
    let body = body::error(asked.form, error, trace.as_deref(), asked.hints);
    write::status_line(
        out,
        reason.status(),
        write::reason_phrase(reason.status()).as_bytes(),
    );
    write::header(out, b"mesh-reason", reason.code().as_bytes());
    if let Some(trace) = &trace {
        write::header(out, b"mesh-trace", trace.as_bytes());
    }
    if let Some(wait) = error.retry_after {
        // Whole seconds (RFC 9110 §10.2.3), never too early.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        write::header(out, b"Retry-After", seconds.max(1).to_string().as_bytes());
    }
    // The next change of a key may make it another answer: no cache is to keep this one (RFC 9110 §15.1).
    write::header(out, b"Cache-Control", b"no-store");
    write::header(out, b"Content-Type", asked.form.content_type());
    write::header(out, b"X-Content-Type-Options", b"nosniff");
    if asked.form == Form::Html {
        let policy = b"default-src 'none'; style-src 'unsafe-inline'";
        write::header(out, b"Content-Security-Policy", policy);
    }
    finish(out, asked, body.as_bytes());
}

/// Writes a redirect (RFC 9110 §15.4).
pub fn redirect(
    out: &mut Vec<u8>,
    status: u16,
    location: &str,
    edits: Option<&HeaderEdits>,
    asked: &Asked<'_>,
) {
    write::status_line(out, status, write::reason_phrase(status).as_bytes());
    write::header(out, b"Location", location.as_bytes());
    rewrite::edited(out, edits);
    finish(out, asked, b"");
}

/// Writes the answer that stands in a route.
pub fn fixed(
    out: &mut Vec<u8>,
    answer: &FixedAnswer,
    edits: Option<&HeaderEdits>,
    asked: &Asked<'_>,
) {
    let reason = write::reason_phrase(answer.status);
    write::status_line(out, answer.status, reason.as_bytes());
    rewrite::edited(out, edits);
    if matches!(answer.status, 204 | 304) {
        end_bodiless(out, asked);
        return;
    }
    if !answer.body.is_empty() {
        write::header(out, b"Content-Type", answer.content_type.as_bytes());
    }
    finish(out, asked, answer.body.as_bytes());
}

/// Answers `OPTIONS` as its final recipient, when `Max-Forwards` says so (RFC 9110 §7.6.2, §9.3.7).
pub fn options(out: &mut Vec<u8>, asked: &Asked<'_>) {
    write::status_line(out, 200, b"OK");
    write::header(
        out,
        b"Allow",
        b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    );
    finish(out, asked, b"");
}

/// Answers `TRACE` as its final recipient: this server has no resource that takes it, and what a
/// client sent is not shown back (RFC 9110 §9.3.8 forbids credentials in it).
pub fn trace_refused(out: &mut Vec<u8>, asked: &Asked<'_>) {
    write::status_line(out, 405, write::reason_phrase(405).as_bytes());
    write::header(
        out,
        b"Allow",
        b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    );
    finish(out, asked, b"");
}

/// Ends the head of an answer whose status has no body (RFC 9110 §8.6: nor a length).
fn end_bodiless(out: &mut Vec<u8>, asked: &Asked<'_>) {
    rewrite::hsts(out, asked.hsts);
    write::header(out, b"Date", asked.date);
    rewrite::connection(out, asked.client, asked.keeps_client);
    out.extend_from_slice(b"\r\n");
}

fn finish(out: &mut Vec<u8>, asked: &Asked<'_>, body: &[u8]) {
    rewrite::hsts(out, asked.hsts);
    write::header(out, b"Date", asked.date);
    write::content_length(out, body.len() as u64);
    rewrite::connection(out, asked.client, asked.keeps_client);
    out.extend_from_slice(b"\r\n");
    if !asked.is_head {
        out.extend_from_slice(body);
    }
}

/// The trace id in hex, as Jaeger's search takes it.
pub fn trace_id(trace: &TraceContext) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(32);
    for byte in trace.trace_id {
        // A string takes whatever is written to it.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    const ASKED: Asked<'_> = Asked {
        client: Version::Http11,
        keeps_client: false,
        form: Form::Text,
        hints: &[],
        is_head: false,
        trace: None,
        hsts: None,
        date: b"Mon, 23 Nov 2026 17:00:00 GMT",
    };

    fn text(asked: &Asked<'_>) -> String {
        let mut out = Vec::new();
        error(
            &mut out,
            &Error::us(Reason::NoRoute, "no route takes shop.test/x"),
            asked,
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_error_says_why_in_a_header_and_a_sentence() {
        let answer = text(&ASKED);
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\nmesh-reason: no_route\r\n"));
        assert!(answer.ends_with("\r\n\r\nno route: no route takes shop.test/x\n"));
        assert!(answer.contains("Connection: close\r\n"));
    }

    #[test]
    fn a_program_that_asks_for_json_gets_json() {
        let answer = text(&Asked {
            form: Form::Json,
            ..ASKED
        });
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(value["error"]["reason"], "no_route");
        assert_eq!(value["error"]["status"], 404);
    }

    #[test]
    fn a_browser_gets_a_page_in_which_nothing_of_the_request_is_markup() {
        let mut out = Vec::new();
        let evil = Error::us(
            Reason::NoRoute,
            "no route takes a/<script>alert('1')</script>",
        );
        let asked = Asked {
            form: Form::Html,
            ..ASKED
        };
        error(&mut out, &evil, &asked);
        let answer = String::from_utf8(out).unwrap();
        assert!(answer.contains("Content-Security-Policy: default-src 'none'"));
        assert!(answer.contains("<h1>404 no route</h1>") && !answer.contains("<script>"));
        assert!(answer.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"));
    }

    #[test]
    fn the_answer_to_head_has_a_length_and_no_body() {
        let answer = text(&Asked {
            is_head: true,
            ..ASKED
        });
        assert!(answer.contains("content-length: ") && answer.ends_with("\r\n\r\n"));
    }

    #[test]
    fn every_reason_has_a_phrase_of_its_own_status() {
        for reason in Reason::ALL {
            assert!(reason.status() == 499 || !write::reason_phrase(reason.status()).is_empty());
        }
    }
}
