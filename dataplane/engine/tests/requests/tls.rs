//! TLS at the edge over real sockets: who is shown, who is let in, and what cannot be slipped past.

use std::sync::Arc;

use meshnode_engine::edge_tls::{CertificateDocument, TicketKeyDocument, TicketKeysDocument};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, SignatureScheme};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ca::{Authority, Leaf, set_validity};
use super::manual::Manual;
use super::support::{Does, Origin, Proxy, header, run};
use super::upgrades::{AGREED, ASK};
use super::wait::until_async;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A client that believes every certificate: what is shown is looked at by the tests.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

pub fn client_config(leaf: Option<&Leaf>, is_old: bool) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = if is_old { &[&TLS12] } else { &[&TLS13] };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    match leaf {
        None => builder.with_no_client_auth(),
        Some(leaf) => {
            let chain = CertificateDer::pem_slice_iter(leaf.chain_pem.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap();
            let chain = chain.map(Result::unwrap).collect();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

/// A TLS connection to the proxy, by the server name; the error is the client's.
pub async fn connect(
    proxy: &Proxy,
    host: &str,
    config: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(proxy.address).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(config))
        .connect(name, tcp)
        .await
}

/// Sends a GET for `host` and gives the answer; none where the other side ended it.
pub async fn get(tls: &mut TlsStream<TcpStream>, host: &str, more: &str) -> Option<String> {
    let request = format!("GET /cart HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
    tls.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").map_or(0, |text| text.parse().unwrap());
            if body.len() >= length {
                return Some(text);
            }
        }
        if tls.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
}

/// An edge with TLS before an origin, whose routes take `shop.test` and all below `test`.
async fn edge(origin: &Origin, tls: &Value) -> Proxy {
    let tls = tls.clone();
    let proxy = Proxy::with(&[origin.address], move |resources| {
        resources["listeners"]["edge"]["tls"] = json!({});
        resources["routes"]["shop"]["hosts"] = json!(["shop.test", "*.test"]);
        resources["tls"] = tls;
    })
    .await;
    put_certificate(&proxy, "_default", "default");
    proxy
}

pub fn put_certificate(proxy: &Proxy, host: &str, name: &str) {
    let leaf = Authority::new().leaf(name, |params| {
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
    });
    let document = CertificateDocument {
        host: host.to_owned(),
        certificate_chain_pem: leaf.chain_pem,
        private_key_pem: leaf.key_pem,
    };
    let edge_tls = &proxy.worker.shared.edge_tls;
    edge_tls.put_certificate(&document).unwrap();
}

pub fn rule(authority: &Authority, mode: &str) -> Value {
    json!({"key": "mesh/tls/x", "index": 1,
           "client_certificates": {"mode": mode, "authorities_pem": authority.root_pem()}})
}

/// The common name of the certificate that was shown.
pub fn shown(tls: &TlsStream<TcpStream>) -> String {
    let der = &tls.get_ref().1.peer_certificates().unwrap()[0];
    let (_, certificate) = x509_parser::prelude::FromDer::from_der(der.as_ref())
        .map_err(|_| ())
        .unwrap();
    let certificate: x509_parser::certificate::X509Certificate<'_> = certificate;
    certificate.subject().to_string()
}

pub fn failures(proxy: &Proxy) -> String {
    format!("{:?}", proxy.worker.take_stats())
}

#[test]
fn the_certificate_is_that_of_the_host_then_of_its_wildcard_then_the_default() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = edge(&origin, &json!({})).await;
        put_certificate(&proxy, "shop.test", "exact");
        put_certificate(&proxy, "*.test", "wild");
        let config = Arc::new(client_config(None, false));
        for (host, wanted) in [
            ("shop.test", "CN=exact"),
            ("SHOP.test", "CN=exact"),
            ("other.test", "CN=wild"),
            ("deep.down.test", "CN=default"),
            ("elsewhere.example", "CN=default"),
            ("127.0.0.1", "CN=default"),
        ] {
            let tls = connect(&proxy, host, &config).await.unwrap();
            assert!(shown(&tls).contains(wanted), "{host}: {}", shown(&tls));
        }
    });
}

#[test]
fn a_request_by_tls_is_served_and_told_as_one() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = edge(&origin, &json!({})).await;
        for is_old in [false, true] {
            let config = Arc::new(client_config(None, is_old));
            let mut tls = connect(&proxy, "shop.test", &config).await.unwrap();
            for _ in 0..2 {
                let answer = get(&mut tls, "shop.test", "").await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                let seen = origin.request().await;
                assert_eq!(header(&seen, "x-forwarded-proto"), Some("https"));
                assert!(header(&seen, "forwarded").unwrap().ends_with("proto=https"));
            }
        }
    });
}

#[test]
fn a_certificate_put_later_is_shown_from_then_on_and_disturbs_nobody() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = edge(&origin, &json!({})).await;
        let config = Arc::new(client_config(None, false));
        let mut before = connect(&proxy, "shop.test", &config).await.unwrap();
        assert!(get(&mut before, "shop.test", "").await.is_some());
        put_certificate(&proxy, "shop.test", "new");
        let fresh = Arc::new(client_config(None, false));
        let after = connect(&proxy, "shop.test", &fresh).await.unwrap();
        assert!(shown(&after).contains("CN=new"));
        assert!(get(&mut before, "shop.test", "").await.is_some());
        proxy.worker.shared.edge_tls.remove_certificate("shop.test");
        let gone = connect(&proxy, "shop.test", &fresh).await.unwrap();
        assert!(shown(&gone).contains("CN=default"));
    });
}

#[test]
fn modern_speaks_no_tls_1_2_be_it_the_listeners_or_the_hosts_word() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let tls = json!({"new.test": {"key": "mesh/tls/new.test", "index": 1, "policy": "modern"}});
        let proxy = edge(&origin, &tls).await;
        let old = Arc::new(client_config(None, true));
        assert!(connect(&proxy, "shop.test", &old).await.is_ok());
        assert!(connect(&proxy, "new.test", &old).await.is_err());
        let new = Arc::new(client_config(None, false));
        assert!(connect(&proxy, "new.test", &new).await.is_ok());
        assert!(failures(&proxy).contains(r#"failures: {"incompatible": 1}"#));
    });
}

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

fn keys(byte: u8) -> TicketKeysDocument {
    TicketKeysDocument {
        keys: vec![TicketKeyDocument {
            secret: format!("{byte:02x}").repeat(32),
            makes_until_unix_s: u64::MAX,
            takes_until_unix_s: u64::MAX,
        }],
    }
}

/// Connects and asks once, so that the ticket of TLS 1.3 is read. Gives the kind of the handshake.
async fn once(proxy: &Proxy, host: &str, config: &Arc<ClientConfig>) -> HandshakeKind {
    let mut tls = connect(proxy, host, config).await.unwrap();
    assert!(get(&mut tls, host, "").await.is_some());
    tls.get_ref().1.handshake_kind().unwrap()
}

#[test]
fn a_session_goes_on_at_another_node_that_has_the_same_keys() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let first = edge(&origin, &json!({})).await;
        let second = edge(&origin, &json!({})).await;
        let third = edge(&origin, &json!({})).await;
        for (proxy, byte) in [(&first, 1), (&second, 1), (&third, 2)] {
            proxy
                .worker
                .shared
                .edge_tls
                .put_ticket_keys(&keys(byte))
                .unwrap();
        }
        for is_old in [false, true] {
            let config = Arc::new(client_config(None, is_old));
            assert_eq!(
                once(&first, "shop.test", &config).await,
                HandshakeKind::Full
            );
            assert_eq!(
                once(&second, "shop.test", &config).await,
                HandshakeKind::Resumed
            );
            assert_ne!(
                once(&third, "shop.test", &config).await,
                HandshakeKind::Resumed
            );
        }
        assert!(failures(&second).contains("resumed: 2"));
    });
}

/// FAULTS: no session goes on under another name, nor for a host that demands a certificate.
#[test]
fn a_session_crosses_no_host_and_no_rule_on_clients() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let authority = Authority::new();
        let tls = json!({"alice.test": rule(&authority, "required"), "may.test": rule(&authority, "optional")});
        let proxy = edge(&origin, &tls).await;
        let leaf = authority.leaf("alice", |_| {});
        for is_old in [false, true] {
            let mut config = client_config(Some(&leaf), is_old);
            // What a client keeps by the host it knows it by; the server is to see to it by itself.
            config.resumption = Resumption::in_memory_sessions(64);
            let config = Arc::new(config);
            for host in ["shop.test", "other.test", "alice.test", "may.test"] {
                assert_ne!(
                    once(&proxy, host, &config).await,
                    HandshakeKind::Resumed,
                    "{host}"
                );
            }
            assert_eq!(
                once(&proxy, "shop.test", &config).await,
                HandshakeKind::Resumed
            );
            for host in ["alice.test", "may.test"] {
                assert_ne!(
                    once(&proxy, host, &config).await,
                    HandshakeKind::Resumed,
                    "{host}"
                );
            }
        }
    });
}

#[test]
fn what_does_not_become_a_handshake_is_closed_and_counted_by_cause() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = edge(&origin, &json!({})).await;
        let mut in_clear = TcpStream::connect(proxy.address).await.unwrap();
        in_clear
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = in_clear.read_to_end(&mut answer).await;
        let mut silent = TcpStream::connect(proxy.address).await.unwrap();
        // The limit of these tests for a head is 300 ms.
        assert_eq!(silent.read_to_end(&mut answer).await.unwrap_or(0), 0);
        drop(TcpStream::connect(proxy.address).await.unwrap());
        until_async("its count", async || {
            failures(&proxy).contains(r#""closed": 1"#)
        })
        .await;
        let told = failures(&proxy);
        assert!(
            told.contains(r#""not_tls": 1"#) && told.contains(r#""timeout": 1"#),
            "{told}"
        );
    });
}

#[test]
fn handshakes_beyond_the_limit_are_closed_and_counted() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = edge(&origin, &json!({})).await;
        proxy.worker.handshakes.set(1024);
        let config = Arc::new(client_config(None, false));
        assert!(connect(&proxy, "shop.test", &config).await.is_err());
        assert!(failures(&proxy).contains(r#""limit": 1"#));
        proxy.worker.handshakes.set(1023);
        assert!(connect(&proxy, "shop.test", &config).await.is_ok());
        until_async("the end of the handshake", async || {
            tokio::task::yield_now().await;
            proxy.worker.handshakes.get() == 1023
        })
        .await;
    });
}

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
