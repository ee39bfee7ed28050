//! Makes a route's rewrites, header edits and retries of their documents. It may not look at requests.

use std::sync::Arc;
use std::time::Duration;

use super::conditions::{header_name, pattern};
use super::document::{
    BackoffDocument, BudgetDocument, FieldDocument, HeaderEditsDocument, RetriesDocument,
    RouteDocument,
};
use crate::http1::{Known, host, syntax};
use crate::router::{
    Changes, Field, HeaderEdits, PathChange, Pattern, RetryBudget, RetryOn, RetryPolicy, Template,
};
use crate::snapshot::refusal::Refusal;
use crate::snapshot::{check, limits};

/// Fields that frame or route a message, or that the mesh vouches for: no route may write them.
const RESERVED: [Known; 18] = [
    Known::Date,
    Known::Host,
    Known::Connection,
    Known::ContentLength,
    Known::TransferEncoding,
    Known::Te,
    Known::Trailer,
    Known::Upgrade,
    Known::KeepAlive,
    Known::Via,
    Known::Forwarded,
    Known::XForwardedFor,
    Known::XForwardedHost,
    Known::XForwardedProto,
    Known::Traceparent,
    Known::Tracestate,
    Known::MeshHeader,
    Known::FramingAlias,
];

/// What a route changes; none where it changes nothing.
pub(super) fn compile(document: &mut RouteDocument) -> Result<Option<Box<Changes>>, Refusal> {
    let changes = Changes {
        path: path_change(document)?,
        host: document.rewrite_host.take().map(authority).transpose()?,
        request: edits("request_headers", document.request_headers.take())?,
        response: edits("response_headers", document.response_headers.take())?,
    };
    Ok((changes != Changes::default()).then(|| Box::new(changes)))
}

fn path_change(document: &mut RouteDocument) -> Result<Option<PathChange>, Refusal> {
    let as_path = |field: &str, path: Option<Box<str>>| {
        path.map(|path| check::path(field, &path)).transpose()
    };
    let strip = as_path("strip_prefix", document.strip_prefix.take())?;
    let add = as_path("add_prefix", document.add_prefix.take())?;
    if add.as_deref().is_some_and(|add| add.ends_with('/')) {
        return Err(Refusal::at(
            "add_prefix",
            "ends in `/`; what is left of the path begins with one",
        ));
    }
    let Some(rewrite) = document.rewrite_path.take() else {
        let is_there = strip.is_some() || add.is_some();
        return Ok(is_there.then_some(PathChange::Prefix { strip, add }));
    };
    if strip.is_some() || add.is_some() {
        return Err(Refusal::at(
            "rewrite_path",
            "cannot stand beside `strip_prefix` and `add_prefix`",
        ));
    }
    let pattern = pattern("rewrite_path.regex", &rewrite.regex, Pattern::regex)?;
    check::text("rewrite_path.to", &rewrite.to, limits::PATH_BYTES)?;
    let to = Template::parse(&rewrite.to, &pattern)
        .map_err(|sentence| Refusal::at("rewrite_path.to", sentence))?;
    Ok(Some(PathChange::Pattern { pattern, to }))
}

fn authority(text: Box<str>) -> Result<Box<str>, Refusal> {
    if host::is_host(&text) {
        Ok(text)
    } else {
        Err(Refusal::at(
            "rewrite_host",
            format!("`{text}` is no host with perhaps a port"),
        ))
    }
}

fn edits(label: &str, document: Option<HeaderEditsDocument>) -> Result<HeaderEdits, Refusal> {
    let document = document.unwrap_or_default();
    for (at, name) in document.remove.iter().enumerate() {
        field_name(&format!("{label}.remove[{at}]"), name)?;
    }
    check::count(
        format!("{label}.remove"),
        document.remove.len(),
        limits::HEADER_EDITS,
    )?;
    Ok(HeaderEdits {
        remove: document.remove,
        set: fields(&format!("{label}.set"), document.set)?,
        add: fields(&format!("{label}.add"), document.add)?,
    })
}

fn fields(label: &str, documents: Vec<FieldDocument>) -> Result<Vec<Field>, Refusal> {
    check::count(label, documents.len(), limits::HEADER_EDITS)?;
    let fields = documents.into_iter().enumerate().map(|(at, FieldDocument { name, value })| {
        field_name(&format!("{label}[{at}].name"), &name)?;
        let is_value = value.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control());
        if !is_value || value.trim() != &*value || value.len() > limits::HEADER_BYTES {
            let sentence = format!(
                "is no header's value: {} bytes at most, no control characters, no spaces around it",
                limits::HEADER_BYTES
            );
            return Err(Refusal::at(format!("{label}[{at}].value"), sentence));
        }
        Ok((name, value))
    });
    fields.collect()
}

fn field_name(path: &str, name: &str) -> Result<(), Refusal> {
    header_name(path, name)?;
    if RESERVED.contains(&Known::of(name.as_bytes())) {
        let sentence = format!("`{name}` frames or routes the message, or is the mesh's own");
        return Err(Refusal::at(path, sentence));
    }
    debug_assert!(syntax::is_token(name.as_bytes()));
    Ok(())
}

/// When a route's requests are sent again.
pub(super) fn retries(document: RetriesDocument) -> Result<RetryPolicy, Refusal> {
    check::range("attempts", document.attempts, 0, limits::RETRIES)?;
    let backoff = document
        .backoff_ms
        .unwrap_or(BackoffDocument { base: 25, max: 250 });
    check::range("backoff_ms.base", backoff.base, 0, limits::TIMEOUT_MS)?;
    check::range(
        "backoff_ms.max",
        backoff.max,
        backoff.base,
        limits::TIMEOUT_MS,
    )?;
    let budget = document.budget.unwrap_or(BudgetDocument {
        percent: 20,
        per_second: 10,
    });
    check::range("budget.percent", budget.percent, 0, limits::RETRY_PERCENT)?;
    check::range(
        "budget.per_second",
        budget.per_second,
        0,
        limits::RETRIES_A_SECOND,
    )?;
    let per_try_ms = document.per_try_timeout_ms.unwrap_or(0);
    Ok(RetryPolicy {
        attempts: document.attempts as u32,
        on: retry_on(document.on)?,
        per_try_timeout: check::optional_timeout("per_try_timeout_ms", per_try_ms)?,
        backoff_base: Duration::from_millis(backoff.base),
        backoff_max: Duration::from_millis(backoff.max),
        non_idempotent: document.non_idempotent,
        budget: Arc::new(RetryBudget::new(
            budget.percent as u32,
            budget.per_second as u32,
        )),
    })
}

fn retry_on(names: Option<Vec<Box<str>>>) -> Result<RetryOn, Refusal> {
    let mut on = RetryOn::default();
    let Some(names) = names else {
        return Ok(RetryOn {
            connect: true,
            reset: true,
            ..on
        });
    };
    check::count("on", names.len(), limits::RETRY_STATUSES)?;
    for (at, name) in names.iter().enumerate() {
        match &**name {
            "connect" => on.connect = true,
            "reset" => on.reset = true,
            "timeout" => on.timeout = true,
            "5xx" => on.statuses.push(500..=599),
            status => {
                let status = status
                    .parse::<u16>()
                    .ok()
                    .filter(|status| (400..=599).contains(status));
                let Some(status) = status else {
                    let sentence = format!(
                        "is `{name}`, not `connect`, `reset`, `timeout`, `5xx` or a status from 400 to 599"
                    );
                    return Err(Refusal::at(format!("on[{at}]"), sentence));
                };
                on.statuses.push(status..=status);
            }
        }
    }
    Ok(on)
}
