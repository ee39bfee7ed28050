//! The calls that carry secrets: identities, the edge's certificates, keys of session tickets. No answer and no log line
//! quotes what came.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::answer::{self, Answer};
use crate::edge_tls::{CertificateDocument, TicketKeysDocument};
use crate::engine::Engine;
use crate::identity::IdentityDocument;

/// Puts an identity in force.
pub(super) fn put_identity(engine: &Engine, name: &str, document: &[u8]) -> Answer {
    let put = |document: IdentityDocument| {
        same_name(name, &document.name)?;
        let identity = engine.put_identity(&document)?;
        Ok(json!({
            "name": identity.name,
            "not_after_unix_s": identity.not_after_unix_s,
        }))
    };
    told(read("identity", document).and_then(put), "identity", name)
}

/// Forgets an identity.
pub(super) fn delete_identity(engine: &Engine, name: &str) -> Answer {
    // Gone is what was asked for, whether it was there or not.
    if engine.shared.identities.remove(name) {
        tracing::info!(identity = name, "identity gone");
    }
    answer::ok(&json!({ "name": name }))
}

/// Puts a certificate of the edge in force.
pub(super) fn put_certificate(engine: &Engine, host: &str, document: &[u8]) -> Answer {
    let put = |document: CertificateDocument| {
        same_name(host, &document.host)?;
        let certificate = engine.put_certificate(&document)?;
        Ok(json!({
            "host": certificate.host,
            "not_after_unix_s": certificate.not_after_unix_s,
            "fingerprint": certificate.fingerprint,
        }))
    };
    let done = read("certificate", document).and_then(put);
    told(done, "certificate", host)
}

/// Forgets a certificate of the edge.
pub(super) fn delete_certificate(engine: &Engine, host: &str) -> Answer {
    if engine.shared.edge_tls.remove_certificate(host) {
        tracing::info!(host, "certificate gone");
    }
    answer::ok(&json!({ "host": host }))
}

/// Puts the keys of session tickets in force.
pub(super) fn put_ticket_keys(engine: &Engine, document: &[u8]) -> Answer {
    let put = |document: TicketKeysDocument| {
        let count = engine.put_ticket_keys(&document)?;
        Ok(json!({ "keys": count }))
    };
    let done = read("ticket key", document).and_then(put);
    told(done, "ticket keys", "")
}

fn told(done: Result<serde_json::Value, String>, what: &str, name: &str) -> Answer {
    match done {
        Ok(document) => answer::ok(&document),
        Err(sentence) => {
            tracing::warn!(name, "{what} refused: {sentence}");
            answer::error(StatusCode::UNPROCESSABLE_ENTITY, &sentence)
        }
    }
}

/// Only the place is told: the library's words quote what stands there, which may be a key.
fn read<T: for<'d> Deserialize<'d>>(what: &str, document: &[u8]) -> Result<T, String> {
    serde_json::from_slice(document).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("no {what} can be read: line {line}, column {column}")
    })
}

fn same_name(path: &str, body: &str) -> Result<(), String> {
    if path == body {
        return Ok(());
    }
    Err(format!("the path says {path:?}, the body {body:?}"))
}
