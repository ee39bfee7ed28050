//! The mesh hop's handshake over real sockets: who is believed, and with which sentence the others are refused.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use meshnode_engine::error::{Error, Reason, Who};
use meshnode_engine::identity::Identities;
use meshnode_engine::tls::{self, MeshPeer};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use support::ca::{Authority, Leaf, TRUST_DOMAIN, self_signed, set_validity, spiffe, uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TIMEOUT: Duration = Duration::from_secs(10);

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
async fn both_sides_prove_who_they_are_and_bytes_flow() {
    let authority = Authority::new();
    let (accepted, connected) = meet(&authority, "web", "cart").await;
    let (mut inbound, peer) = accepted.unwrap();
    let mut outbound = connected.unwrap();
    assert_eq!((&*peer.source, &*peer.destination), ("web", "cart"));
    outbound.write_all(b"hello").await.unwrap();
    let mut bytes = [0; 5];
    inbound.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hello");
    let (_, state) = inbound.get_ref();
    assert_eq!(
        state.protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );
    assert_eq!(state.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(state.handshake_kind(), Some(rustls::HandshakeKind::Full));
}

#[tokio::test]
async fn a_chain_may_have_an_intermediate() {
    let root = Authority::new();
    let intermediate = root.intermediate();
    let identities = Arc::new(Identities::default());
    for service in ["web", "cart"] {
        let mut leaf = intermediate.leaf(service, |_| {});
        leaf.chain_pem.push_str(&intermediate.root_pem());
        identities.put(&root.document_of(service, leaf)).unwrap();
    }
    let (accepted, connected) = meet_by(&identities, &identities, "web", "cart").await;
    assert_eq!(&*accepted.unwrap().1.source, "web");
    connected.unwrap();
}

#[tokio::test]
async fn other_kinds_of_keys_are_taken() {
    let authority = Authority::new();
    for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let identities = Arc::new(Identities::default());
        for service in ["web", "cart"] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let leaf = authority.leaf_for(service, &key, |_| {});
            identities
                .put(&authority.document_of(service, leaf))
                .unwrap();
        }
        let (accepted, _) = meet_by(&identities, &identities, "web", "cart").await;
        assert_eq!(&*accepted.unwrap().1.source, "web");
    }
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
async fn the_trust_domain_has_no_case() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["cart"]);
    let leaf = authority.leaf("web", |p| {
        let upper = TRUST_DOMAIN.to_ascii_uppercase();
        p.subject_alt_names = vec![uri(&format!("spiffe://{upper}/ns/default/dc/dc1/svc/web"))];
    });
    let (accepted, _) = call_with(&identities, client_config(&leaf), &sni("cart")).await;
    assert_eq!(&*accepted.unwrap().1.source, "web");
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
async fn the_server_name_picks_the_certificate() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["web", "cart", "billing"]);
    for service in ["cart", "billing"] {
        let (accepted, _) = meet_by(&identities, &identities, "web", service).await;
        assert_eq!(&*accepted.unwrap().1.destination, service);
    }
    let config = client_config(&authority.leaf("web", |_| {}));
    let (accepted, _) = call_with(&identities, config, &sni("CART")).await;
    assert_eq!(&*accepted.unwrap().1.destination, "cart");
}

#[tokio::test]
async fn the_next_handshake_uses_what_was_put() {
    let old = Authority::new();
    let new = Authority::new();
    let identities = identities_of(&old, &["web", "cart"]);
    let web = identities.get("web").unwrap();
    let (listener, address) = listen().await;
    let call = async |web: Arc<meshnode_engine::identity::Identity>| {
        let (accepted, connected) = tokio::join!(
            async { tls::accept(&identities, listener.accept().await.unwrap().0, TIMEOUT).await },
            async {
                let tcp = TcpStream::connect(address).await.unwrap();
                tls::connect(&web, "cart", "dc1", tcp, TIMEOUT).await
            },
        );
        (accepted.map(|(_, peer)| peer), connected.map(|_| ()))
    };
    call(Arc::clone(&web)).await.0.unwrap();
    for service in ["web", "cart"] {
        identities.put(&new.document(service)).unwrap();
    }
    let (accepted, connected) = call(web).await;
    assert!(
        accepted.is_err() && connected.is_err(),
        "the old certificate was still believed"
    );
    call(identities.get("web").unwrap()).await.0.unwrap();
    assert!(identities.remove("cart"));
    let (accepted, _) = call(identities.get("web").unwrap()).await;
    assert!(
        accepted
            .unwrap_err()
            .detail
            .contains("no identity on this node")
    );
}

#[tokio::test]
async fn during_a_rotation_both_roots_are_believed() {
    let (old, new) = (Authority::new(), Authority::new());
    let both = format!("{}{}", new.root_pem(), old.root_pem());
    let put = |authority: &Authority, service: &str| {
        let identities = Arc::new(Identities::default());
        let mut document = authority.document(service);
        document.roots_pem.clone_from(&both);
        identities.put(&document).unwrap();
        identities
    };
    for (callers, called) in [(&old, &new), (&new, &old)] {
        let (web, cart) = (put(callers, "web"), put(called, "cart"));
        let (accepted, connected) = meet_by(&web, &cart, "web", "cart").await;
        connected.unwrap();
        assert_eq!(&*accepted.unwrap().1.source, "web");
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
    let error = tls::connect(&web, "x", "dc1", silent, TIMEOUT)
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

#[tokio::test]
async fn a_root_that_has_ended_hides_none_that_has_not() {
    let old = Authority::with(|params| set_validity(params, -7200, -60));
    let new = Authority::new();
    let mut document = new.document("cart");
    // While roots rotate, each path is shown: to the new root, and by its cross certificate to the old one.
    document.certificate_chain_pem += &old.cross_sign(&new);
    document.roots_pem = old.root_pem() + &new.root_pem();
    let identities = Arc::new(Identities::default());
    identities.put(&document).unwrap();
    let mut caller = new.document("web");
    caller.certificate_chain_pem += &old.cross_sign(&new);
    caller.roots_pem = old.root_pem() + &new.root_pem();
    identities.put(&caller).unwrap();
    let (accepted, connected) = meet_by(&identities, &identities, "web", "cart").await;
    assert!(accepted.is_ok() && connected.is_ok());
}

type Accepted = Result<(tokio_rustls::server::TlsStream<TcpStream>, MeshPeer), Error>;

fn identities_of(authority: &Authority, services: &[&str]) -> Arc<Identities> {
    let identities = Arc::new(Identities::default());
    for service in services {
        identities.put(&authority.document(service)).unwrap();
    }
    identities
}

async fn meet(
    authority: &Authority,
    source: &str,
    destination: &str,
) -> (
    Accepted,
    Result<tokio_rustls::client::TlsStream<TcpStream>, Error>,
) {
    let identities = identities_of(authority, &[source, destination]);
    meet_by(&identities, &identities, source, destination).await
}

/// One handshake between our own two sides.
async fn meet_by(
    callers: &Arc<Identities>,
    called: &Arc<Identities>,
    source: &str,
    destination: &str,
) -> (
    Accepted,
    Result<tokio_rustls::client::TlsStream<TcpStream>, Error>,
) {
    let (listener, address) = listen().await;
    let identity = callers.get(source).unwrap();
    tokio::join!(
        async { tls::accept(called, listener.accept().await.unwrap().0, TIMEOUT).await },
        async {
            let tcp = TcpStream::connect(address).await.unwrap();
            let connected = tls::connect(&identity, destination, "dc1", tcp, TIMEOUT).await;
            connected.map(|(tls, _)| tls)
        },
    )
}

/// A stranger calls us, with whatever it likes; what it reads first tells how it went for it.
async fn call_with(
    identities: &Arc<Identities>,
    config: ClientConfig,
    name: &str,
) -> (Accepted, std::io::Result<()>) {
    let (listener, address) = listen().await;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    tokio::join!(
        async { tls::accept(identities, listener.accept().await.unwrap().0, TIMEOUT).await },
        async {
            let tcp = TcpStream::connect(address).await.unwrap();
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            connector.connect(name, tcp).await.map(|_| ())
        },
    )
}

async fn refuse_caller(identities: &Arc<Identities>, config: ClientConfig, name: &str) -> Error {
    let (accepted, _) = call_with(identities, config, name).await;
    let error = accepted.map(|(_, peer)| peer).unwrap_err();
    assert_eq!(
        (error.reason, error.who),
        (Reason::TlsFailed, Who::Downstream)
    );
    error
}

async fn check_caller_is_refused(
    identities: &Arc<Identities>,
    leaf: &Leaf,
    case: &str,
    wanted: &str,
) {
    let error = refuse_caller(identities, client_config(leaf), &sni("cart")).await;
    assert!(error.detail.contains(wanted), "{case}: {error}");
}

async fn check_server_is_refused(
    identities: &Arc<Identities>,
    service: &str,
    leaf: &Leaf,
    case: &str,
    wanted: &str,
) {
    let (listener, address) = listen().await;
    let identity = identities.get("web").unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(leaf.chain(), leaf.key())
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (_, connected) = tokio::join!(
        async {
            acceptor
                .accept(listener.accept().await.unwrap().0)
                .await
                .map(|_| ())
        },
        async {
            let tcp = TcpStream::connect(address).await.unwrap();
            tls::connect(&identity, service, "dc1", tcp, TIMEOUT).await
        },
    );
    let error = connected.map(|_| ()).expect_err(case);
    assert_eq!(
        (error.reason, error.who),
        (Reason::TlsFailed, Who::Upstream)
    );
    assert!(error.is_retryable, "nothing of the request was sent");
    assert!(error.detail.contains(wanted), "{case}: {error}");
}

async fn listen() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn sni(service: &str) -> String {
    format!("{service}.default.dc1.internal.{TRUST_DOMAIN}")
}

impl Leaf {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.chain_pem.as_bytes())
            .map(Result::unwrap)
            .collect()
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).unwrap()
    }
}

fn client_config(leaf: &Leaf) -> ClientConfig {
    with_alpn(
        client_builder()
            .with_client_auth_cert(leaf.chain(), leaf.key())
            .unwrap(),
    )
}

fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn client_builder() -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BelievesAll))
}

/// A stranger's side believes whatever it meets.
#[derive(Debug)]
struct BelievesAll;

impl ServerCertVerifier for BelievesAll {
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
