//! What a document does to a snapshot, and what is refused.

mod property;
mod refusals;

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::error::Reason;

const FULL: &[u8] = include_bytes!("../../../../../tests/golden/snapshot_full.json");
const DELTA: &[u8] = include_bytes!("../../../../../tests/golden/snapshot_delta.json");

fn golden() -> Snapshot {
    Snapshot::empty().apply(FULL).unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn the_full_document_is_compiled_field_by_field() {
    let snapshot = golden();
    assert_eq!(snapshot.generation, 7);
    assert_eq!(&*snapshot.digest, json(FULL)["digest"].as_str().unwrap());
    let settings = &snapshot.settings;
    assert_eq!((&*settings.node, &*settings.datacenter), ("node-1", "dc1"));
    assert_eq!(
        &*settings.trust_domain,
        "1f0e8b4c-5a6d-4c21-9a3e-0d8f7b6a5c42.consul"
    );
    assert!(settings.is_allowed_by_default);
    assert!((settings.trace_ratio - 1.0).abs() < f64::EPSILON);
    assert_eq!(
        settings.limits,
        Limits::default(),
        "the document says the defaults"
    );
    assert!(settings.is_trusted_proxy("10.1.2.3".parse().unwrap()));
    assert!(settings.is_trusted_proxy("fd00::1".parse().unwrap()));
    assert!(!settings.is_trusted_proxy("11.1.2.3".parse().unwrap()));

    let web = &snapshot.listeners["web"];
    assert_eq!((web.kind, web.proof), (ListenerKind::Outbound, Proof::User));
    assert_eq!(web.address, "127.0.0.1:15001".parse().unwrap());
    assert_eq!(
        (web.identity.as_deref(), web.service.as_deref()),
        (Some("web"), Some("web"))
    );
    assert_eq!((web.owners.len(), &web.uids[..]), (1, &[1000][..]));
    assert_eq!(snapshot.listeners["mesh"].identity, None);
    assert_eq!(web.destination, None);
    let to_cart = &snapshot.listeners["web:cart"];
    assert_eq!(to_cart.destination.as_deref(), Some("cart"));

    let shop = snapshot
        .router
        .find(&Asked::get("shop.example", "/cart/1"))
        .unwrap();
    assert_eq!(
        (&*shop.name, &*shop.key, shop.index),
        ("shop", "mesh/routes/shop", 4711)
    );
    assert_eq!(
        (shop.timeout, &*shop.pattern),
        (Some(Duration::from_secs(2)), "shop.example/cart")
    );
    let cut = shop.changes.as_deref().unwrap().path.as_ref().unwrap();
    assert_eq!(
        (cut.label(), &*cut.apply("/cart/1")),
        ("strip_prefix", "/1")
    );
    let old = snapshot
        .router
        .find(&Asked::get("a.b.old.example", "/"))
        .unwrap();
    assert!(
        matches!(&old.action, Action::Redirect(redirect) if redirect.status == 301 && &*redirect.location == "https://new.example/")
    );
    assert_eq!(
        &*snapshot
            .router
            .find(&Asked::get("other", "/x"))
            .unwrap()
            .name,
        "team/all"
    );

    let cart = &snapshot.clusters.get("cart").unwrap();
    let via: Vec<Via> = cart.endpoints.iter().map(|endpoint| endpoint.via).collect();
    assert_eq!(
        via,
        [
            Via::Mesh("10.0.0.12:7443".parse().unwrap()),
            Via::Local,
            Via::Clear
        ]
    );
    assert_eq!(
        (cart.exists, cart.instances, cart.endpoints[1].weight),
        (true, 4, 3)
    );
    assert!(!snapshot.clusters.get("cart-next").unwrap().exists);

    let local = &snapshot.services.get("cart").unwrap();
    assert_eq!(local.instance("cart-2").unwrap().addresses.len(), 2);
    assert!(local.instance("cart-9").is_none());
    assert!(!snapshot.services.get("web").unwrap().instances[0].healthy);

    let denied = snapshot.authorizer.decide("web", "cart");
    assert_eq!(denied.reason, Some(Reason::IntentionDenied));
    assert_eq!(denied.intention.as_deref(), Some("web => cart"));
    let refused = snapshot.authorizer.decide("api", "cart");
    assert_eq!(refused.reason, Some(Reason::IntentionUnsupported));
    assert!(snapshot.authorizer.decide("web", "web").is_allowed);
    assert!(snapshot.authorizer.covers("web") && !snapshot.authorizer.covers("cart-next"));
}

#[test]
fn what_tls_demands_is_compiled_by_host() {
    let snapshot = golden();
    assert_eq!(snapshot.listeners["web"].tls, None);
    let websecure = &snapshot.listeners["websecure"];
    assert_eq!(websecure.tls, Some(TlsPolicy::Intermediate));
    assert_eq!(snapshot.settings.https_port, Some(8443));
    let tls = snapshot.tls_of("shop.example").unwrap();
    assert_eq!((&*tls.key, tls.index), ("mesh/tls/shop.example", 4800));
    assert_eq!(tls.policy, Some(TlsPolicy::Modern));
    let clients = tls.clients.as_ref().unwrap();
    assert!(clients.is_required && clients.authorities.len() == 1);
    let wild = snapshot.tls_of("deep.down.old.example").unwrap();
    assert!(wild.closed.is_some() && wild.clients.is_none());
    assert!(snapshot.tls_of("old.example").is_none());
}

#[test]
fn what_was_put_is_given_out_again() {
    let snapshot = golden();
    assert_eq!(json(&snapshot.to_json()), json(FULL));
    let again = Snapshot::empty().apply(&snapshot.to_json()).unwrap();
    assert_eq!(again.to_json(), snapshot.to_json());
}

#[test]
fn the_delta_changes_what_it_names() {
    let before = golden();
    let after = before.apply(DELTA).unwrap();
    assert_eq!(after.generation, 8);
    assert_eq!(&*after.digest, json(DELTA)["digest"].as_str().unwrap());
    assert!(
        after
            .router
            .find(&Asked::get("a.old.example", "/"))
            .is_some_and(|route| &*route.name == "team/all")
    );
    assert_eq!(
        after
            .router
            .find(&Asked::get("shop.example", "/cart"))
            .unwrap()
            .index,
        4720
    );
    assert_eq!(after.clusters.get("cart").unwrap().endpoints.len(), 2);
    assert!(after.clusters.get("cart-next").is_none());
    assert_eq!(
        after.authorizer.decide("api", "web").intention.as_deref(),
        Some("api => web")
    );
    // What was in force is what it was.
    assert_eq!(json(&before.to_json()), json(FULL));
    assert_eq!(
        before
            .router
            .find(&Asked::get("shop.example", "/cart"))
            .unwrap()
            .index,
        4711
    );
}

#[test]
fn a_delta_shares_what_does_not_change() {
    let before = golden();
    let after = before.apply(DELTA).unwrap();
    assert!(Arc::ptr_eq(&before.settings, &after.settings));
    assert!(Arc::ptr_eq(
        before.services.get("cart").unwrap(),
        after.services.get("cart").unwrap()
    ));
    assert!(Arc::ptr_eq(
        before.clusters.get("web").unwrap(),
        after.clusters.get("web").unwrap()
    ));
    assert!(!Arc::ptr_eq(
        before.clusters.get("cart").unwrap(),
        after.clusters.get("cart").unwrap()
    ));
    assert!(Arc::ptr_eq(
        before.route("team/all").unwrap(),
        after.route("team/all").unwrap()
    ));
    assert!(Arc::ptr_eq(
        &before.listeners["web"],
        &after.listeners["web"]
    ));
}

#[test]
fn a_full_document_shares_what_stays_and_drops_what_it_leaves_out() {
    let before = golden();
    let mut document = json(FULL);
    document["resources"]["routes"]
        .as_object_mut()
        .unwrap()
        .remove("shop");
    document["resources"]["listeners"]
        .as_object_mut()
        .unwrap()
        .remove("web");
    document["resources"]["services"] = Value::Object(serde_json::Map::new());
    document["generation"] = 9.into();
    // Compact, so that every resource's text differs from the golden file's; then once more, as it is now.
    let compact = before.apply(document.to_string().as_bytes()).unwrap();
    assert_eq!(
        &*compact
            .router
            .find(&Asked::get("shop.example", "/cart"))
            .unwrap()
            .name,
        "team/all"
    );
    assert!(!compact.listeners.contains_key("web"));
    assert!(compact.services.is_empty());
    let again = compact.apply(document.to_string().as_bytes()).unwrap();
    assert!(Arc::ptr_eq(
        compact.route("old").unwrap(),
        again.route("old").unwrap()
    ));
    assert!(Arc::ptr_eq(
        compact.clusters.get("cart").unwrap(),
        again.clusters.get("cart").unwrap()
    ));
}

#[test]
fn a_delta_on_another_base_is_told_what_is_in_force() {
    let not_in_force = |snapshot: &Snapshot, digest: &str| {
        let wanted = Refusal::BaseNotInForce {
            digest: Arc::from(digest),
        };
        assert_eq!(snapshot.apply(DELTA).unwrap_err(), wanted);
    };
    not_in_force(&Snapshot::empty(), "");
    let after = golden().apply(DELTA).unwrap();
    not_in_force(&after, &after.digest);
    let empty_base = br#"{"schema":1,"kind":"delta","base":"","generation":1,"digest":"d"}"#;
    let refusal = Snapshot::empty().apply(empty_base).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::BaseNotInForce {
            digest: Arc::from("")
        }
    );
}

#[test]
fn limits_left_out_are_the_defaults() {
    let mut document = json(FULL);
    document["resources"]["settings"]["node"]["limits"] = serde_json::json!({"headers": 50});
    let snapshot = Snapshot::empty()
        .apply(document.to_string().as_bytes())
        .unwrap();
    assert_eq!(
        snapshot.settings.limits,
        Limits {
            headers: 50,
            ..Limits::default()
        }
    );
    document["resources"]["settings"]["node"]
        .as_object_mut()
        .unwrap()
        .remove("limits");
    let snapshot = Snapshot::empty()
        .apply(document.to_string().as_bytes())
        .unwrap();
    assert_eq!(snapshot.settings.limits, Limits::default());
}

#[test]
fn networks_hold_the_addresses_of_their_prefix() {
    let cases = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false),
        ("0.0.0.0/0", "8.8.8.8", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false),
        ("192.168.1.77/24", "192.168.1.1", true),
    ];
    for (network, address, wanted) in cases {
        let network = Network::parse(network).unwrap();
        assert_eq!(
            network.contains(address.parse().unwrap()),
            wanted,
            "{network:?} {address}"
        );
    }
    for text in [
        "",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "a/8",
        "10/8",
    ] {
        assert_eq!(Network::parse(text), None, "{text}");
    }
}
