//! The golden documents that other rooms made: what the compiler writes comes in force here.

use meshnode_engine::identity::{Identities, IdentityDocument};
use meshnode_engine::snapshot::Snapshot;

const COMPILED: &[u8] = include_bytes!("../../../tests/golden/compiled_snapshot.json");
const COMPILED_DELTA: &[u8] = include_bytes!("../../../tests/golden/compiled_delta.json");
const IDENTITY: &[u8] = include_bytes!("../../../tests/golden/identity.json");

#[test]
fn what_the_compiler_makes_comes_in_force() {
    let full = Snapshot::empty().apply(COMPILED).unwrap();
    assert!(full.routes().count() > 0 && !full.listeners.is_empty() && !full.clusters.is_empty());
    let after = full.apply(COMPILED_DELTA).unwrap();
    assert_eq!(after.generation, full.generation + 1);
    let written: serde_json::Value = serde_json::from_slice(&full.to_json()).unwrap();
    assert_eq!(
        written,
        serde_json::from_slice::<serde_json::Value>(COMPILED).unwrap()
    );
}

#[test]
fn whom_instances_have_to_prove_to_be_comes_in_force() {
    let full = Snapshot::empty().apply(COMPILED).unwrap();
    let after = full.apply(COMPILED_DELTA).unwrap();
    // Name, and of how many authorities; none: of those the machine believes.
    let told = |snapshot: &Snapshot, name: &str| {
        let here = snapshot.services.get(name).map(|found| found.tls.clone());
        let called = snapshot.clusters.get(name).unwrap().tls.clone();
        assert!(here.is_none_or(|here| here == called), "{name}");
        let tls = called?;
        let authorities = tls.authorities.as_ref().map(Vec::len);
        Some((tls.server_name.to_str().into_owned(), authorities))
    };
    let named = |name: &str, authorities| Some((name.to_owned(), authorities));
    assert_eq!(told(&full, "web"), named("web.internal", Some(1)));
    assert_eq!(told(&full, "legacy"), named("legacy.internal", None));
    assert_eq!(told(&full, "cart"), None);
    assert_eq!(told(&after, "web"), named("10.0.0.11", None));
    assert_eq!(told(&after, "legacy"), None);
}

#[test]
fn the_golden_identity_is_taken() {
    let document: IdentityDocument = serde_json::from_slice(IDENTITY).unwrap();
    let identity = Identities::default().put(&document).unwrap();
    assert_eq!(&*identity.name, "web");
}
