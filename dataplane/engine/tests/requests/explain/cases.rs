//! What `explain` says, case by case.

use meshnode_engine::snapshot::Refusal;
use serde_json::{Value, json};

use super::{ask, echo};
use crate::support::{Proxy, run};

#[test]
fn the_nearest_routes_come_first_with_what_keeps_them() {
    run(async {
        let proxy = Proxy::with(&[], |resources| {
            let action = json!({"split": [{"cluster": "shop", "weight": 1}]});
            let mut route = |name: &str, host: &str, path: &str, more: Value| {
                let mut route = json!({"key": format!("mesh/routes/{name}"), "index": 9, "hosts": [host],
                    "path": {"prefix": path}, "action": action});
                route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                resources["routes"][name] = route;
            };
            route("beta", "shop.test", "/cart", json!({"headers": [{"name": "x-beta", "exact": "1"}]}));
            route("cart", "shop.test", "/cart", json!({}));
            route("stock", "shop.test", "/stock", json!({}));
            route("far", "far.example", "/x", json!({}));
            route("typo", "shap.test", "/cart", json!({}));
        })
        .await;
        let request = json!({"host": "Shop.test", "path": "/cart/7"});
        let explained = ask(&proxy, &json!({"requests": [request]})).unwrap();
        let answer = &explained["answers"][0];
        assert_eq!(answer["route"]["name"], "cart");
        assert_eq!(answer["routes"], 6);
        let told: Vec<_> = answer["considered"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| ["name", "code", "sentence"].map(|field| row[field].as_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ["shop", "outranked", "shorter path than that of cart"],
                ["beta", "header", "header x-beta is missing"],
                [
                    "stock",
                    "path",
                    "it takes /stock and what is below it, not /cart/7"
                ],
                ["typo", "host", "it takes shap.test, not shop.test"],
                ["far", "host", "it takes far.example, not shop.test"],
            ]
        );
        assert_eq!(answer["answer"]["reason"], "no_healthy_endpoint");
        assert_eq!(
            (&answer["cluster"], &answer["destination"]),
            (&json!("shop"), &json!("shop"))
        );
    });
}

#[test]
fn routes_nobody_wrote_keep_no_written_one_from_being_named() {
    run(async {
        let proxy = Proxy::with(&[], |resources| {
            let action = json!({"split": [{"cluster": "shop", "weight": 1}]});
            let mut route = |name: &str, host: &str, path: &str, priority: i8| {
                resources["routes"][name] = json!({"key": "mesh/routes/x", "index": 9, "hosts": [host],
                    "path": {"prefix": path}, "priority": priority, "action": action});
            };
            for service in ["a", "b", "c"] {
                route(&format!("mesh:{service}"), &format!("{service}.mesh"), "/", -10);
            }
            route("far", "far.example", "/x", 0);
            route("own", "a.mesh", "/", 0);
        })
        .await;
        let named = |host: &str, source: Option<&str>, most: usize| {
            let listener = source.map_or("edge", |_| "outbound");
            let request =
                json!({"host": host, "path": "/", "listener": listener, "source": source});
            let asked = json!({"requests": [request], "considered": most});
            let explained = ask(&proxy, &asked).unwrap();
            let rows = explained["answers"][0]["considered"]
                .as_array()
                .unwrap()
                .clone();
            let names = rows
                .iter()
                .map(|row| row["name"].as_str().unwrap().to_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(named("nothing.test", None, 3), ["shop", "own", "far"]);
        assert_eq!(named("nothing.test", None, 9).len(), 6, "all are there");
        assert_eq!(named("x.mesh", Some("web"), 3), ["own", "shop", "far"]);
        let near = named("a.mesh", Some("web"), 1);
        assert_eq!(near, ["mesh:a"], "it would take the request");
    });
}

#[test]
fn what_is_changed_says_by_what() {
    run(async {
        let origin = echo("shop").await;
        let proxy = Proxy::with(&[origin], |resources| {
            let route = &mut resources["routes"]["shop"];
            route["strip_prefix"] = "/a".into();
            route["rewrite_host"] = "in.test".into();
            route["request_headers"] = json!({"set": [{"name": "x-a", "value": "2"}], "add": [], "remove": ["x-b", "x-c"]});
            route["response_headers"] = json!({"set": [], "add": [], "remove": ["server"]});
        })
        .await;
        let request = json!({"host": "SHOP.test", "path": "/a//b?c=d", "headers": [["X-A", "1"], ["x-b", "3"]]});
        let explained = ask(&proxy, &json!({"requests": [request]})).unwrap();
        let answer = &explained["answers"][0];
        assert_eq!(answer["request"]["line"], "GET /b?c=d HTTP/1.1");
        let row = |what: &str, from: Option<&str>, to: Option<&str>, by: &str| json!({"what": what, "from": from, "to": to, "by": by});
        assert_eq!(
            answer["request"]["changes"],
            json!([
                row("path", Some("/a//b?c=d"), Some("/a/b?c=d"), "normal form"),
                row("path", Some("/a/b?c=d"), Some("/b?c=d"), "strip_prefix"),
                row("host", Some("SHOP.test"), Some("shop.test"), "normal form"),
                row("host", Some("shop.test"), Some("in.test"), "rewrite_host"),
                row("header x-b", Some("3"), None, "request_headers.remove"),
                row("header x-a", Some("1"), Some("2"), "request_headers.set"),
            ])
        );
        assert_eq!(
            answer["response_changes"],
            json!([row("header server", None, None, "response_headers.remove")])
        );
        assert_eq!(answer["endpoints"][0]["is_usable"], true);
    });
}

#[test]
fn an_inbound_call_is_explained_by_who_calls_whom() {
    run(async {
        let proxy = Proxy::with(&[], |resources| {
            resources["services"] = json!({"cart": {"service": "cart", "instances": [
                {"id": "cart-1", "addresses": ["127.0.0.1:9"], "healthy": false},
                {"id": "cart-2", "addresses": ["127.0.0.1:8"], "healthy": true}]}});
            resources["intentions"] = json!({"cart": {"destination": "cart", "rules": [
                {"source": "web", "action": "deny", "name": "web => cart", "precedence": 9, "index": 3}]}});
        })
        .await;
        let request = |source: &str| json!({"listener": "inbound", "source": source, "destination": "cart", "host": "cart.mesh", "path": "/"});
        let explained = ask(
            &proxy,
            &json!({"requests": [request("web"), request("api")]}),
        )
        .unwrap();
        let (denied, allowed) = (&explained["answers"][0], &explained["answers"][1]);
        assert_eq!(denied["answer"]["reason"], "intention_denied");
        assert_eq!(denied["intention"]["name"], "web => cart");
        assert_eq!(
            (&allowed["answer"], &allowed["intention"]["is_allowed"]),
            (&Value::Null, &json!(true))
        );
        let usable: Vec<_> = allowed["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["code"])
            .collect();
        assert_eq!(usable, [&json!("unhealthy"), &Value::Null]);
    });
}

#[test]
fn a_call_to_a_port_of_its_own_is_explained_by_the_listener_s_name() {
    run(async {
        let origin = echo("cart").await;
        let proxy = Proxy::with(&[], |resources| {
            let own = json!({"kind": "outbound", "address": "127.0.0.1:15006", "identity": "web", "service": "web",
                "destination": "cart"});
            resources["listeners"]["web:cart"] = own;
            resources["listeners"]["web"] = json!({"kind": "outbound", "address": "127.0.0.1:15001", "identity": "web",
                "service": "web"});
            resources["clusters"]["cart"] = json!({"service": "cart", "exists": true, "instances": 1, "endpoints": [
                {"id": "cart-1", "node": "old-box", "address": origin.to_string(), "weight": 1, "via": "clear"}]});
        })
        .await;
        let request = json!({"host": "127.0.0.1:15006", "path": "/", "listener": "web:cart"});
        let by_kind = json!({"host": "127.0.0.1:15006", "path": "/", "listener": "outbound", "source": "web"});
        let explained = ask(&proxy, &json!({"requests": [request, by_kind]})).unwrap();
        let (answer, other) = (&explained["answers"][0], &explained["answers"][1]);
        assert_eq!(
            (
                &answer["cluster"],
                &answer["normal"]["host"],
                &answer["answer"]
            ),
            (&json!("cart"), &json!("cart.mesh"), &Value::Null)
        );
        assert_eq!(
            answer["request"]["changes"],
            json!([{"what": "host", "from": "127.0.0.1:15006", "to": "cart.mesh", "by": "destination"}])
        );
        assert_eq!(other["answer"]["reason"], "not_mesh_host");
    });
}

#[test]
fn a_service_called_as_a_kind_of_listener_disturbs_nobody() {
    run(async {
        let proxy = Proxy::with(&[], |resources| {
            for name in ["inbound", "outbound", "web"] {
                resources["listeners"][name] = json!({"kind": "outbound", "address": "127.0.0.1:0", "identity": name,
                    "service": name});
            }
            resources["services"] = json!({"Cart": {"service": "Cart", "instances": [
                {"id": "cart-1", "addresses": ["127.0.0.1:9"], "healthy": true}]}});
        })
        .await;
        let by = |listener: &str, source: &str| json!({"listener": listener, "source": source, "host": "cart.mesh", "path": "/"});
        let mut inbound = by("inbound", "web");
        // Hosts have no case, so the other side may have lost it.
        inbound["destination"] = "Cart".into();
        let requests = json!([
            by("outbound", "web"),
            by("outbound", "outbound"),
            by("outbound", "inbound"),
            inbound
        ]);
        let explained = ask(&proxy, &json!({"requests": requests})).unwrap();
        let reasons: Vec<_> = explained["answers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|answer| answer["answer"]["reason"].as_str())
            .collect();
        let nobody = Some("no_such_service");
        assert_eq!(reasons, [nobody, nobody, nobody, None]);
    });
}

#[test]
fn a_wrong_question_is_told_so() {
    run(async {
        let proxy = Proxy::edge(&[]).await;
        for (document, path, words) in [
            (json!({}), "", "requests"),
            (
                json!({"requests": [], "snapshot": {"schema": 7}}),
                "schema",
                "7",
            ),
            (
                json!({"requests": [{"host": "a", "path": "/", "listener": "nope"}]}),
                "requests[0]",
                "no listener",
            ),
            (
                json!({"requests": [{"host": "a", "path": "/", "source": "web"}]}),
                "requests[0]",
                "everybody",
            ),
            (
                json!({"requests": [{"host": "a", "path": "/", "listener": "inbound", "source": "web"}]}),
                "requests[0]",
                "destination",
            ),
            (
                json!({"requests": [{"host": "a", "path": "/", "listener": "outbound"}]}),
                "requests[0]",
                "source",
            ),
            (
                json!({"requests": [{"host": "a\r\n", "path": "/"}]}),
                "requests[0]",
                "empty line",
            ),
            (json!({"requests": [{"host": "a"}]}), "requests[0]", "path"),
            (
                json!({"requests": [], "considered": 1001}),
                "considered",
                "1001",
            ),
        ] {
            let Err(Refusal::Invalid { path: at, sentence }) = ask(&proxy, &document) else {
                panic!("{document} was answered");
            };
            assert!(
                at == path && sentence.contains(words),
                "{document}: {at}: {sentence}"
            );
        }
        let delta = json!({"schema": 1, "kind": "delta", "base": "sha256:other", "generation": 2, "digest": "d"});
        let refused = ask(&proxy, &json!({"requests": [], "snapshot": delta}));
        assert!(matches!(refused, Err(Refusal::BaseNotInForce { .. })));
    });
}
