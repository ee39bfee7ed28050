//! Each rule of the document broken once: the path and the sentence, and that nothing came of it.

use serde_json::{Map, Value, json};

use super::{FULL, golden};
use crate::snapshot::{Refusal, Snapshot, limits};

/// The path and sentence with which the golden document is refused after `change`.
fn refusal(change: impl FnOnce(&mut Value)) -> (String, String) {
    let mut document: Value = serde_json::from_slice(FULL).unwrap();
    change(&mut document);
    refusal_of(document.to_string().as_bytes())
}

fn refusal_of(document: &[u8]) -> (String, String) {
    match golden().apply(document) {
        Err(Refusal::Invalid { path, sentence }) => (path, sentence),
        other => panic!(
            "not refused: {:?}",
            other.map(|snapshot| snapshot.generation)
        ),
    }
}

/// Puts `value` at `pointer` in the resources and expects a refusal there.
fn check(pointer: &str, value: Value, path: &str, sentence: &str) {
    let (at, why) = refusal(|document| {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = document
            .pointer_mut(&format!("/resources{parent}"))
            .unwrap();
        match parent {
            Value::Array(entries) => entries[field.parse::<usize>().unwrap()] = value,
            other => drop(
                other
                    .as_object_mut()
                    .unwrap()
                    .insert(field.to_owned(), value),
            ),
        }
    });
    assert_eq!(at, path, "{pointer}: {why}");
    assert!(
        why.contains(sentence),
        "{pointer}: {why:?} does not say {sentence:?}"
    );
}

#[test]
fn documents_that_are_none_are_refused() {
    let check = |document: &[u8], path: &str, sentence: &str| {
        let (at, why) = refusal_of(document);
        assert_eq!((at.as_str(), why.contains(sentence)), (path, true), "{why}");
    };
    check(b"", "", "EOF");
    check(b"nonsense", "", "expected");
    check(b"[]", "", "invalid length 0");
    check(b"\xff\xfe", "", "expected value");
    check(
        b"{\"schema\":2,\"kind\":\"full\",\"wonder\":[]}",
        "schema",
        "is 2, and this proxy reads 1",
    );
    check(
        br#"{"schema":1,"kind":"half","generation":1,"digest":"d"}"#,
        "kind",
        "unknown variant",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1}"#,
        "",
        "missing field `digest`",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d"}"#,
        "resources",
        "needs them",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":-1,"digest":"d"}"#,
        "generation",
        "invalid value",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"","resources":{}}"#,
        "digest",
        "empty",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d","base":"b","resources":{}}"#,
        "base",
        "only a delta has it",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d","resources":{}}"#,
        "settings.node",
        "needs the node's settings",
    );
    check(
        br#"{"schema":1,"kind":"delta","generation":1,"digest":"d"}"#,
        "base",
        "needs the digest",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d","resources":{"routes":{"a":1,"a":2}}}"#,
        "resources.routes",
        "`a` stands there twice",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d","resources":{"middlewares":{}}}"#,
        "resources.middlewares",
        "unknown field",
    );
    let (_, why) = refusal_of(&[FULL, b"{}"].concat());
    assert!(why.contains("trailing characters"), "{why}");
    let (_, why) = refusal_of(&FULL[..FULL.len() / 2]);
    assert!(why.contains("EOF"), "{why}");
    refusal_of(&[b"[".repeat(100_000), b"]".repeat(100_000)].concat());
}

#[test]
fn nesting_and_size_are_bounded() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let base = &golden().digest;
    let document = format!(
        r#"{{"schema":1,"kind":"delta","base":"{base}","generation":1,"digest":"d","set":{{"routes":{{"a":{deep}}}}}}}"#
    );
    assert_eq!(refusal_of(document.as_bytes()).0, "routes.a[0]");
    let huge = vec![b' '; limits::DOCUMENT_BYTES + 1];
    assert!(refusal_of(&huge).1.contains("over 67108864"));
    let long = "x".repeat(1 << 20);
    let (path, sentence) = refusal(|document| document["resources"]["routes"][&long] = Value::Null);
    assert!(path.len() + sentence.len() < 3 * limits::REFUSAL_BYTES);
}

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

/// What may be left out of a resource, beside what stands in the test.
const OPTIONAL: [&str; 5] = [
    "/listeners/web:cart/destination",
    "/clusters/cart/limits",
    "/services/cart/limits",
    "/routes/beta/limits",
    "/routes/beta/body_bytes",
];

#[test]
fn missing_fields_are_refused_but_those_that_may_be_left_out() {
    let may_be_left_out = [
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
    ];
    for parent in [
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
        "/services/cart",
        "/services/cart/instances/0",
        "/intentions/cart",
        "/intentions/cart/rules/0",
    ] {
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
            assert_eq!(
                applied.is_ok(),
                may_be_left_out
                    .iter()
                    .chain(&OPTIONAL)
                    .any(|one| *one == at),
                "{at}"
            );
        }
    }
}

#[test]
fn a_value_that_breaks_a_rule_is_refused_where_it_stands() {
    let cases = include_str!("refusals.txt").lines();
    let cases = cases.filter(|line| !line.is_empty() && !line.starts_with('#'));
    for case in cases {
        let parts: Vec<&str> = case.split(" | ").map(str::trim).collect();
        let [pointer, value, path, sentence] = parts[..] else {
            panic!("no case: {case}");
        };
        check(
            pointer,
            serde_json::from_str(value).expect(case),
            path,
            sentence,
        );
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let host = "a".repeat(254);
    check(
        "/routes/shop/hosts/0",
        host.into(),
        "routes.shop.hosts[0]",
        "over 253",
    );
    let path = json!({"prefix": format!("/{}", "a".repeat(2048))});
    check(
        "/routes/shop/path",
        path,
        "routes.shop.path.prefix",
        "over 2048",
    );
    let split = json!({"split": vec![json!({"cluster": "cart", "weight": 1}); 65]});
    check(
        "/routes/shop/action",
        split,
        "routes.shop.action.split",
        "65 entries, over 64",
    );
    for (limits, at, sentence) in [
        (json!({}), "", "needs one of"),
        (json!({"per": "client"}), "", "needs one of"),
        (
            json!({"burst": 3, "concurrent": 1}),
            ".burst",
            "is nothing without",
        ),
        (
            json!({"requests_per_second": 0}),
            ".requests_per_second",
            "not from 1 to 1000000",
        ),
        (
            json!({"concurrent": 1_000_001}),
            ".concurrent",
            "not from 1 to 1000000",
        ),
        (
            json!({"requests_per_second": 1, "burst": 0}),
            ".burst",
            "not from 1 to 1000000",
        ),
        (
            json!({"concurrent": 1, "per": "user"}),
            ".per",
            "unknown variant",
        ),
    ] {
        for resource in ["clusters/cart", "services/cart", "routes/beta"] {
            let pointer = format!("/{resource}/limits");
            let path = format!("{}.limits{at}", resource.replace('/', "."));
            check(&pointer, limits.clone(), &path, sentence);
        }
    }
    let large = json!((1_u64 << 40) + 1);
    for (pointer, path) in [
        (
            "/settings/node/limits/body_bytes",
            "settings.node.limits.body_bytes",
        ),
        ("/routes/shop/body_bytes", "routes.shop.body_bytes"),
    ] {
        check(pointer, large.clone(), path, "not from 0 to 1099511627776");
    }
    for (name, sentence) in [
        ("a b", "has ` ` in it"),
        ("", "may not be empty"),
        ("cart\r\nx: y", "control character"),
        (&*"x".repeat(249), "over 248"),
    ] {
        let at = "/listeners/web:cart/destination";
        let path = "listeners.web:cart.destination";
        check(at, name.into(), path, sentence);
    }
    let uids = json!(vec![1; 257]);
    check(
        "/listeners/web/uids",
        uids,
        "listeners.web.uids",
        "over 256",
    );
    let node = "x".repeat(513);
    let at = "clusters.cart.endpoints[0].node";
    check(
        "/clusters/cart/endpoints/0/node",
        node.into(),
        at,
        "over 512",
    );
    let addresses = json!(vec!["1.1.1.1:1"; 17]);
    let at = "services.cart.instances[0].addresses";
    check(
        "/services/cart/instances/0/addresses",
        addresses,
        at,
        "over 16",
    );
}

#[test]
fn a_cluster_that_a_route_needs_cannot_go() {
    let (path, sentence) = refusal(|document| {
        document["resources"]["clusters"]
            .as_object_mut()
            .unwrap()
            .remove("cart-next");
    });
    assert_eq!(path, "routes.shop.action.split[1].cluster");
    assert_eq!(sentence, "there is no cluster `cart-next` in the snapshot");
}

#[test]
fn listeners_may_have_the_same_address_where_the_system_chooses_the_port() {
    let mut document: Value = serde_json::from_slice(FULL).unwrap();
    for name in ["edge", "mesh", "web", "web:cart"] {
        document["resources"]["listeners"][name]["address"] = "127.0.0.1:0".into();
    }
    assert!(golden().apply(document.to_string().as_bytes()).is_ok());
}

#[test]
fn a_delta_is_refused_where_it_is_wrong() {
    let check = |fields: Value, path: &str, sentence: &str| {
        let mut delta = json!({"schema": 1, "kind": "delta", "generation": 8, "digest": "d"});
        delta["base"] = (*golden().digest).into();
        let Value::Object(fields) = fields else {
            unreachable!()
        };
        delta.as_object_mut().unwrap().extend(fields);
        let (at, why) = refusal_of(delta.to_string().as_bytes());
        assert_eq!(
            (at.as_str(), why.contains(sentence)),
            (path, true),
            "{at}: {why}"
        );
    };
    let shop = json!({"routes": {"shop": Map::new()}});
    check(
        json!({"set": shop, "remove": {"routes": ["shop"]}}),
        "remove.routes",
        "`shop` is set as well",
    );
    check(
        json!({"remove": {"settings": ["node"]}}),
        "settings.node",
        "needs the node's settings",
    );
    check(
        json!({"remove": {"clusters": ["web"]}}),
        "routes.team/all.action.split[0].cluster",
        "no cluster",
    );
    check(
        json!({"remove": {"clusters": "web"}}),
        "remove.clusters",
        "invalid type",
    );
    check(
        json!({"resources": {}}),
        "resources",
        "only a full snapshot",
    );
    check(
        json!({"set": {"routes": {"new": 1}}}),
        "routes.new",
        "invalid type",
    );
}

#[test]
fn tls_settings_are_checked() {
    let host = "tls.shop.example";
    let at = |field: &str| format!("/tls/shop.example/{field}");
    let check = |field: &str, value: Value, path: &str, sentence: &str| {
        check(&at(field), value, &format!("{host}{path}"), sentence);
    };
    check("key", json!(""), ".key", "empty");
    check("policy", json!("old"), ".policy", "unknown variant");
    check("closed", json!(""), ".closed", "empty");
    let clients = |mode: &str, pem: &str| json!({"mode": mode, "authorities_pem": pem});
    let field = "client_certificates";
    let pem = ".client_certificates.authorities_pem";
    check(
        field,
        clients("maybe", ""),
        ".client_certificates.mode",
        "unknown variant",
    );
    check(field, clients("required", ""), pem, "holds no certificate");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check(field, clients("required", broken), pem, "is no authority");
    let torn = "-----BEGIN CERTIFICATE-----\nAAA";
    check(
        field,
        clients("required", torn),
        pem,
        "can't be read as PEM",
    );
}

#[test]
fn tls_is_for_the_edge_and_https_within_bounds() {
    let tls = || json!({"policy": "modern"});
    check(
        "/listeners/mesh/tls",
        tls(),
        "listeners.mesh.tls",
        "only an edge listener has it",
    );
    let old = json!({"policy": "tls1.0"});
    check(
        "/listeners/edge/tls",
        old,
        "listeners.edge.tls.policy",
        "unknown variant",
    );
    let long = json!({"hsts_max_age_s": limits::HSTS_S + 1});
    check(
        "/routes/shop/https",
        long,
        "routes.shop.https.hsts_max_age_s",
        "not from 0",
    );
    check(
        "/tls/Shop.Example",
        json!({"key": "k", "index": 1}),
        "tls.Shop.Example",
        "lower case",
    );
}
