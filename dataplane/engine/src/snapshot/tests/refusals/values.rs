//! Values that break a rule, or are too much, and what stands in no relation to the rest.

use serde_json::{Value, json};

use super::super::{FULL, golden};
use super::{check, refusal};

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
