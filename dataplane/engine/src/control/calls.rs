//! What each call of the control API does. It may not hold the engine up: whatever waits here, requests go on.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::PROTOCOL;
use super::answer::{self, Answer, digest_value};
use super::secrets;
use crate::engine::Engine;
use crate::snapshot::limits::DOCUMENT_BYTES;
use crate::span;

/// How long a body may take: the agent is on this machine.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an identity or a small document: a chain and its roots are about 10 KiB.
const SMALL_BYTES: usize = 1 << 20;
/// The longest a call waits for spans; the agent asks again.
const WAIT_MS: u64 = 30_000;
/// The longest grace; a longer one is a mistake in the unit.
const GRACE_MS: u64 = 86_400_000;

/// Answers one call.
pub(super) async fn answer<B>(engine: &Arc<Engine>, request: Request<B>) -> Answer
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
{
    let (head, body) = request.into_parts();
    let method = head.method.as_str();
    let path = head.uri.path();
    match (path, method) {
        ("/v1/version", "GET") => version(engine),
        ("/v1/snapshot", "GET") => snapshot(engine),
        ("/v1/snapshot", "PUT") => match read(body, DOCUMENT_BYTES).await {
            Ok(document) => put_snapshot(engine, &document).await,
            Err(refusal) => refusal,
        },
        ("/v1/stats", "GET") => answer::bytes(engine.stats().await, "application/json"),
        ("/v1/spans", "GET") => spans(engine, head.uri.query()).await,
        ("/v1/explain", "POST") => match read(body, DOCUMENT_BYTES).await {
            Ok(document) => explain(engine, document).await,
            Err(refusal) => refusal,
        },
        ("/v1/drain", "POST") => match read(body, SMALL_BYTES).await {
            Ok(document) => drain(engine, &document),
            Err(refusal) => refusal,
        },
        ("/v1/version" | "/v1/stats" | "/v1/spans", _) => answer::wrong_method(method, "GET"),
        ("/v1/snapshot", _) => answer::wrong_method(method, "GET, PUT"),
        ("/v1/drain" | "/v1/explain", _) => answer::wrong_method(method, "POST"),
        ("/v1/ticket-keys", "PUT") => match read(body, SMALL_BYTES).await {
            Ok(document) => secrets::put_ticket_keys(engine, &document),
            Err(refusal) => refusal,
        },
        ("/v1/ticket-keys", _) => answer::wrong_method(method, "PUT"),
        _ => named(engine, method, path, body).await,
    }
}

/// Calls that name what they are about in their path: all of them about secrets.
async fn named<B>(engine: &Arc<Engine>, method: &str, path: &str, body: B) -> Answer
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
{
    let identity = path.strip_prefix("/v1/identities/");
    let certificate = path.strip_prefix("/v1/certificates/");
    if identity.or(certificate).is_none() {
        let sentence = format!("there is no {path}; docs/boundary.md lists the calls");
        return answer::error(StatusCode::NOT_FOUND, &sentence);
    }
    let document = match method {
        "PUT" => match read(body, SMALL_BYTES).await {
            Ok(document) => Some(document),
            Err(refusal) => return refusal,
        },
        "DELETE" => None,
        _ => return answer::wrong_method(method, "DELETE, PUT"),
    };
    match (identity, certificate, document) {
        (Some(name), _, Some(document)) => secrets::put_identity(engine, name, &document),
        (Some(name), _, None) => secrets::delete_identity(engine, name),
        (_, Some(host), Some(document)) => secrets::put_certificate(engine, host, &document),
        (_, host, _) => secrets::delete_certificate(engine, host.unwrap_or_default()),
    }
}

async fn read<B>(body: B, limit: usize) -> Result<Bytes, Answer>
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
{
    match timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let sentence = format!("the body is over the limit of {limit} bytes");
            Err(answer::error(StatusCode::PAYLOAD_TOO_LARGE, &sentence))
        }
        Ok(Err(error)) => {
            let sentence = format!("the body could not be read: {error}");
            Err(answer::error(StatusCode::BAD_REQUEST, &sentence))
        }
        Err(_) => {
            let sentence = format!("the body was not there after {BODY_TIMEOUT:?}");
            Err(answer::error(StatusCode::REQUEST_TIMEOUT, &sentence))
        }
    }
}

fn version(engine: &Engine) -> Answer {
    let snapshot = engine.shared.snapshot.load();
    answer::ok(&json!({
        "protocol": PROTOCOL,
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "generation": snapshot.generation,
        "digest": digest_value(&snapshot.digest),
        "started_unix_ms": engine.shared.started_unix_ms(),
        "identities": engine.shared.identities.names(),
    }))
}

fn snapshot(engine: &Engine) -> Answer {
    let mut document = engine.shared.snapshot.load().to_json();
    let states = serde_json::to_string(&*engine.listener_states()).unwrap_or_default();
    // The document is an object: the states go in before its end, without reading it all again.
    if document.pop_if(|last| *last == b'}').is_none() {
        let sentence = "the snapshot in force could not be written";
        return answer::error(StatusCode::INTERNAL_SERVER_ERROR, sentence);
    }
    document.extend(br#","listeners":"#);
    document.extend(states.as_bytes());
    document.push(b'}');
    answer::bytes(document, "application/json")
}

async fn put_snapshot(engine: &Engine, document: &[u8]) -> Answer {
    if engine.shared.is_draining() {
        let sentence = "this proxy is going away and takes no snapshot any more";
        return answer::error(StatusCode::SERVICE_UNAVAILABLE, sentence);
    }
    match engine.apply(document) {
        Ok(snapshot) => {
            let states = engine.reconcile().await;
            answer::ok(&json!({
                "generation": snapshot.generation,
                "digest": snapshot.digest,
                "listeners": *states,
            }))
        }
        Err(refusal) => {
            tracing::warn!(%refusal, "a snapshot was refused");
            answer::refusal(&refusal)
        }
    }
}

async fn explain(engine: &Engine, document: Bytes) -> Answer {
    let in_force = engine.shared.snapshot.load_full();
    // Ten thousand requests against ten thousand routes take seconds: other calls are answered meanwhile.
    let explained =
        tokio::task::spawn_blocking(move || crate::explain::explain(&in_force, &document));
    match explained.await {
        Ok(Ok(explained)) => answer::bytes(explained, "application/json"),
        Ok(Err(refusal)) => answer::refusal(&refusal),
        Err(_) => {
            let sentence = "the question could not be answered, by a fault of the proxy";
            answer::error(StatusCode::INTERNAL_SERVER_ERROR, sentence)
        }
    }
}

async fn spans(engine: &Engine, query: Option<&str>) -> Answer {
    let wait_ms = match wait_ms(query) {
        Ok(wait_ms) => wait_ms,
        Err(sentence) => return answer::error(StatusCode::BAD_REQUEST, sentence),
    };
    let batch = engine
        .shared
        .spans
        .take(Duration::from_millis(wait_ms))
        .await;
    if batch.is_empty() {
        return answer::nothing();
    }
    let node = Arc::clone(&engine.shared.snapshot.load().settings.node);
    let mut answer = answer::bytes(span::encode(&batch, &node), "application/x-protobuf");
    answer
        .headers_mut()
        .insert("spans", HeaderValue::from(batch.len()));
    answer
}

fn wait_ms(query: Option<&str>) -> Result<u64, &'static str> {
    match query {
        None | Some("") => Ok(0),
        Some(query) => query
            .strip_prefix("wait_ms=")
            .and_then(|text| text.parse::<u64>().ok())
            .map(|wait_ms| wait_ms.min(WAIT_MS))
            .ok_or("the query takes wait_ms=<milliseconds> and nothing else"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DrainDocument {
    grace_ms: u64,
}

fn drain(engine: &Engine, document: &[u8]) -> Answer {
    match serde_json::from_slice::<DrainDocument>(document) {
        Ok(DrainDocument { grace_ms }) if grace_ms <= GRACE_MS => {
            engine.drain(Duration::from_millis(grace_ms));
            answer::ok(&json!({ "grace_ms": grace_ms }))
        }
        Ok(_) => {
            let sentence = format!("grace_ms is over the limit of {GRACE_MS}, a day");
            answer::error(StatusCode::UNPROCESSABLE_ENTITY, &sentence)
        }
        Err(error) => {
            let sentence = format!("the body has to be {{\"grace_ms\": n}}: {error}");
            answer::error(StatusCode::UNPROCESSABLE_ENTITY, &sentence)
        }
    }
}
