//! The answer's JSON. It may not decide anything.

use std::borrow::Cow;

use serde::Serialize;

use crate::router::Route;

#[derive(Debug, Serialize)]
pub(super) struct Explained<'a> {
    pub generation: u64,
    pub digest: Option<&'a str>,
    pub answers: Vec<Answer>,
}

/// What becomes of one request.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answer {
    pub route: Option<RouteRow>,
    pub considered: Vec<Considered>,
    pub routes: usize,
    /// What decides what a connection of its listener speaks, where that is found out.
    pub detection: Option<String>,
    pub normal: Option<Normal>,
    pub request: Option<Sent>,
    pub response_changes: Vec<ChangeRow>,
    pub split: Vec<Part>,
    pub cluster: Option<String>,
    pub destination: Option<String>,
    pub endpoints: Vec<EndpointRow>,
    pub limits: Vec<String>,
    pub intention: Option<Intention>,
    #[serde(rename = "answer")]
    pub own: Option<Own>,
}

#[derive(Debug, Serialize)]
pub(super) struct RouteRow {
    pub name: String,
    pub key: String,
    pub index: u64,
    pub pattern: String,
}

impl RouteRow {
    pub fn of(route: &Route) -> Self {
        Self {
            name: route.name.to_string(),
            key: route.key.to_string(),
            index: route.index,
            pattern: route.pattern.to_string(),
        }
    }
}

/// A route that lost, and why.
#[derive(Debug, Serialize)]
pub(super) struct Considered {
    #[serde(flatten)]
    pub route: RouteRow,
    pub code: &'static str,
    pub sentence: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Normal {
    pub host: String,
    pub path: String,
}

/// The request as it is sent on.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    pub line: String,
    pub changes: Vec<ChangeRow>,
    pub headers: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
pub(super) struct ChangeRow {
    pub what: Cow<'static, str>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub by: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Part {
    pub cluster: String,
    pub weight: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct EndpointRow {
    pub id: String,
    pub node: String,
    pub address: Option<String>,
    pub via: &'static str,
    pub is_usable: bool,
    pub code: Option<&'static str>,
    pub sentence: Option<&'static str>,
}

/// Who says whether the call may go on, and what.
#[derive(Debug, Serialize)]
pub(super) struct Intention {
    pub name: Option<String>,
    pub is_allowed: Option<bool>,
    pub decided_by: Option<String>,
    pub sentence: String,
}

/// An answer of the mesh's own.
#[derive(Debug, Serialize)]
pub(super) struct Own {
    pub status: u16,
    pub reason: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}
