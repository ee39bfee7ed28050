//! Client certificates at the edge: who is let in, and what cannot be slipped past.

use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::ca::{Authority, set_validity};
use crate::manual::Manual;
use crate::support::{Does, Origin, Proxy, header, run};
use crate::tls::{OK, client_config, connect, edge, failures, get, put_certificate, rule};
use crate::upgrades::{AGREED, ASK};

#[test]
fn a_host_that_demands_a_certificate_lets_in_those_of_its_authority_alone() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let (ours, theirs) = (Authority::new(), Authority::new());
        let tls =
            json!({"shop.test": rule(&ours, "required"), "may.test": rule(&ours, "optional")});
        let proxy = edge(&origin, &tls).await;
        let good = ours.leaf("alice", |params| {
            params
                .distinguished_name
                .push(rcgen::DnType::CommonName, "alice");
        });
        let late = ours.leaf("late", |params| set_validity(params, -7200, -60));
        let early = ours.leaf("early", |params| set_validity(params, 600, 7200));
        let foreign = theirs.leaf("mallory", |_| {});
        for is_old in [false, true] {
            for (case, leaf, required, optional) in [
                ("ours", Some(&good), true, true),
                ("none", None, false, true),
                ("expired", Some(&late), false, false),
                ("not valid yet", Some(&early), false, false),
                ("another authority's", Some(&foreign), false, false),
            ] {
                for (host, wanted) in [("shop.test", required), ("may.test", optional)] {
                    let config = Arc::new(client_config(leaf, is_old));
                    let mut is_served = false;
                    if let Ok(mut tls) = connect(&proxy, host, &config).await {
                        // With TLS 1.3 the refusal comes with the first read.
                        is_served = get(&mut tls, host, "").await.is_some();
                    }
                    assert_eq!(is_served, wanted, "{case} at {host}, TLS 1.2: {is_old}");
                    if is_served {
                        let seen = origin.request().await;
                        let name = header(&seen, "mesh-client-name");
                        assert_eq!(name.is_some(), leaf.is_some(), "{case}");
                        assert!(
                            name.is_none_or(|name| name.contains("CN=alice")),
                            "{name:?}"
                        );
                        let fingerprint = header(&seen, "mesh-client-fingerprint");
                        assert!(fingerprint.is_none_or(|hex| hex.len() == 64));
                    }
                }
            }
        }
        assert!(
            failures(&proxy).contains(r#""client_certificate": 14"#),
            "{}",
            failures(&proxy)
        );
    });
}

#[test]
fn a_stranger_can_not_say_who_it_is_by_a_header() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = edge(&origin, &json!({})).await;
        let config = Arc::new(client_config(None, false));
        let mut tls = connect(&proxy, "shop.test", &config).await.unwrap();
        let forged = "mesh-client-name: CN=alice\r\nMesh-Client-Fingerprint: 00\r\n";
        assert!(get(&mut tls, "shop.test", forged).await.is_some());
        let seen = origin.request().await.to_ascii_lowercase();
        assert!(!seen.contains("mesh-client"), "{seen}");
    });
}

/// FAULTS: SNI and Host that disagree, and a wildcard server name, slip past no rule on client certificates.
#[test]
fn a_host_is_not_reached_by_the_handshake_of_another() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let (ours, others) = (Authority::new(), Authority::new());
        let tls = json!({
            "shop.test": rule(&ours, "required"),
            "twin.test": rule(&ours, "required"),
            "other.test": rule(&others, "required"),
            "*.deep.test": rule(&ours, "required"),
            "free.test": {"key": "mesh/tls/free.test", "index": 1},
        });
        let proxy = edge(&origin, &tls).await;
        put_certificate(&proxy, "*.test", "wild");
        let alice = ours.leaf("alice", |_| {});
        let bob = others.leaf("bob", |_| {});
        for (sni, leaf, host, wanted) in [
            ("shop.test", Some(&alice), "shop.test", "200"),
            ("shop.test", Some(&alice), "SHOP.test.:443", "200"),
            ("any.test", None, "any.test", "200"),
            ("any.test", None, "more.test", "200"),
            ("any.test", None, "shop.test", "421"),
            ("any.test", None, "SHOP.test.", "421"),
            ("127.0.0.1", None, "shop.test", "421"),
            ("free.test", None, "shop.test", "421"),
            ("any.test", None, "free.test", "421"),
            ("other.test", Some(&bob), "shop.test", "421"),
            ("shop.test", Some(&alice), "twin.test", "421"),
            ("shop.test", Some(&alice), "any.test", "421"),
            ("a.deep.test", Some(&alice), "a.deep.test", "200"),
            ("a.deep.test", Some(&alice), "b.c.deep.test", "200"),
            ("any.test", None, "b.c.deep.test", "421"),
        ] {
            let config = Arc::new(client_config(leaf, false));
            let mut tls = connect(&proxy, sni, &config).await.unwrap();
            let answer = get(&mut tls, host, "").await.unwrap();
            let status = &answer[9..12];
            assert_eq!(status, wanted, "{sni} asked for {host}: {answer}");
        }
        // Below a wildcard the rule holds at any depth, though its certificate goes one label.
        let config = Arc::new(client_config(None, false));
        let tls = connect(&proxy, "b.c.deep.test", &config).await;
        let served = match tls {
            Ok(mut tls) => get(&mut tls, "b.c.deep.test", "").await,
            Err(_) => None,
        };
        assert_eq!(served, None);
    });
}

#[test]
fn what_a_host_demands_newly_is_demanded_of_open_connections_too() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = edge(&origin, &json!({})).await;
        let config = Arc::new(client_config(None, false));
        let mut tls = connect(&proxy, "shop.test", &config).await.unwrap();
        assert!(
            get(&mut tls, "shop.test", "")
                .await
                .unwrap()
                .contains(" 200 ")
        );
        let document = json!({"schema": 1, "kind": "delta", "base": "sha256:1", "generation": 2,
            "digest": "sha256:2", "set": {"tls": {"shop.test": rule(&Authority::new(), "required")}}});
        let before = proxy.worker.snapshot();
        let after = before.apply(document.to_string().as_bytes()).unwrap();
        proxy.worker.shared.put_snapshot(Arc::new(after));
        let answer = get(&mut tls, "shop.test", "").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        // Nor does the ticket from before bring anybody in.
        let again = connect(&proxy, "shop.test", &config).await;
        let served = match again {
            Ok(mut again) => get(&mut again, "shop.test", "").await,
            Err(_) => None,
        };
        assert_eq!(served, None);
    });
}

/// FAULTS: a broken TLS option fails closed.
#[test]
fn a_host_whose_settings_are_broken_is_closed_and_no_other() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let closed =
            json!({"key": "mesh/tls/shop.test", "index": 1, "closed": "line 3: no such mode"});
        let proxy = edge(&origin, &json!({"shop.test": closed})).await;
        let config = Arc::new(client_config(None, false));
        assert!(connect(&proxy, "shop.test", &config).await.is_err());
        let mut tls = connect(&proxy, "other.test", &config).await.unwrap();
        let answer = get(&mut tls, "shop.test", "").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        let mut tls = connect(&proxy, "other.test", &config).await.unwrap();
        assert!(
            get(&mut tls, "other.test", "")
                .await
                .unwrap()
                .contains(" 200 ")
        );
        assert!(failures(&proxy).contains(r#"failures: {"no_settings": 1}"#));
    });
}

#[test]
fn in_clear_a_host_that_demands_a_certificate_is_not_served() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let authority = Authority::new();
        let tls = json!({"shop.test": rule(&authority, "required"),
            "broken.test": {"key": "mesh/tls/broken.test", "index": 1, "closed": "broken"}});
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["hosts"] = json!(["*"]);
            resources["tls"] = tls;
        })
        .await;
        for (host, wanted) in [
            ("shop.test", "403"),
            ("broken.test", "403"),
            ("free.test", "200"),
        ] {
            let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let answer = proxy.send(&request).await;
            assert_eq!(&answer[9..12], wanted, "{host}: {answer}");
            let reason = (wanted == "403").then_some("client_certificate_required");
            assert_eq!(header(&answer, "mesh-reason"), reason);
        }
    });
}

#[test]
fn a_tunnel_ends_when_its_host_demands_what_its_client_did_not_show() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["listeners"]["edge"]["tls"] = json!({});
        })
        .await;
        put_certificate(&proxy, "_default", "default");
        let config = Arc::new(client_config(None, false));
        let mut tls = connect(&proxy, "shop.test", &config).await.unwrap();
        tls.write_all(ASK.as_bytes()).await.unwrap();
        let mut asked = origin.asked().await;
        asked.write(AGREED.as_bytes()).await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            assert!(tls.read_buf(&mut answer).await.unwrap() > 0);
        }
        let document = json!({"schema": 1, "kind": "delta", "base": "sha256:1", "generation": 2,
            "digest": "sha256:2", "set": {"tls": {"shop.test": rule(&Authority::new(), "required")}}});
        let before = proxy.worker.snapshot();
        let after = before.apply(document.to_string().as_bytes()).unwrap();
        proxy.worker.shared.put_snapshot(Arc::new(after));
        proxy.worker.tick();
        assert!(!matches!(tls.read_buf(&mut answer).await, Ok(1..)));
    });
}
