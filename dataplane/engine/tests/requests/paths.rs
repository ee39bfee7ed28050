//! The normal form of paths and hosts (docs/paths.md): variant by variant, then over a real proxy.

use meshnode_engine::normal::{self, Unclear};
use serde_json::json;

use crate::support::{Does, Origin, Proxy, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What was sent, and its normal form or a reason behind a `!`.
fn variants() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("paths.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').expect("two columns"))
}

#[test]
fn each_variant_has_its_form_or_its_refusal() {
    let mut count = 0;
    for (sent, wanted) in variants() {
        let normal = normal::path(sent, false);
        let said = match &normal {
            Ok(normal) => normal,
            Err(Unclear::DotSegment) => "!path_dot_segment",
            Err(Unclear::Ambiguous(_)) => "!path_ambiguous",
        };
        assert_eq!(said, wanted, "{sent}");
        count += 1;
    }
    assert!(count >= 200, "only {count} variants");
}

#[test]
fn strict_paths_refuse_what_some_origins_decode_or_cut() {
    for (sent, _) in variants() {
        let lower = sent.to_ascii_lowercase();
        let is_suspect = ["%2f", "%5c", ";", "%3b"]
            .iter()
            .any(|sign| lower.contains(sign));
        match (normal::path(sent, true), normal::path(sent, false)) {
            (Ok(strict), lax) => {
                assert!(!is_suspect, "{sent}");
                assert_eq!(Ok(strict), lax, "{sent}");
            }
            (Err(_), lax) => assert!(is_suspect || lax.is_err(), "{sent}"),
        }
    }
}

#[test]
fn the_origin_gets_the_bytes_that_were_decided_on() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["admin"] = json!({
                "key": "mesh/routes/admin", "index": 9, "hosts": ["shop.test"], "path": {"prefix": "/admin"},
                "action": {"answer": {"status": 403, "body": "no"}},
            });
        })
        .await;
        for (sent, wanted) in variants().filter(|(sent, _)| sent.len() < 40) {
            let answer = proxy
                .send(&format!(
                    "GET {sent}?a=//../%2e HTTP/1.1\r\nHost: shop.test\r\n\r\n"
                ))
                .await;
            let status = &answer[9..12];
            if let Some(reason) = wanted.strip_prefix('!') {
                assert_eq!(
                    (status, header(&answer, "mesh-reason")),
                    ("400", Some(reason)),
                    "{sent}"
                );
            } else if wanted == "/admin" || wanted.starts_with("/admin/") {
                assert_eq!(status, "403", "{sent}");
            } else {
                assert_eq!(status, "200", "{sent}");
                let request = origin.request().await;
                assert!(
                    request.starts_with(&format!("GET {wanted}?a=//../%2e HTTP/1.1\r\n")),
                    "{sent}: {request}"
                );
            }
        }
    });
}

#[test]
fn the_origin_gets_the_host_that_was_decided_on() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["hosts"] = json!(["shop.test", "[::1]"]);
        })
        .await;
        for (sent, wanted) in [
            ("shop.test", "shop.test"),
            ("SHOP.test", "shop.test"),
            ("Shop.Test.", "shop.test"),
            ("shop.test:8080", "shop.test:8080"),
            ("SHOP.TEST.:80", "shop.test:80"),
            ("[0:0::1]:80", "[::1]:80"),
            ("[::0001]", "[::1]"),
        ] {
            proxy
                .send(&format!("GET / HTTP/1.1\r\nHost: {sent}\r\n\r\n"))
                .await;
            let request = origin.request().await;
            assert_eq!(header(&request, "host"), Some(wanted), "{sent}");
            assert_eq!(header(&request, "x-forwarded-host"), Some(wanted), "{sent}");
            proxy
                .send(&format!(
                    "GET http://{sent}/ HTTP/1.1\r\nHost: other.test\r\n\r\n"
                ))
                .await;
            assert_eq!(
                header(&origin.request().await, "host"),
                Some(wanted),
                "{sent}"
            );
        }
        for sent in [
            "user@shop.test",
            "shop..test",
            "shop.test:",
            "shop%2etest",
            "shop.test:1:2",
            ".",
            "shop.test/a",
            "a,b",
        ] {
            let answer = proxy
                .send(&format!("GET / HTTP/1.1\r\nHost: {sent}\r\n\r\n"))
                .await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{sent}: {answer}");
        }
    });
}
