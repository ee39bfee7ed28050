//! Any bytes as a snapshot document, put on nothing and on the golden one: refused, or in force and whole.
#![no_main]

use std::sync::OnceLock;

use meshnode_engine::router::HostMatch;
use meshnode_engine::snapshot::{Refusal, Snapshot};

static GOLDEN: OnceLock<Snapshot> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let full = include_bytes!("../../../tests/golden/snapshot_full.json");
    let golden = GOLDEN.get_or_init(|| Snapshot::empty().apply(full).unwrap());
    for base in [&Snapshot::empty(), golden] {
        match base.apply(input) {
            Ok(snapshot) => check(&snapshot),
            Err(Refusal::Invalid { path, sentence }) => {
                assert!(!sentence.is_empty() && path.len() + sentence.len() < 2000);
            }
            Err(Refusal::BaseNotInForce { digest }) => assert_eq!(digest, base.digest),
        }
    }
});

fn check(snapshot: &Snapshot) {
    let written = snapshot.to_json();
    let again = Snapshot::empty().apply(&written).expect("what was in force comes in force again");
    assert_eq!(again.to_json(), written);
    for route in snapshot.routes() {
        let host = match &route.host {
            HostMatch::Exact(host) => host.to_string(),
            HostMatch::Wildcard(suffix) => format!("x.{suffix}"),
            HostMatch::Any => String::new(),
        };
        let found = snapshot.router.find(&host, route.path.as_str());
        assert_eq!(found, again.router.find(&host, route.path.as_str()));
        assert!(found.is_some(), "nothing takes what {} takes", route.name);
        route.forwarded_path(route.path.as_str());
        route.redirect_location("//evil.example/?a");
    }
    for destination in snapshot.clusters.values() {
        snapshot.authorizer.decide("web", &destination.service);
    }
}
