//! TLS: of hosts at the edge, of listeners, and of routes that ask for https.

use serde_json::{Value, json};

use super::check;
use crate::snapshot::limits;

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
