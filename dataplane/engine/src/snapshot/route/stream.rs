//! Makes a route of raw connections of its document. It may not take what only a request has.

use std::sync::Arc;

use super::document::RouteDocument;
use super::{compile_action, conditions, priority};
use crate::router::{Action, PathMatch, Route};
use crate::snapshot::refusal::Refusal;
use crate::snapshot::{check, limits};

pub(super) fn compile(
    name: &Arc<str>,
    port: u16,
    mut document: RouteDocument,
) -> Result<Route, Refusal> {
    check::text("key", &document.key, limits::KEY_BYTES)?;
    check::range("port", port.into(), 1, u16::MAX.into())?;
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
        port: Some(port),
        https: None,
        hosts: Vec::new(),
        path: PathMatch::Prefix("/".into()),
        pattern: format!(":{port}").into(),
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
