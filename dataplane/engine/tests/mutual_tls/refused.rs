//! Who is not believed, and the sentence that says why.

use std::sync::Arc;

use crate::meeting::{
    TIMEOUT, call_with, check_caller_is_refused, check_server_is_refused, client_builder,
    client_config, identities_of, listen, meet_by, refuse_caller, sni, with_alpn,
};
use crate::support::believes_all::BelievesAll;
use crate::support::ca::{Authority, TRUST_DOMAIN, asked, self_signed, set_validity, spiffe, uri};
use meshnode_engine::error::{Reason, Who};
use meshnode_engine::identity::Identities;
use meshnode_engine::tls::{self};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, SanType};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A forgery: what is done to a good leaf, and a part of the sentence that refuses it.
type Forgery = (&'static str, fn(&mut CertificateParams), &'static str);

/// Certificates that neither side may believe, whoever signed them.
const FORGERIES: &[Forgery] = &[
    ("expired", |p| set_validity(p, -3600, -60), "expired"),
    (
        "not valid yet",
        |p| set_validity(p, 60, 3600),
        "not valid yet",
    ),
    ("no name", |p| p.subject_alt_names.clear(), "0 URI names"),
    (
        "only a DNS name",
        |p| p.subject_alt_names = vec![SanType::DnsName("web".try_into().unwrap())],
        "0 URI names",
    ),
    (
        "two URI names",
        |p| p.subject_alt_names.push(uri(&spiffe("billing"))),
        "2 URI names",
    ),
    (
        "the same URI name twice",
        |p| p.subject_alt_names.push(uri(&spiffe("web"))),
        "2 URI names",
    ),
    (
        "a NUL in the name",
        |p| set_name(p, "web\0.billing"),
        "only letters",
    ),
    ("a NUL at the end", |p| set_name(p, "web\0"), "only letters"),
    (
        "an encoded letter",
        |p| set_name(p, "%77eb"),
        "only letters",
    ),
    (
        "an encoded slash",
        |p| set_name(p, "web%2Fx"),
        "only letters",
    ),
    (
        "another shape",
        |p| set_uri(p, "/ns/default/dc/dc1/svc/web/x"),
        "the form is",
    ),
    (
        "another namespace",
        |p| set_uri(p, "/ns/other/dc/dc1/svc/web"),
        "the form is",
    ),
    (
        "a gateway's shape",
        |p| set_uri(p, "/gateway/mesh/dc/dc1"),
        "the form is",
    ),
    (
        "another mesh",
        |p| p.subject_alt_names = vec![uri("spiffe://other.consul/ns/default/dc/dc1/svc/web")],
        "another mesh",
    ),
    (
        "a mesh that only begins the same",
        |p| {
            let longer = format!("spiffe://{TRUST_DOMAIN}.evil/ns/default/dc/dc1/svc/web");
            p.subject_alt_names = vec![uri(&longer)];
        },
        "another mesh",
    ),
    (
        "another datacenter",
        |p| set_uri(p, "/ns/default/dc/dc2/svc/web"),
        "dc2",
    ),
    (
        "no usage",
        |p| p.extended_key_usages.clear(),
        "no extended key usage",
    ),
    (
        "a usage for code",
        |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning],
        "not good",
    ),
    (
        "an authority",
        |p| p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
        "CaUsedAs",
    ),
];

fn set_name(params: &mut CertificateParams, service: &str) {
    params.subject_alt_names = vec![uri(&spiffe(service))];
}

fn set_uri(params: &mut CertificateParams, path: &str) {
    params.subject_alt_names = vec![uri(&format!("spiffe://{TRUST_DOMAIN}{path}"))];
}

#[tokio::test]
async fn a_forged_caller_is_refused() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["cart"]);
    for (name, change, wanted) in FORGERIES {
        let leaf = authority.leaf("web", change);
        check_caller_is_refused(&identities, &leaf, name, wanted).await;
    }
    let only_server: Forgery = (
        "a certificate for servers only",
        |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
        "not good",
    );
    let leaf = authority.leaf("web", only_server.1);
    check_caller_is_refused(&identities, &leaf, only_server.0, only_server.2).await;
    let root = "not signed by a root";
    check_caller_is_refused(&identities, &self_signed("web"), "self-signed", root).await;
    let foreign = Authority::new().leaf("web", |_| {});
    check_caller_is_refused(&identities, &foreign, "signed by another mesh", root).await;
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_refused() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["cart"]);
    let config = client_builder().with_no_client_auth();
    let error = refuse_caller(&identities, with_alpn(config), &sni("cart")).await;
    assert!(error.detail.contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_forged_server_is_refused() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["web"]);
    for (name, change, wanted) in FORGERIES {
        // The forgeries say "web", so that is who is asked for.
        let leaf = authority.leaf("web", change);
        check_server_is_refused(&identities, "web", &leaf, name, wanted).await;
    }
    let leaf = authority.leaf("web", |p| {
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    check_server_is_refused(&identities, "web", &leaf, "for clients only", "not good").await;
    let root = "not signed by a root";
    check_server_is_refused(&identities, "web", &self_signed("web"), "self-signed", root).await;
    let foreign = Authority::new().leaf("web", |_| {});
    check_server_is_refused(&identities, "web", &foreign, "of another authority", root).await;
}

#[tokio::test]
async fn a_server_is_exactly_the_one_asked_for() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["web"]);
    for other in ["billing", "web2", "we", "web.default"] {
        let leaf = authority.leaf(other, |_| {});
        check_server_is_refused(&identities, "web", &leaf, other, "answered by").await;
    }
    // The same server name, but not the same service: names of services have case.
    let leaf = authority.leaf("Web", |_| {});
    check_server_is_refused(&identities, "web", &leaf, "Web", "it is spiffe://").await;
}

#[tokio::test]
async fn an_unknown_server_name_is_refused_and_named() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["cart"]);
    let config = client_config(&authority.leaf("web", |_| {}));
    for (name, part) in [
        (sni("nobody"), sni("nobody")),
        ("cart".to_owned(), "\"cart\"".to_owned()),
        (sni("cart").replace("dc1", "dc2"), "dc2".to_owned()),
        ("10.0.0.1".to_owned(), "did not say".to_owned()),
    ] {
        let (accepted, met) = call_with(&identities, config.clone(), &name).await;
        let error = accepted.map(|(_, peer)| peer).unwrap_err();
        assert_eq!(
            (error.reason, error.who),
            (Reason::TlsFailed, Who::Downstream)
        );
        assert!(error.detail.contains(&part), "{error}");
        let told = met.unwrap_err().to_string();
        assert!(
            told.contains("alert") && told.contains("AccessDenied"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn an_expired_root_is_not_believed() {
    let expired = Authority::with(|p| set_validity(p, -7200, -60));
    let identities = Arc::new(Identities::default());
    let mut document = Authority::new().document("cart");
    document.roots_pem.push_str(&expired.root_pem());
    identities.put(&document).unwrap();
    let leaf = expired.leaf("web", |_| {});
    check_caller_is_refused(&identities, &leaf, "expired root", "root that signed it").await;
}

#[tokio::test]
async fn an_older_tls_is_refused() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["cart"]);
    let leaf = authority.leaf("web", |_| {});
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BelievesAll))
        .with_client_auth_cert(leaf.chain(), leaf.key())
        .unwrap();
    refuse_caller(&identities, with_alpn(config), &sni("cart")).await;
}

#[tokio::test]
async fn another_protocol_inside_tls_is_refused() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["cart"]);
    let leaf = authority.leaf("web", |_| {});
    for protocols in [vec![], vec![b"h2".to_vec()]] {
        let mut config = client_config(&leaf);
        config.alpn_protocols = protocols;
        refuse_caller(&identities, config, &sni("cart")).await;
    }
}

#[tokio::test]
async fn a_session_is_never_resumed() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["cart"]);
    // One client config for both calls: it would resume if it were given a ticket.
    let config = client_config(&authority.leaf("web", |_| {}));
    for _ in 0..2 {
        let (accepted, _) = call_with(&identities, config.clone(), &sni("cart")).await;
        let (stream, _) = accepted.unwrap();
        assert_eq!(
            stream.get_ref().1.handshake_kind(),
            Some(rustls::HandshakeKind::Full)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_dropped_in_time() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["cart"]);
    let (listener, address) = listen().await;
    let silent = TcpStream::connect(address).await.unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    let error = tls::accept(&identities, tcp, TIMEOUT)
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(error.detail.contains("was not done after 10s"), "{error}");
    let web = identities.get("cart").unwrap();
    let error = tls::connect(&web, &asked("x"), silent, TIMEOUT)
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(error.is_retryable, "{error}");
}

#[tokio::test]
async fn bytes_that_are_no_tls_are_refused() {
    let identities = identities_of(&Authority::new(), &["cart"]);
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[0; 64],
        &[0x16, 3, 1, 0xff, 0xff],
    ] {
        let (listener, address) = listen().await;
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        tcp.shutdown().await.unwrap();
        let accepted = tls::accept(&identities, listener.accept().await.unwrap().0, TIMEOUT).await;
        assert_eq!(accepted.map(|_| ()).unwrap_err().reason, Reason::TlsFailed);
    }
}

#[tokio::test]
async fn a_refusal_of_our_own_certificate_is_told_apart() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let cart = identities_of(&theirs, &["cart"]);
    let web = Arc::new(Identities::default());
    let mut document = ours.document("web");
    document.roots_pem.push_str(&theirs.root_pem());
    web.put(&document).unwrap();
    let (accepted, connected) = meet_by(&web, &cart, "web", "cart").await;
    assert!(accepted.is_err());
    // In TLS 1.3 the caller is done before the other side has looked at its certificate.
    let mut stream = connected.unwrap();
    let error = stream.read(&mut [0; 1]).await.unwrap_err();
    let refusal = tls::refusal(&error).unwrap();
    assert!(refusal.is_retryable && refusal.reason == Reason::TlsFailed);
    assert!(refusal.detail.contains("refused"), "{refusal}");
    assert!(tls::refusal(&std::io::Error::other("a cable")).is_none());
}
