//! Makes a route of its document. It may not look at other resources; `apply` does.

use std::sync::Arc;

use super::document::{
    ActionDocument, PathDocument, RedirectDocument, RouteDocument, WeightedClusterDocument,
};
use super::refusal::Refusal;
use super::{check, limits};
use crate::router::{Action, HostMatch, PathMatch, Route, WeightedCluster};

/// The statuses that send a client elsewhere (RFC 9110 §15.4) and need nothing but a location.
const REDIRECT_STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

pub(super) fn compile(name: &Arc<str>, document: RouteDocument) -> Result<Route, Refusal> {
    check::text("key", &document.key, limits::KEY_BYTES)?;
    let path = compile_path(document.path)?;
    if let Some(strip) = &document.strip_prefix {
        check::path("strip_prefix", strip)?;
    }
    let timeout = check::optional_timeout("timeout_ms", document.timeout_ms.unwrap_or(0))?;
    Ok(Route {
        name: Arc::clone(name),
        key: document.key,
        index: document.index,
        pattern: format!("{}{}", document.host, path.as_str()).into(),
        host: compile_host(&document.host)?,
        path,
        action: compile_action(document.action)?,
        timeout,
        strip_prefix: document.strip_prefix,
    })
}

fn compile_host(host: &str) -> Result<HostMatch, Refusal> {
    if host == "*" {
        return Ok(HostMatch::Any);
    }
    if let Some(suffix) = host.strip_prefix("*.") {
        check::host("host", suffix)?;
        return Ok(HostMatch::Wildcard(suffix.into()));
    }
    check::host("host", host)?;
    Ok(HostMatch::Exact(host.into()))
}

fn compile_path(document: PathDocument) -> Result<PathMatch, Refusal> {
    match (document.prefix, document.exact) {
        (Some(path), None) => {
            check::path("path.prefix", &path)?;
            Ok(PathMatch::Prefix(path))
        }
        (None, Some(path)) => {
            check::path("path.exact", &path)?;
            Ok(PathMatch::Exact(path))
        }
        _ => Err(Refusal::at(
            "path",
            "needs `prefix` or `exact`, and not both",
        )),
    }
}

fn compile_action(document: ActionDocument) -> Result<Action, Refusal> {
    match (document.split, document.redirect) {
        (Some(parts), None) => compile_split(parts),
        (None, Some(redirect)) => compile_redirect(redirect),
        _ => Err(Refusal::at(
            "action",
            "needs `split` or `redirect`, and not both",
        )),
    }
}

fn compile_split(parts: Vec<WeightedClusterDocument>) -> Result<Action, Refusal> {
    check::count("action.split", parts.len(), limits::SPLIT_CLUSTERS)?;
    for (at, part) in parts.iter().enumerate() {
        check::name(format!("action.split[{at}].cluster"), &part.cluster)?;
        let path = format!("action.split[{at}].weight");
        check::range(path, part.weight.into(), 0, limits::WEIGHT.into())?;
    }
    if parts.iter().all(|part| part.weight == 0) {
        return Err(Refusal::at(
            "action.split",
            "no weight is over 0, so nothing could be chosen",
        ));
    }
    let parts = parts.into_iter();
    Ok(Action::Split(
        parts
            .map(|part| WeightedCluster {
                cluster: part.cluster,
                weight: part.weight,
            })
            .collect(),
    ))
}

fn compile_redirect(redirect: RedirectDocument) -> Result<Action, Refusal> {
    if !REDIRECT_STATUSES.contains(&redirect.status) {
        let sentence = format!("is {}, not one of 301, 302, 303, 307, 308", redirect.status);
        return Err(Refusal::at("action.redirect.status", sentence));
    }
    let path = "action.redirect.location";
    check::text(path, &redirect.location, limits::LOCATION_BYTES)?;
    // It becomes a header field: a URI has nothing but visible ASCII (RFC 3986 §2).
    if !redirect
        .location
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        return Err(Refusal::at(
            path,
            "has a space or a letter outside ASCII; percent-encode it",
        ));
    }
    Ok(Action::Redirect {
        status: redirect.status,
        location: redirect.location,
    })
}
