//! Answers of the control API: JSON always, with a sentence when something is wrong. May not know what was asked.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::snapshot::Refusal;

/// An answer, whole.
pub(super) type Answer = Response<Full<Bytes>>;

/// 200 with a document.
pub(super) fn ok(document: &Value) -> Answer {
    bytes(document.to_string(), "application/json")
}

/// 200 with bytes.
pub(super) fn bytes(body: impl Into<Bytes>, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// 204.
pub(super) fn nothing() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// What is wrong, in one sentence.
pub(super) fn error(status: StatusCode, sentence: &str) -> Answer {
    with_status(status, &json!({ "error": sentence }))
}

/// A call that is there, but not by this method.
pub(super) fn wrong_method(method: &str, allowed: &'static str) -> Answer {
    let sentence = format!("{method} is not allowed here, only {allowed}");
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, &sentence);
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// A snapshot that was not put in force.
pub(super) fn refusal(refusal: &Refusal) -> Answer {
    match refusal {
        Refusal::BaseNotInForce { digest } => {
            let body = json!({ "error": refusal.to_string(), "digest": digest_value(digest) });
            with_status(StatusCode::CONFLICT, &body)
        }
        Refusal::Invalid { path, sentence } => {
            let body = json!({ "error": sentence, "path": path });
            with_status(StatusCode::UNPROCESSABLE_ENTITY, &body)
        }
    }
}

/// A digest, which is `null` before the first snapshot.
pub(super) fn digest_value(digest: &str) -> Value {
    if digest.is_empty() {
        Value::Null
    } else {
        digest.into()
    }
}

fn with_status(status: StatusCode, document: &Value) -> Answer {
    let mut answer = ok(document);
    *answer.status_mut() = status;
    answer
}
