//! Makes a route of raw connections of its document. It may not take what only a request has.

use std::sync::Arc;

use super::document::RouteDocument;
use super::{compile_action, compile_hosts, conditions, priority};
use crate::router::{Action, HostMatch, PathMatch, RawMatch, Route};
use crate::snapshot::refusal::Refusal;
use crate::snapshot::{check, limits};

/// One of what comes in by a port.
pub(super) fn by_port(
    name: &Arc<str>,
    port: u16,
    document: RouteDocument,
) -> Result<Route, Refusal> {
    check::range("port", port.into(), 1, u16::MAX.into())?;
    if document.sni.is_some() {
        let sentence = "a route of a port takes all that comes by it: nothing is read of it";
        return Err(Refusal::at("sni", sentence));
    }
    compile(name, RawMatch::Port(port), &format!(":{port}"), document)
}

/// One of what begins with TLS for one of these names.
pub(super) fn by_name(
    name: &Arc<str>,
    names: &[Box<str>],
    document: RouteDocument,
) -> Result<Route, Refusal> {
    let hosts = compile_hosts("sni", names)?;
    if hosts.contains(&HostMatch::Any) {
        let sentence = "`*` would take the edge's own hosts as well: a route names those it takes";
        return Err(Refusal::at("sni", sentence));
    }
    compile(name, RawMatch::Names(hosts), &names[0], document)
}

fn compile(
    name: &Arc<str>,
    taken: RawMatch,
    pattern: &str,
    mut document: RouteDocument,
) -> Result<Route, Refusal> {
    check::text("key", &document.key, limits::KEY_BYTES)?;
    only_requests(&document)?;
    let idle_timeout_ms = document.idle_timeout_ms.unwrap_or(0);
    let action = compile_action(std::mem::take(&mut document.action))?;
    if !matches!(action, Action::Split(_)) {
        let sentence =
            "a raw connection goes to a service: it can be neither redirected nor answered";
        return Err(Refusal::at("action", sentence));
    }
    Ok(Route {
        name: Arc::clone(name),
        index: document.index,
        priority: priority(document.priority)?,
        raw: Some(taken),
        https: None,
        hosts: Vec::new(),
        path: PathMatch::Prefix("/".into()),
        pattern: pattern.into(),
        conditions: conditions::compile(&mut document)?,
        changes: None,
        action,
        timeout: None,
        head_timeout: None,
        body_bytes: None,
        limiter: None,
        idle_timeout: check::optional_timeout("idle_timeout_ms", idle_timeout_ms)?,
        retries: None,
        key: document.key,
    })
}

/// Refuses what would have no effect: whoever wrote it believes it has.
fn only_requests(document: &RouteDocument) -> Result<(), Refusal> {
    let path = &document.path;
    let misplaced = [
        ("hosts", !document.hosts.is_empty()),
        (
            "path",
            [&path.prefix, &path.exact, &path.glob, &path.regex]
                .into_iter()
                .any(Option::is_some),
        ),
        ("methods", document.methods.is_some()),
        ("headers", document.headers.is_some()),
        ("query", document.query.is_some()),
        ("cookies", document.cookies.is_some()),
        ("sources", document.sources.is_some()),
        ("strip_prefix", document.strip_prefix.is_some()),
        ("add_prefix", document.add_prefix.is_some()),
        ("rewrite_path", document.rewrite_path.is_some()),
        ("rewrite_host", document.rewrite_host.is_some()),
        ("request_headers", document.request_headers.is_some()),
        ("response_headers", document.response_headers.is_some()),
        ("https", document.https.is_some()),
        ("timeout_ms", document.timeout_ms.is_some()),
        ("head_timeout_ms", document.head_timeout_ms.is_some()),
        ("body_bytes", document.body_bytes.is_some()),
        ("limits", document.limits.is_some()),
        ("retries", document.retries.is_some()),
    ];
    match misplaced.iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => {
            let sentence = "a route of raw connections has none: it sees no request";
            Err(Refusal::at(*field, sentence))
        }
        None => Ok(()),
    }
}
