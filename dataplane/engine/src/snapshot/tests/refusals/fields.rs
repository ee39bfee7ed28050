//! Fields that nobody knows, and fields that are missing.

use serde_json::{Value, json};

use super::{FULL, refusal};
use crate::snapshot::Snapshot;

/// What may be left out of a resource.
const OPTIONAL: [&str; 57] = [
    "/settings/node/trusted_proxies",
    "/settings/node/trusted_clients",
    "/settings/node/strict_paths",
    "/settings/node/https_port",
    "/settings/node/limits",
    "/listeners/websecure/identity",
    "/listeners/websecure/tls",
    "/listeners/websecure/tls/policy",
    "/routes/shop/https",
    "/routes/shop/https/redirect",
    "/routes/shop/https/hsts_max_age_s",
    "/tls/shop.example/policy",
    "/tls/shop.example/client_certificates",
    "/listeners/edge/identity",
    "/listeners/mesh/identity",
    "/listeners/web/proof",
    "/listeners/web/owners",
    "/listeners/web/uids",
    "/routes/shop/timeout_ms",
    "/routes/shop/strip_prefix",
    "/routes/beta/priority",
    "/routes/beta/methods",
    "/routes/beta/headers",
    "/routes/beta/query",
    "/routes/beta/cookies",
    "/routes/beta/client_addresses",
    "/routes/beta/sources",
    "/routes/beta/strip_prefix",
    "/routes/beta/add_prefix",
    "/routes/beta/rewrite_host",
    "/routes/beta/request_headers",
    "/routes/beta/response_headers",
    "/routes/beta/timeout_ms",
    "/routes/beta/head_timeout_ms",
    "/routes/beta/idle_timeout_ms",
    "/routes/beta/retries",
    "/routes/beta/headers/1/negated",
    "/routes/beta/retries/on",
    "/routes/beta/retries/per_try_timeout_ms",
    "/routes/beta/retries/backoff_ms",
    "/routes/beta/retries/budget",
    "/routes/beta/retries/non_idempotent",
    "/routes/beta/request_headers/set",
    "/routes/beta/request_headers/add",
    "/routes/beta/request_headers/remove",
    "/routes/gone/action/answer/body",
    "/routes/gone/action/answer/content_type",
    "/routes/moved/action/redirect/path",
    "/routes/moved/action/redirect/query",
    "/clusters/cart/tls",
    "/clusters/cart/tls/authorities_pem",
    "/services/cart/tls",
    "/listeners/web:cart/destination",
    "/clusters/cart/limits",
    "/services/cart/limits",
    "/routes/beta/limits",
    "/routes/beta/body_bytes",
];

/// What is looked at field by field.
const PARENTS: [&str; 28] = [
    "/settings/node",
    "/listeners/edge",
    "/listeners/mesh",
    "/listeners/web",
    "/listeners/websecure",
    "/listeners/websecure/tls",
    "/routes/shop",
    "/routes/shop/https",
    "/tls/shop.example",
    "/tls/shop.example/client_certificates",
    "/routes/shop/action/split/0",
    "/routes/old/action/redirect",
    "/routes/beta",
    "/routes/beta/headers/1",
    "/routes/beta/retries",
    "/routes/beta/retries/budget",
    "/routes/beta/request_headers",
    "/routes/beta/request_headers/set/0",
    "/routes/gone/action/answer",
    "/routes/moved/action/redirect",
    "/routes/calls/rewrite_path",
    "/clusters/cart",
    "/clusters/cart/endpoints/0",
    "/clusters/cart/tls",
    "/services/cart",
    "/services/cart/instances/0",
    "/intentions/cart",
    "/intentions/cart/rules/0",
];

#[test]
fn unknown_fields_are_refused_everywhere() {
    for parent in [
        "",
        "/resources",
        "/resources/settings/node",
        "/resources/settings/node/limits",
        "/resources/listeners/web",
        "/resources/routes/shop",
        "/resources/routes/shop/path",
        "/resources/routes/shop/action",
        "/resources/routes/shop/action/split/0",
        "/resources/routes/old/action/redirect",
        "/resources/clusters/cart",
        "/resources/clusters/cart/limits",
        "/resources/clusters/cart/endpoints/0",
        "/resources/services/cart",
        "/resources/services/cart/instances/0",
        "/resources/intentions/cart",
        "/resources/intentions/cart/rules/0",
    ] {
        let (path, sentence) = refusal(|document| {
            let parent = document
                .pointer_mut(parent)
                .unwrap()
                .as_object_mut()
                .unwrap();
            parent.insert("wonder".to_owned(), json!({}));
        });
        assert!(
            sentence.contains("unknown field `wonder`"),
            "{path}: {sentence}"
        );
    }
}

#[test]
fn missing_fields_are_refused_but_those_that_may_be_left_out() {
    for parent in PARENTS {
        let document: Value = serde_json::from_slice(FULL).unwrap();
        let fields = document.pointer(&format!("/resources{parent}")).unwrap();
        for field in fields.as_object().unwrap().keys() {
            let mut document = document.clone();
            let fields = document
                .pointer_mut(&format!("/resources{parent}"))
                .unwrap();
            fields.as_object_mut().unwrap().remove(field);
            let applied = Snapshot::empty().apply(document.to_string().as_bytes());
            let at = format!("{parent}/{field}");
            assert_eq!(applied.is_ok(), OPTIONAL.contains(&&*at), "{at}");
        }
    }
}
