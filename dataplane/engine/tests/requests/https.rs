//! Requests that are to come by https, and what answers say of it.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Does, Origin, Proxy, header, run};
use crate::tls::{OK, client_config, connect, get, put_certificate};

#[test]
fn a_request_in_clear_is_sent_to_https_but_never_an_authoritys() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["https"] = json!({"redirect": true, "hsts_max_age_s": 600});
            resources["settings"]["node"]["https_port"] = json!(8443);
            resources["settings"]["node"]["trusted_proxies"] = json!(["127.0.0.2"]);
        })
        .await;
        for (method, wanted) in [
            ("GET", "301"),
            ("HEAD", "301"),
            ("POST", "308"),
            ("DELETE", "308"),
        ] {
            let request = format!("{method} /a?b=c HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n");
            let answer = proxy.send(&request).await;
            assert_eq!(&answer[9..12], wanted, "{answer}");
            assert_eq!(
                header(&answer, "location"),
                Some("https://shop.test:8443/a?b=c")
            );
            assert_eq!(header(&answer, "strict-transport-security"), None);
        }
        let challenge = "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: shop.test\r\n\r\n";
        let answer = proxy.send(challenge).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(header(&answer, "strict-transport-security"), None);
        // Of a stranger nothing is believed about how it came.
        let told = "GET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Proto: https\r\n\r\n";
        assert!(proxy.send(told).await.starts_with("HTTP/1.1 301 "));
    });
}

#[test]
fn who_came_by_https_to_a_proxy_before_us_is_not_sent_in_a_circle() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["https"] = json!({"redirect": true});
            resources["settings"]["node"]["trusted_proxies"] = json!(["127.0.0.0/8"]);
        })
        .await;
        let told = "GET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Proto: https\r\n\r\n";
        assert!(proxy.send(told).await.starts_with("HTTP/1.1 200 "));
        let clear = "GET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Proto: http\r\n\r\n";
        let answer = proxy.send(clear).await;
        assert_eq!(header(&answer, "location"), Some("https://shop.test/"));
    });
}

#[test]
fn hsts_stands_in_answers_by_tls_in_place_of_the_origins() {
    run(async {
        let said = b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\ncontent-length: 2\r\n\r\nok";
        let origin = Origin::start(Does::Answer(said)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["listeners"]["edge"]["tls"] = json!({});
            resources["routes"]["shop"]["https"] = json!({"hsts_max_age_s": 600});
            resources["routes"]["fixed"] = json!({"key": "k", "index": 1, "hosts": ["fixed.test"],
                "path": {"prefix": "/"}, "action": {"answer": {"status": 204}},
                "https": {"hsts_max_age_s": 700}});
        })
        .await;
        put_certificate(&proxy, "_default", "default");
        let config = Arc::new(client_config(None, false));
        let mut tls = connect(&proxy, "shop.test", &config).await.unwrap();
        let answer = get(&mut tls, "shop.test", "").await.unwrap();
        assert_eq!(
            header(&answer, "strict-transport-security"),
            Some("max-age=600")
        );
        assert_eq!(
            answer
                .to_ascii_lowercase()
                .matches("strict-transport")
                .count(),
            1
        );
        let answer = get(&mut tls, "fixed.test", "").await.unwrap();
        assert_eq!(
            header(&answer, "strict-transport-security"),
            Some("max-age=700")
        );
    });
}
