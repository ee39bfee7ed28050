//! Makes a route of its document. It may not look at other resources; `apply` does.

mod changes;
mod conditions;
mod document;
mod stream;

use std::sync::Arc;

pub(super) use self::document::RouteDocument;
use self::document::{
    ActionDocument, AnswerDocument, HttpsDocument, PathDocument, RedirectDocument,
    RedirectPathDocument, WeightedClusterDocument,
};
use super::refusal::Refusal;
use super::{check, limits};
use crate::limiter::Limiter;
use crate::router::{
    Action, FixedAnswer, HostMatch, Https, PathMatch, Pattern, Redirect, RedirectPath, Route,
    WeightedCluster,
};

/// The statuses that send a client elsewhere (RFC 9110 §15.4) and need nothing but a location.
const REDIRECT_STATUSES: [u16; 5] = [301, 302, 303, 307, 308];
/// What a fixed answer is where its route does not say.
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// What `before` has counted goes on, where its limits are the same.
pub(super) fn compile(
    name: &Arc<str>,
    mut document: RouteDocument,
    before: Option<&Route>,
) -> Result<Route, Refusal> {
    if let Some(port) = document.port {
        return stream::by_port(name, port, document);
    }
    if let Some(names) = document.sni.take() {
        return stream::by_name(name, &names, document);
    }
    check::text("key", &document.key, limits::KEY_BYTES)?;
    let path = compile_path(std::mem::take(&mut document.path))?;
    let hosts = compile_hosts("hosts", &document.hosts)?;
    let timeout = |field, value: Option<u64>| check::optional_timeout(field, value.unwrap_or(0));
    Ok(Route {
        name: Arc::clone(name),
        index: document.index,
        priority: priority(document.priority)?,
        raw: None,
        pattern: format!("{}{}", document.hosts[0], path.as_str()).into(),
        conditions: conditions::compile(&mut document)?,
        changes: changes::compile(&mut document)?,
        action: compile_action(document.action)?,
        timeout: timeout("timeout_ms", document.timeout_ms)?,
        head_timeout: timeout("head_timeout_ms", document.head_timeout_ms)?,
        idle_timeout: timeout("idle_timeout_ms", document.idle_timeout_ms)?,
        body_bytes: check::body_bytes("body_bytes", document.body_bytes.unwrap_or(0))?,
        limiter: Limiter::carried(
            check::request_limits(document.limits.as_ref())?,
            before.and_then(|before| before.limiter.as_ref()),
        ),
        retries: match document.retries {
            Some(retries) => {
                let policy = changes::retries(retries).map_err(|fault| fault.under("retries"))?;
                Some(Box::new(policy))
            }
            None => None,
        },
        https: document.https.as_ref().map(compile_https).transpose()?,
        key: document.key,
        hosts,
        path,
    })
}

fn compile_https(document: &HttpsDocument) -> Result<Box<Https>, Refusal> {
    if let Some(seconds) = document.hsts_max_age_s {
        check::range("https.hsts_max_age_s", seconds, 0, limits::HSTS_S)?;
    }
    let hsts = document.hsts_max_age_s;
    Ok(Box::new(Https {
        is_redirected: document.redirect,
        hsts: hsts.map(|seconds| format!("max-age={seconds}").into()),
    }))
}

fn priority(priority: i64) -> Result<i8, Refusal> {
    let most = limits::PRIORITY;
    if (-most..=most).contains(&priority) {
        return Ok(priority as i8);
    }
    Err(Refusal::at(
        "priority",
        format!("is {priority}, not from -{most} to {most}"),
    ))
}

fn compile_hosts(field: &str, texts: &[Box<str>]) -> Result<Vec<HostMatch>, Refusal> {
    check::count(field, texts.len(), limits::HOSTS)?;
    if texts.is_empty() {
        return Err(Refusal::at(field, "has no host"));
    }
    let mut hosts = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let host = compile_host(&format!("{field}[{at}]"), text)?;
        if hosts.contains(&host) {
            return Err(Refusal::at(
                format!("{field}[{at}]"),
                format!("`{text}` stands there twice"),
            ));
        }
        hosts.push(host);
    }
    Ok(hosts)
}

fn compile_host(path: &str, host: &str) -> Result<HostMatch, Refusal> {
    if host == "*" {
        return Ok(HostMatch::Any);
    }
    if let Some(suffix) = host.strip_prefix("*.") {
        check::host(path, suffix)?;
        return Ok(HostMatch::Wildcard(suffix.into()));
    }
    check::host(path, host)?;
    Ok(HostMatch::Exact(host.into()))
}

fn compile_path(document: PathDocument) -> Result<PathMatch, Refusal> {
    match document {
        PathDocument {
            prefix: Some(path),
            exact: None,
            glob: None,
            regex: None,
        } => check::path("path.prefix", &path).map(PathMatch::Prefix),
        PathDocument {
            prefix: None,
            exact: Some(path),
            glob: None,
            regex: None,
        } => check::path("path.exact", &path).map(PathMatch::Exact),
        PathDocument {
            prefix: None,
            exact: None,
            glob: Some(glob),
            regex: None,
        } => {
            if !glob.starts_with('/') {
                return Err(Refusal::at(
                    "path.glob",
                    format!("`{glob}` does not begin with `/`"),
                ));
            }
            conditions::pattern("path.glob", &glob, Pattern::glob).map(PathMatch::Pattern)
        }
        PathDocument {
            prefix: None,
            exact: None,
            glob: None,
            regex: Some(regex),
        } => conditions::pattern("path.regex", &regex, Pattern::regex).map(PathMatch::Pattern),
        _ => Err(Refusal::at(
            "path",
            "needs one of `prefix`, `exact`, `glob` and `regex`",
        )),
    }
}

fn compile_action(document: ActionDocument) -> Result<Action, Refusal> {
    match document {
        ActionDocument {
            split: Some(parts),
            redirect: None,
            answer: None,
        } => compile_split(parts),
        ActionDocument {
            split: None,
            redirect: Some(redirect),
            answer: None,
        } => compile_redirect(redirect).map_err(|fault| fault.under("action.redirect")),
        ActionDocument {
            split: None,
            redirect: None,
            answer: Some(answer),
        } => compile_answer(answer).map_err(|fault| fault.under("action.answer")),
        _ => Err(Refusal::at(
            "action",
            "needs one of `split`, `redirect` and `answer`",
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
        return Err(Refusal::at("status", sentence));
    }
    check::text("location", &redirect.location, limits::LOCATION_BYTES)?;
    // It becomes a header field: a URI has nothing but visible ASCII (RFC 3986 §2).
    if !redirect
        .location
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        return Err(Refusal::at(
            "location",
            "has a space or a letter outside ASCII; percent-encode it",
        ));
    }
    let goes_on = redirect.location.ends_with('/');
    let path = match redirect.path {
        Some(RedirectPathDocument::Rest) => RedirectPath::Rest,
        Some(RedirectPathDocument::Whole) => RedirectPath::Whole,
        None if goes_on => RedirectPath::Rest,
        Some(RedirectPathDocument::None) | None => RedirectPath::None,
    };
    Ok(Action::Redirect(Redirect {
        status: redirect.status,
        path,
        keeps_query: redirect.query.unwrap_or(goes_on && redirect.path.is_none()),
        location: redirect.location,
    }))
}

fn compile_answer(answer: AnswerDocument) -> Result<Action, Refusal> {
    check::range("status", answer.status.into(), 200, 599)?;
    let body = answer.body.unwrap_or_default();
    if body.len() > limits::ANSWER_BYTES {
        let sentence = format!(
            "is {} bytes long, over {}",
            body.len(),
            limits::ANSWER_BYTES
        );
        return Err(Refusal::at("body", sentence));
    }
    if matches!(answer.status, 204 | 205 | 304) && !body.is_empty() {
        return Err(Refusal::at(
            "body",
            format!("an answer of status {} has none", answer.status),
        ));
    }
    let content_type = answer.content_type.unwrap_or_else(|| PLAIN_TEXT.into());
    check::text("content_type", &content_type, limits::NAME_BYTES)?;
    if !content_type.is_ascii() {
        return Err(Refusal::at("content_type", "has a letter outside ASCII"));
    }
    Ok(Action::Answer(FixedAnswer {
        status: answer.status,
        body,
        content_type,
    }))
}
