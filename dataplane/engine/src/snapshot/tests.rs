//! What a document does to a snapshot, and what is refused.

use super::*;

const FULL: &[u8] = include_bytes!("../../../../tests/golden/snapshot_full.json");
const DELTA: &[u8] = include_bytes!("../../../../tests/golden/snapshot_delta.json");

#[test]
fn the_golden_documents_come_in_force() {
    let full = Snapshot::empty().apply(FULL).unwrap();
    assert_eq!(
        full.router
            .find("shop.example", "/cart/1")
            .unwrap()
            .name
            .as_ref(),
        "shop"
    );
    let delta = full.apply(DELTA).unwrap();
    assert_eq!(delta.generation, full.generation + 1);
}
