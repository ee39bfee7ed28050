//! Every call, and every refusal with its sentence.

use std::net::TcpStream;

use crate::node::{Node, body_of};
use crate::support::ca::Authority;
use crate::support::snapshot::{edge, outbound, with_listeners};
use crate::support::wait::until;
use serde_json::{Value, json};

#[test]
fn version_tells_what_is_in_force() {
    let node = Node::start();
    let version = node.get("/v1/version");
    assert_eq!(version["protocol"], 3);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["pid"], std::process::id());
    assert_eq!(
        (&version["generation"], &version["digest"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(version["identities"], json!([]));
    assert!(version["started_unix_ms"].as_u64().unwrap() > 1_700_000_000_000);
    node.put_identity(&Authority::new().document("edge"));
    node.call("PUT", "/v1/snapshot", &with_listeners(&json!({})));
    let version = node.get("/v1/version");
    assert_eq!(
        (&version["generation"], &version["digest"]),
        (&json!(1), &json!("sha256:1"))
    );
    assert_eq!(version["identities"], json!(["edge"]));
}

#[test]
fn a_snapshot_is_answered_with_what_became_of_its_listeners() {
    let node = Node::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_address = taken.local_addr().unwrap().to_string();
    let listeners = json!({
        "edge": edge("127.0.0.1:0"),
        "taken": edge(&taken_address),
        "web": outbound("127.0.0.1:0", "web"),
    });
    let answer = node.call("PUT", "/v1/snapshot", &with_listeners(&listeners));
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(
        (&answer["generation"], &answer["digest"]),
        (&json!(1), &json!("sha256:1"))
    );
    let listeners = &answer["listeners"];
    assert_eq!(listeners["edge"]["state"], "open");
    assert_eq!(listeners["edge"]["error"], Value::Null);
    TcpStream::connect(listeners["edge"]["address"].as_str().unwrap()).unwrap();
    assert_eq!(
        listeners["taken"],
        json!({
            "state": "failed", "address": taken_address,
            "error": format!("can't listen on {taken_address}: another process listens there"),
        })
    );
    assert_eq!(listeners["web"]["state"], "waiting");
    let whole = node.get("/v1/snapshot");
    assert_eq!(whole["kind"], "full");
    assert_eq!(
        whole["resources"]["listeners"]["taken"]["address"],
        taken_address
    );
    assert_eq!(whole["listeners"], *listeners);
    assert_eq!(node.get("/v1/stats")["listeners"], *listeners);
}

#[test]
fn a_delta_goes_on_top_of_its_base_only() {
    let node = Node::start();
    let delta = |base: &str, digest: &str| {
        let document = json!({
            "schema": 1, "kind": "delta", "base": base, "generation": 2, "digest": digest,
            "set": { "listeners": { "edge": edge("127.0.0.1:0") } }, "remove": {},
        });
        node.call("PUT", "/v1/snapshot", document.to_string().as_bytes())
    };
    let early = delta("sha256:1", "sha256:2");
    assert_eq!((early.status, &early.json()["digest"]), (409, &Value::Null));
    node.call("PUT", "/v1/snapshot", &with_listeners(&json!({})));
    let wrong = delta("sha256:0", "sha256:2");
    assert_eq!(
        (wrong.status, &wrong.json()["digest"]),
        (409, &json!("sha256:1"))
    );
    assert!(wrong.error().contains("base"));
    let right = delta("sha256:1", "sha256:2");
    assert_eq!(
        (right.status, &right.json()["listeners"]["edge"]["state"]),
        (200, &json!("open"))
    );
    assert_eq!(node.get("/v1/version")["digest"], "sha256:2");
}

#[test]
fn a_wrong_snapshot_is_refused_with_its_place_and_the_old_one_stays() {
    let node = Node::start();
    node.call(
        "PUT",
        "/v1/snapshot",
        &with_listeners(&json!({ "edge": edge("127.0.0.1:0") })),
    );
    let before = node.get("/v1/snapshot");
    let wrong = with_listeners(&json!({ "edge": edge("nowhere") }));
    let answer = node.call("PUT", "/v1/snapshot", &wrong);
    assert_eq!(answer.status, 422);
    assert!(
        answer.json()["path"]
            .as_str()
            .unwrap()
            .starts_with("listeners.edge")
    );
    for garbage in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        &[0xff; 64],
        b"{\"schema\":2}",
    ] {
        let answer = node.call("PUT", "/v1/snapshot", garbage);
        assert_eq!(answer.status, 422, "{garbage:?}");
        assert!(!answer.error().is_empty());
    }
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        node.call("PUT", "/v1/snapshot", deep.as_bytes()).status,
        422
    );
    assert_eq!(node.get("/v1/snapshot"), before);
}

#[test]
fn a_question_is_answered_and_a_candidate_never_comes_in_force() {
    let node = Node::start();
    let request = json!({ "host": "a.test", "path": "/" });
    let ask = |snapshot: Value| {
        let document = json!({ "requests": [request], "snapshot": snapshot });
        node.call("POST", "/v1/explain", document.to_string().as_bytes())
    };
    node.call("PUT", "/v1/snapshot", &with_listeners(&json!({})));
    let answer = ask(Value::Null).json();
    assert_eq!(answer["generation"], 1);
    assert_eq!(answer["answers"][0]["answer"]["reason"], "no_route");

    let route = json!({ "key": "mesh/routes/a", "index": 1, "hosts": ["a.test"], "path": { "prefix": "/" },
        "action": { "redirect": { "status": 302, "location": "https://b.test/" } } });
    let delta = json!({ "schema": 1, "kind": "delta", "base": "sha256:1", "generation": 2, "digest": "sha256:2",
        "set": { "routes": { "a": route } } });
    let answer = ask(delta).json();
    assert_eq!(answer["generation"], 2);
    assert_eq!(
        answer["answers"][0]["answer"]["location"],
        "https://b.test/"
    );
    assert_eq!(node.get("/v1/version")["generation"], 1);

    let unknown =
        ask(json!({ "schema": 1, "kind": "delta", "base": "x", "generation": 2, "digest": "y" }));
    assert_eq!(
        (unknown.status, &unknown.json()["digest"]),
        (409, &json!("sha256:1"))
    );
    let wrong = ask(json!({ "schema": 1, "kind": "full" }));
    assert_eq!(wrong.status, 422, "{}", wrong.error());
}

#[test]
fn identities_come_and_go() {
    let node = Node::start();
    let document = Authority::new().document("web");
    let answer = node.put_identity(&document);
    assert_eq!(answer.status, 200);
    let wanted = json!({ "name": "web", "not_after_unix_s": document.not_after_unix_s });
    assert_eq!(answer.json(), wanted);
    assert_eq!(node.get("/v1/stats")["identities"], json!([wanted]));
    assert_eq!(node.call("DELETE", "/v1/identities/web", b"").status, 200);
    assert_eq!(node.call("DELETE", "/v1/identities/web", b"").status, 200);
    assert_eq!(node.get("/v1/version")["identities"], json!([]));
}

#[test]
fn a_refused_identity_is_told_without_its_key() {
    let node = Node::start();
    let document = Authority::new().document("web");
    let key = document.private_key_pem.lines().nth(1).unwrap().to_owned();
    let good = body_of(&document);
    let change = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let cases = [
        (
            change("private_key_pem", json!(key)),
            "no key that can be read",
        ),
        (
            change("roots_pem", json!(document.private_key_pem)),
            "roots_pem",
        ),
        (
            change("certificate_chain_pem", json!(document.private_key_pem)),
            "certificate_chain",
        ),
        (change("spiffe_id", json!("spiffe://x")), "the form is"),
        (
            change("not_after_unix_s", json!(document.private_key_pem)),
            "line 1, column",
        ),
        (
            change(&document.private_key_pem, json!(1)),
            "line 1, column",
        ),
        (
            change("name", json!("cart")),
            "the path says \"web\", the body \"cart\"",
        ),
        (json!([key]), "line 1, column"),
    ];
    for (body, wanted) in cases {
        let answer = node.call("PUT", "/v1/identities/web", body.to_string().as_bytes());
        assert_eq!(answer.status, 422);
        assert!(answer.error().contains(wanted), "{}", answer.error());
        assert!(
            !String::from_utf8_lossy(&answer.body).contains(&key),
            "{}",
            answer.error()
        );
    }
    assert_eq!(node.get("/v1/version")["identities"], json!([]));
}

#[test]
fn spans_are_waited_for_and_then_there_are_none() {
    let node = Node::start();
    for path in ["/v1/spans", "/v1/spans?wait_ms=20"] {
        let answer = node.call("GET", path, b"");
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
    for query in [
        "wait_ms",
        "wait_ms=",
        "wait_ms=-1",
        "wait_ms=x",
        "wait=1",
        "wait_ms=1&x=2",
    ] {
        let answer = node.call("GET", &format!("/v1/spans?{query}"), b"");
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.error().contains("wait_ms=<milliseconds>"));
    }
}

#[test]
fn a_drain_is_answered_at_once_and_nothing_new_is_taken() {
    let node = Node::start();
    node.call(
        "PUT",
        "/v1/snapshot",
        &with_listeners(&json!({ "edge": edge("127.0.0.1:0") })),
    );
    for (body, status) in [
        ("", 422),
        ("{}", 422),
        ("{\"grace_ms\":-1}", 422),
        ("{\"grace_ms\":86400001}", 422),
        ("{\"grace_ms\":1,\"x\":1}", 422),
        ("{\"grace_ms\":5000}", 200),
    ] {
        assert_eq!(
            node.call("POST", "/v1/drain", body.as_bytes()).status,
            status,
            "{body}"
        );
    }
    until("closed listeners", || {
        node.engine.listener_states().is_empty()
    });
    assert_eq!(node.get("/v1/stats")["draining"], true);
    let late = node.call("PUT", "/v1/snapshot", &with_listeners(&json!({})));
    assert_eq!(late.status, 503);
    assert!(late.error().contains("going away"));
}

#[test]
fn what_is_not_there_is_told_in_a_sentence() {
    let node = Node::start();
    let cases = [
        ("GET", "/", 404, None),
        ("GET", "/v1", 404, None),
        ("GET", "/v2/version", 404, None),
        ("GET", "/v1/version/", 404, None),
        ("GET", "/v1/identities", 404, None),
        ("POST", "/v1/version", 405, Some("GET")),
        ("DELETE", "/v1/snapshot", 405, Some("GET, PUT")),
        ("GET", "/v1/identities/web", 405, Some("DELETE, PUT")),
        ("PUT", "/v1/stats", 405, Some("GET")),
        ("GET", "/v1/drain", 405, Some("POST")),
        ("GET", "/v1/explain", 405, Some("POST")),
        ("POST", "/v1/spans", 405, Some("GET")),
    ];
    for (method, path, status, allow) in cases {
        let answer = node.call(method, path, b"");
        assert_eq!(
            (answer.status, answer.header("allow")),
            (status, allow),
            "{method} {path}"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(!answer.error().is_empty());
    }
}

#[test]
fn a_body_over_its_limit_is_refused() {
    let node = Node::start();
    let body = vec![b' '; (1 << 20) + 1];
    for (method, path) in [("PUT", "/v1/identities/web"), ("POST", "/v1/drain")] {
        let answer = node.call(method, path, &body);
        assert_eq!(answer.status, 413, "{path}");
        assert!(answer.error().contains("limit of 1048576 bytes"));
    }
    let answer = node.call("PUT", "/v1/snapshot", &vec![b' '; (64 << 20) + 1]);
    assert_eq!(answer.status, 413);
}

fn certificate(host: &str) -> Value {
    let leaf = Authority::new().leaf("shop", |_| {});
    json!({ "host": host, "certificate_chain_pem": leaf.chain_pem, "private_key_pem": leaf.key_pem })
}

#[test]
fn a_listener_with_tls_opens_with_the_first_certificate() {
    let node = Node::start();
    let mut listener = edge("127.0.0.1:0");
    listener["tls"] = json!({ "policy": "modern" });
    let listeners = with_listeners(&json!({ "websecure": listener }));
    let answer = node.call("PUT", "/v1/snapshot", &listeners).json();
    let why = &answer["listeners"]["websecure"]["error"];
    assert_eq!(*why, "waits for the first certificate");
    let body = certificate("_default").to_string();
    let answer = node.call("PUT", "/v1/certificates/_default", body.as_bytes());
    assert_eq!(answer.status, 200);
    let told = answer.json();
    let open = || node.get("/v1/stats")["listeners"]["websecure"]["state"] == "open";
    until("the listener", open);
    let stats = node.get("/v1/stats");
    assert_eq!(stats["certificates"], json!([told]));
    assert_eq!(told["fingerprint"].as_str().unwrap().len(), 64);
    let gone = node.call("DELETE", "/v1/certificates/_default", b"");
    assert_eq!(gone.json(), json!({ "host": "_default" }));
    assert_eq!(node.get("/v1/stats")["certificates"], json!([]));
}

#[test]
fn a_certificate_that_is_none_is_refused_and_nothing_of_it_is_quoted() {
    let node = Node::start();
    let good = certificate("*.shop.test");
    let put = |host: &str, body: &Value| {
        let path = format!("/v1/certificates/{host}");
        node.call("PUT", &path, body.to_string().as_bytes())
    };
    assert_eq!(put("*.shop.test", &good).status, 200);
    let other = certificate("*.shop.test");
    for (field, value, wanted) in [
        ("host", json!("shop.test"), "the path says"),
        ("certificate_chain_pem", json!("x"), "holds no certificate"),
        ("private_key_pem", json!("x"), "no key that can be read"),
        (
            "private_key_pem",
            other["private_key_pem"].clone(),
            "is not the key of the leaf",
        ),
        (
            "private_key_pem",
            json!(7),
            "no certificate can be read: line 1",
        ),
        ("more", json!(1), "no certificate can be read: line 1"),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let answer = put("*.shop.test", &bad);
        assert_eq!(answer.status, 422, "{field}");
        let sentence = answer.error();
        assert!(sentence.contains(wanted), "{field}: {sentence}");
        assert!(!sentence.contains("PRIVATE"), "{sentence}");
    }
    assert_eq!(
        node.get("/v1/stats")["certificates"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn ticket_keys_are_taken_and_wrong_ones_refused_without_a_quote() {
    let node = Node::start();
    let put = |secret: &str| {
        let key = json!({ "secret": secret, "makes_until_unix_s": 1, "takes_until_unix_s": 2 });
        let body = json!({ "keys": [key] }).to_string();
        node.call("PUT", "/v1/ticket-keys", body.as_bytes())
    };
    assert_eq!(put(&"ab".repeat(32)).json(), json!({ "keys": 1 }));
    let refused = put("secret words");
    assert_eq!(refused.status, 422);
    assert_eq!(refused.error(), "a secret is 32 bytes in hex");
    assert_eq!(node.call("GET", "/v1/ticket-keys", b"").status, 405);
}
