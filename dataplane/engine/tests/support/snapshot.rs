//! Snapshots for tests: a node's settings, and what the test is about.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// A full snapshot with these listeners.
pub fn with_listeners(listeners: &Value) -> Vec<u8> {
    with(&json!({ "listeners": listeners }))
}

/// A full snapshot with these collections; the node's settings are added, or amended by `limits`.
pub fn with(collections: &Value) -> Vec<u8> {
    let mut resources = json!({ "settings": { "node": {
        "node": "node-1", "datacenter": "dc1", "trust_domain": super::ca::TRUST_DOMAIN,
        "intention_default": "allow", "trace_ratio": 1.0, "trusted_proxies": [], "limits": {},
    } } });
    for (name, collection) in collections.as_object().unwrap() {
        if name == "limits" {
            resources["settings"]["node"]["limits"] = collection.clone();
        } else {
            resources[name] = collection.clone();
        }
    }
    let document = json!({
        "schema": 1, "kind": "full", "generation": 1, "digest": "sha256:1", "resources": resources,
    });
    document.to_string().into_bytes()
}

/// An edge listener that opens at once.
pub fn edge(address: &str) -> Value {
    json!({ "kind": "edge", "address": address, "identity": null })
}

/// The outbound listener of `service`, whose callers are known by the port.
pub fn outbound(address: &str, service: &str) -> Value {
    json!({
        "kind": "outbound", "address": address, "identity": service, "service": service,
        "proof": "port", "owners": [], "uids": [],
    })
}

/// An address nobody listens on, this moment.
pub fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
