//! What `PUT /v1/identities` takes and refuses, and that no key ever shows.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use meshnode_engine::identity::{Identities, IdentityDocument};
use support::ca::{Authority, self_signed, set_validity, spiffe};

/// A change to a good document, and a part of the sentence that refuses it.
type Mistake = (fn(&mut IdentityDocument, &Authority), &'static str);

const MISTAKES: &[Mistake] = &[
    (
        |d, _| "billing".clone_into(&mut d.name),
        "has the SPIFFE id of \"web\"",
    ),
    (
        |d, _| "web".clone_into(&mut d.spiffe_id),
        "has to begin with spiffe://",
    ),
    (
        |d, _| (d.name, d.spiffe_id) = ("billing".to_owned(), spiffe("billing")),
        "speaks for spiffe://",
    ),
    (
        |d, _| d.certificate_chain_pem.clear(),
        "certificate_chain_pem holds no certificate",
    ),
    (
        |d, _| d.certificate_chain_pem.truncate(200),
        "certificate_chain_pem",
    ),
    (
        |d, _| d.certificate_chain_pem = d.certificate_chain_pem.repeat(9),
        "more than 8",
    ),
    (
        |d, _| d.certificate_chain_pem = d.certificate_chain_pem.replace('M', "!"),
        "as PEM",
    ),
    (|d, _| d.roots_pem.clear(), "roots_pem holds no certificate"),
    (|d, _| d.roots_pem = d.roots_pem.repeat(17), "more than 16"),
    (
        |d, _| d.roots_pem = d.certificate_chain_pem.clone(),
        "not the certificate of an authority",
    ),
    (
        |d, _| d.roots_pem = Authority::new().root_pem(),
        "not signed by a root",
    ),
    (
        |d, _| d.private_key_pem.clear(),
        "private_key_pem holds no key",
    ),
    (
        |d, _| d.private_key_pem = d.roots_pem.clone(),
        "private_key_pem holds no key",
    ),
    (
        |d, authority| d.private_key_pem = authority.leaf("web", |_| {}).key_pem,
        "is not the key of the leaf",
    ),
    (|d, _| d.not_after_unix_s += 1, "not_after_unix_s says"),
    (
        |d, _| d.certificate_chain_pem = self_signed("web").chain_pem,
        "not signed by a root",
    ),
    (
        |d, authority| {
            let leaf = authority.leaf("web", |p| p.extended_key_usages.truncate(1));
            (d.certificate_chain_pem, d.private_key_pem) = (leaf.chain_pem, leaf.key_pem);
        },
        "certificate",
    ),
];

#[test]
fn a_document_whose_parts_do_not_fit_is_refused_and_the_old_one_stays() {
    let authority = Authority::new();
    let identities = Identities::default();
    identities.put(&authority.document("web")).unwrap();
    let before = identities.get("web").unwrap();
    for (number, (change, wanted)) in MISTAKES.iter().enumerate() {
        let mut document = authority.document("web");
        change(&mut document, &authority);
        let sentence = identities.put(&document).map(|_| ()).unwrap_err();
        assert!(sentence.contains(wanted), "mistake {number}: {sentence}");
        assert!(!sentence.contains('\n'), "mistake {number}: {sentence}");
    }
    assert!(std::sync::Arc::ptr_eq(
        &before,
        &identities.get("web").unwrap()
    ));
    assert_eq!(identities.names(), ["web".into()]);
}

#[test]
fn an_expired_or_early_identity_is_taken_because_the_clock_may_be_wrong() {
    let authority = Authority::new();
    let identities = Identities::default();
    for (begin, end) in [(-3600, -60), (60, 3600)] {
        let leaf = authority.leaf("web", |p| set_validity(p, begin, end));
        identities.put(&authority.document_of("web", leaf)).unwrap();
    }
}

#[test]
fn each_change_is_told() {
    let authority = Authority::new();
    let identities = Identities::default();
    let mut changes = identities.changes();
    let mut is_told = || {
        let is_told = changes.has_changed().unwrap();
        changes.mark_unchanged();
        is_told
    };
    identities.put(&authority.document("web")).unwrap();
    assert!(is_told());
    assert!(!identities.remove("cart") && !is_told());
    assert!(identities.remove("web") && is_told());
    assert!(identities.get("web").is_none() && identities.names().is_empty());
}

#[test]
fn two_services_can_not_have_one_server_name() {
    let authority = Authority::new();
    let identities = Identities::default();
    identities.put(&authority.document("web")).unwrap();
    let sentence = identities
        .put(&authority.document("WEB"))
        .map(|_| ())
        .unwrap_err();
    assert!(sentence.contains("same server name"), "{sentence}");
    assert_eq!(identities.names(), ["web".into()]);
}

#[test]
fn a_key_never_shows() {
    let authority = Authority::new();
    let document = authority.document("web");
    let identity = Identities::default().put(&document).unwrap();
    let shown = format!("{document:?} {document:#?} {identity:?} {identity:#?}");
    assert!(shown.contains("web"));
    for line in document.private_key_pem.lines() {
        assert!(!shown.contains(line));
    }
    let half = &document.private_key_pem[..document.private_key_pem.len() / 2];
    let mut broken = document.clone();
    broken.private_key_pem = half.to_owned();
    let sentence = Identities::default().put(&broken).map(|_| ()).unwrap_err();
    assert_eq!(sentence, "private_key_pem holds no key that can be read");
}

#[test]
fn an_unknown_field_is_refused() {
    let json = r#"{"name":"web","spiffe_id":"","certificate_chain_pem":"","private_key_pem":"",
        "roots_pem":"","not_after_unix_s":0,"password":"x"}"#;
    let error = serde_json::from_str::<IdentityDocument>(json).unwrap_err();
    assert!(error.to_string().contains("password"));
}

#[test]
fn a_chain_signed_by_a_short_rsa_key_is_refused() {
    let fixture = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
        std::fs::read_to_string(format!("{folder}{name}")).unwrap()
    };
    let document = IdentityDocument {
        name: "web".to_owned(),
        spiffe_id: "spiffe://t.consul/ns/default/dc/dc1/svc/web".to_owned(),
        certificate_chain_pem: fixture("rsa1024-leaf.pem"),
        private_key_pem: fixture("rsa1024-leaf.key"),
        roots_pem: fixture("rsa1024-root.pem"),
        not_after_unix_s: 4_102_444_800,
    };
    let sentence = Identities::default()
        .put(&document)
        .map(|_| ())
        .unwrap_err();
    assert!(
        sentence.contains("not good") || sentence.contains("not signed"),
        "{sentence}"
    );
}
