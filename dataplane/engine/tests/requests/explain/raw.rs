//! What `explain` says of raw connections: by port, by server name, from service to service.

use serde_json::{Value, json};

use super::ask;
use crate::support::{Proxy, run};

/// Port 5432 and `vault.test` lead to `shop`, whose one instance is on this node; `closed.test` asks for certificates.
async fn edge() -> Proxy {
    Proxy::with(&["127.0.0.1:9".parse().unwrap()], |resources| {
        let action = json!({"split": [{"cluster": "shop", "weight": 1}]});
        let mut route = |name: &str, fields: Value| {
            let mut made = json!({"key": format!("mesh/routes/{name}"), "index": 7, "action": action});
            made.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            resources["routes"][name] = made;
        };
        route("db", json!({"port": 5432, "client_addresses": ["10.0.0.0/8"]}));
        route("late", json!({"port": 5432}));
        route("other", json!({"port": 6379}));
        route("vault", json!({"sni": ["vault.test", "closed.test"]}));
        route("wide", json!({"sni": ["*.test"]}));
        resources["tls"] = json!({"closed.test": {"key": "mesh/tls/closed.test", "index": 3, "closed": "line 1: no"}});
        resources["intentions"] = json!({"shop": {"destination": "shop", "rules": [
            {"source": "edge", "action": "allow", "name": "edge => shop", "precedence": 9, "index": 3}]}});
    })
    .await
}

fn explained(proxy: &Proxy, request: Value) -> Value {
    let mut request = request;
    request["path"] = json!("");
    let mut answers = ask(proxy, &json!({"requests": [request]})).unwrap();
    answers["answers"][0].take()
}

fn told(answer: &Value) -> Vec<(&str, &str)> {
    let rows = answer["considered"].as_array().unwrap().iter();
    rows.map(|row| (row["name"].as_str().unwrap(), row["code"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_port_says_route_service_instance_and_intention() {
    run(async {
        let proxy = edge().await;
        let answer = explained(&proxy, json!({"scheme": "tcp", "host": ":5432"}));
        assert_eq!(answer["route"]["key"], "mesh/routes/late");
        assert_eq!(told(&answer), [("db", "client_address"), ("other", "port")]);
        assert_eq!(
            (&answer["routes"], &answer["destination"]),
            (&json!(3), &json!("shop"))
        );
        assert_eq!(answer["endpoints"].as_array().unwrap().len(), 1);
        assert_eq!(answer["intention"]["name"], "edge => shop");
        assert_eq!(
            (&answer["answer"], &answer["request"]),
            (&Value::Null, &Value::Null)
        );
        let inside = json!({"scheme": "tcp", "host": "1.2.3.4:5432", "client_address": "10.1.2.3"});
        let answer = explained(&proxy, inside);
        assert_eq!(answer["route"]["name"], "db");
        assert_eq!(told(&answer), [("late", "outranked"), ("other", "port")]);
        let answer = explained(&proxy, json!({"scheme": "tcp", "host": ":1"}));
        assert_eq!(answer["answer"]["reason"], "no_route");
        assert_eq!(
            (&answer["route"], &answer["intention"]),
            (&Value::Null, &Value::Null)
        );
    });
}

#[test]
fn a_server_name_says_who_passes_it_on_or_why_it_ends_here() {
    run(async {
        let proxy = edge().await;
        let answer = explained(&proxy, json!({"scheme": "tls", "host": "Vault.Test."}));
        assert_eq!(answer["route"]["name"], "vault");
        assert_eq!(told(&answer), [("wide", "outranked")]);
        let answer = explained(&proxy, json!({"scheme": "tls", "host": "x.test"}));
        assert_eq!(answer["route"]["name"], "wide");
        assert_eq!(told(&answer), [("vault", "sni")]);
        for (host, why) in [
            (
                "closed.test",
                "mesh/tls/closed.test goes before mesh/routes/vault",
            ),
            ("else.example", "no route passes it on"),
        ] {
            let answer = explained(&proxy, json!({"scheme": "tls", "host": host}));
            assert_eq!(answer["route"], Value::Null);
            let message = answer["answer"]["message"].as_str().unwrap();
            assert!(
                message.contains(&format!("TLS for {host} ends at the edge: {why}.")),
                "{message}"
            );
        }
    });
}

#[test]
fn a_service_that_calls_by_a_port_of_its_own_is_asked_by_its_listener() {
    run(async {
        let proxy = Proxy::with(&["127.0.0.1:9".parse().unwrap()], |resources| {
            let address = resources["listeners"]["edge"]["address"].take();
            resources["listeners"] = json!({"web:shop": {"kind": "outbound", "address": address, "identity": "web",
                "service": "web", "proof": "port", "protocol": "tcp", "destination": "shop"}});
        })
        .await;
        let request = json!({"listener": "web:shop", "scheme": "tcp", "host": "127.0.0.1:1"});
        let answer = explained(&proxy, request);
        assert_eq!(
            (&answer["cluster"], &answer["destination"]),
            (&json!("shop"), &json!("shop"))
        );
        assert_eq!(answer["answer"], Value::Null);
        for request in [
            json!({"listener": "outbound", "source": "web", "scheme": "tcp", "host": ":1", "path": ""}),
            json!({"scheme": "tcp", "host": "shop.test", "path": ""}),
        ] {
            let refused = ask(&proxy, &json!({"requests": [request]}));
            let sentence = refused.unwrap_err().to_string();
            assert!(sentence.contains("raw connection"), "{sentence}");
        }
    });
}
