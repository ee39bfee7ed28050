//! A route's document field by field (docs/boundary.md); unknown fields are refused. It may not judge values.

use std::sync::Arc;

use serde::Deserialize;

use crate::snapshot::document::RequestLimitsDocument;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct RouteDocument {
    pub key: Arc<str>,
    pub index: u64,
    #[serde(default)]
    pub priority: i64,
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub sni: Option<Vec<Box<str>>>,
    #[serde(default)]
    pub hosts: Vec<Box<str>>,
    #[serde(default)]
    pub path: PathDocument,
    #[serde(default)]
    pub methods: Option<Vec<Box<str>>>,
    #[serde(default)]
    pub headers: Option<Vec<ConditionDocument>>,
    #[serde(default)]
    pub query: Option<Vec<ConditionDocument>>,
    #[serde(default)]
    pub cookies: Option<Vec<ConditionDocument>>,
    #[serde(default)]
    pub client_addresses: Option<Vec<String>>,
    #[serde(default)]
    pub sources: Option<Vec<Box<str>>>,
    pub action: ActionDocument,
    #[serde(default)]
    pub strip_prefix: Option<Box<str>>,
    #[serde(default)]
    pub add_prefix: Option<Box<str>>,
    #[serde(default)]
    pub rewrite_path: Option<RewriteDocument>,
    #[serde(default)]
    pub rewrite_host: Option<Box<str>>,
    #[serde(default)]
    pub request_headers: Option<HeaderEditsDocument>,
    #[serde(default)]
    pub response_headers: Option<HeaderEditsDocument>,
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    #[serde(default)]
    pub head_timeout_ms: Option<u64>,
    #[serde(default)]
    pub idle_timeout_ms: Option<u64>,
    #[serde(default)]
    pub body_bytes: Option<u64>,
    #[serde(default)]
    pub limits: Option<RequestLimitsDocument>,
    #[serde(default)]
    pub retries: Option<RetriesDocument>,
    #[serde(default)]
    pub https: Option<HttpsDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct HttpsDocument {
    #[serde(default)]
    pub redirect: bool,
    #[serde(default)]
    pub hsts_max_age_s: Option<u64>,
}

/// One of them.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(in crate::snapshot) struct PathDocument {
    pub prefix: Option<Box<str>>,
    pub exact: Option<Box<str>>,
    pub glob: Option<Box<str>>,
    pub regex: Option<Box<str>>,
}

/// A name and one of the others, perhaps negated.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct ConditionDocument {
    pub name: Box<str>,
    #[serde(default)]
    pub exact: Option<Box<str>>,
    #[serde(default)]
    pub prefix: Option<Box<str>>,
    #[serde(default)]
    pub suffix: Option<Box<str>>,
    #[serde(default)]
    pub regex: Option<Box<str>>,
    #[serde(default)]
    pub present: Option<bool>,
    #[serde(default)]
    pub negated: bool,
}

/// One of them.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(in crate::snapshot) struct ActionDocument {
    pub split: Option<Vec<WeightedClusterDocument>>,
    pub redirect: Option<RedirectDocument>,
    pub answer: Option<AnswerDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct WeightedClusterDocument {
    pub cluster: Arc<str>,
    pub weight: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct RedirectDocument {
    pub status: u16,
    pub location: Box<str>,
    #[serde(default)]
    pub path: Option<RedirectPathDocument>,
    #[serde(default)]
    pub query: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::snapshot) enum RedirectPathDocument {
    Rest,
    Whole,
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct AnswerDocument {
    pub status: u16,
    #[serde(default)]
    pub body: Option<Box<str>>,
    #[serde(default)]
    pub content_type: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct RewriteDocument {
    pub regex: Box<str>,
    pub to: Box<str>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(in crate::snapshot) struct HeaderEditsDocument {
    pub remove: Vec<Box<str>>,
    pub set: Vec<FieldDocument>,
    pub add: Vec<FieldDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct FieldDocument {
    pub name: Box<str>,
    pub value: Box<str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct RetriesDocument {
    pub attempts: u64,
    #[serde(default)]
    pub on: Option<Vec<Box<str>>>,
    #[serde(default)]
    pub per_try_timeout_ms: Option<u64>,
    #[serde(default)]
    pub backoff_ms: Option<BackoffDocument>,
    #[serde(default)]
    pub budget: Option<BudgetDocument>,
    #[serde(default)]
    pub non_idempotent: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct BackoffDocument {
    pub base: u64,
    pub max: u64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::snapshot) struct BudgetDocument {
    pub percent: u64,
    pub per_second: u64,
}
