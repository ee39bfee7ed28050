//! What is changed in a request on its way, and in its answer, by whom. It may not change anything.

use super::rows::{ChangeRow, Sent};
use crate::decide::Decided;
use crate::http1::RequestHead;
use crate::plan::Caller;
use crate::router::HeaderEdits;

/// The request as `out`, its head for the upstream, has it, and how it came to be so.
pub(super) fn sent(
    caller: &Caller,
    head: &RequestHead<'_>,
    decided: &Decided<'_>,
    out: &[u8],
) -> Sent {
    let text = String::from_utf8_lossy(out);
    let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
    let line = lines.next().unwrap_or_default().to_owned();
    let fields = lines.filter_map(|line| line.split_once(": "));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<(String, String)> = fields
        // It is another one each time.
        .filter(|(name, _)| name != "traceparent")
        .collect();
    let host = headers.iter().find(|(name, _)| name == "host");
    let mut changes = Vec::new();
    let target = line.split(' ').nth(1).unwrap_or_default();
    on_path(&mut changes, head, decided, target);
    on_host(
        &mut changes,
        caller,
        head,
        decided,
        host.map_or("", |(_, host)| host),
    );
    if let Some(edits) = decided.plan.changes().map(|changes| &changes.request) {
        on_fields(&mut changes, edits, Some(head));
    }
    Sent {
        line,
        changes,
        headers,
    }
}

/// What is changed in the answer.
pub(super) fn of_response(decided: &Decided<'_>) -> Vec<ChangeRow> {
    let mut changes = Vec::new();
    if let Some(edits) = decided.plan.changes().map(|changes| &changes.response) {
        on_fields(&mut changes, edits, None);
    }
    changes
}

fn on_path(changes: &mut Vec<ChangeRow>, head: &RequestHead<'_>, decided: &Decided<'_>, to: &str) {
    let query = decided.query.map(|query| format!("?{query}"));
    let normal = format!("{}{}", decided.path, query.unwrap_or_default());
    push(changes, "path", head.path_and_query, &normal, "normal form");
    let path = decided
        .plan
        .changes()
        .and_then(|changes| changes.path.as_ref());
    push(
        changes,
        "path",
        &normal,
        to,
        path.map_or("", |path| path.label()),
    );
}

fn on_host(
    changes: &mut Vec<ChangeRow>,
    caller: &Caller,
    head: &RequestHead<'_>,
    decided: &Decided<'_>,
    to: &str,
) {
    let normal = decided.host.authority(head.host);
    let by = caller
        .host
        .as_ref()
        .map_or("normal form", |_| "destination");
    push(changes, "host", head.host, &normal, by);
    push(changes, "host", &normal, to, "rewrite_host");
}

fn push(changes: &mut Vec<ChangeRow>, what: &'static str, from: &str, to: &str, by: &'static str) {
    if from != to {
        changes.push(ChangeRow {
            what: what.into(),
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
            by,
        });
    }
}

/// What is done to fields; of the answer nobody knows which there will be.
fn on_fields(changes: &mut Vec<ChangeRow>, edits: &HeaderEdits, head: Option<&RequestHead<'_>>) {
    let (remove, set, add) = if head.is_some() {
        (
            "request_headers.remove",
            "request_headers.set",
            "request_headers.add",
        )
    } else {
        (
            "response_headers.remove",
            "response_headers.set",
            "response_headers.add",
        )
    };
    let before = |name: &str| {
        let mut fields = head?.headers.iter();
        let field = fields.find(|field| field.name().eq_ignore_ascii_case(name.as_bytes()))?;
        Some(String::from_utf8_lossy(field.value()).into_owned())
    };
    let mut change = |name: &str, from, to: Option<&str>, by| {
        changes.push(ChangeRow {
            what: format!("header {name}").into(),
            from,
            to: to.map(str::to_owned),
            by,
        });
    };
    for name in &edits.remove {
        let from = before(name);
        if head.is_none() || from.is_some() {
            change(name, from, None, remove);
        }
    }
    for (name, value) in &edits.set {
        change(name, before(name), Some(value), set);
    }
    for (name, value) in &edits.add {
        change(name, None, Some(value), add);
    }
}
