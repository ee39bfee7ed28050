//! Any bytes as a snapshot document, put on nothing and on the golden one: refused, or in force and whole.
#![no_main]

use std::sync::OnceLock;

use meshnode_engine::router::{Asked, HostMatch, PathMatch, Route, Router};
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
    let again = Snapshot::empty()
        .apply(&written)
        .expect("what was in force comes in force again");
    assert_eq!(again.to_json(), written);
    for route in snapshot.routes() {
        for host in &route.hosts {
            check_route(&snapshot.router, &again.router, route, host);
        }
    }
    for destination in snapshot.clusters.values() {
        snapshot.authorizer.decide("web", &destination.service);
    }
}

/// What a route takes is taken, by it or by one before it; both routers say the same.
fn check_route(router: &Router, again: &Router, route: &Route, host: &HostMatch) {
    let host = match host {
        HostMatch::Exact(host) => host.to_string(),
        HostMatch::Wildcard(suffix) => format!("x.{suffix}"),
        HostMatch::Any => String::new(),
    };
    let path = match &route.path {
        PathMatch::Prefix(path) | PathMatch::Exact(path) => path,
        PathMatch::Pattern(pattern) => pattern.as_str(),
    };
    let asked = Asked::get(&host, path);
    let found = router.find(&asked);
    assert_eq!(found, again.find(&asked));
    if let Some(found) = found {
        assert_eq!(
            found.missed(&asked),
            None,
            "{} takes what it does not take",
            found.name
        );
    }
    if route.missed(&asked).is_none() {
        assert!(found.is_some(), "nothing takes what {} takes", route.name);
    }
    if let Some(change) = route
        .changes
        .as_deref()
        .and_then(|changes| changes.path.as_ref())
    {
        let _ = change.apply(path);
    }
}
