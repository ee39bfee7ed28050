//! TLS at the edge over real sockets: which certificate is shown, what is spoken, what becomes no handshake.

use std::sync::Arc;

use meshnode_engine::edge_tls::CertificateDocument;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::believes_all::BelievesAll;
use super::ca::{Authority, Leaf};
use super::support::{Does, Origin, Proxy, header, run};
use super::wait::until_async;

pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub fn client_config(leaf: Option<&Leaf>, is_old: bool) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = if is_old { &[&TLS12] } else { &[&TLS13] };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BelievesAll));
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
pub async fn edge(origin: &Origin, tls: &Value) -> Proxy {
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
fn beyond_the_limit_the_oldest_handshake_gives_way() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["listeners"]["edge"]["tls"] = json!({});
            let limits = &mut resources["settings"]["node"]["limits"];
            limits["tls_handshakes"] = json!(3);
            limits["head_timeout_ms"] = json!(600_000);
        })
        .await;
        put_certificate(&proxy, "_default", "default");
        let mut silent = Vec::new();
        for _ in 0..4 {
            silent.push(TcpStream::connect(proxy.address).await.unwrap());
        }
        // Who wants in gets in, however many only hold a place: of these one went for the fourth, one for the client.
        let config = Arc::new(client_config(None, false));
        for _ in 0..2 {
            assert!(connect(&proxy, "shop.test", &config).await.is_ok());
            assert!(failures(&proxy).contains(r#""limit": 2"#));
        }
        let mut nothing = [0];
        assert_eq!(silent[0].read(&mut nothing).await.unwrap_or(0), 0);
    });
}
