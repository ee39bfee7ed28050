//! Two sides that meet: our own, and strangers who call or are called with whatever they like.

use std::sync::Arc;
use std::time::Duration;

use crate::support::believes_all::BelievesAll;
use crate::support::ca::{Authority, Leaf, TRUST_DOMAIN, asked};
use meshnode_engine::error::{Error, Reason, Who};
use meshnode_engine::identity::Identities;
use meshnode_engine::tls::{self, MeshPeer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use tokio::net::{TcpListener, TcpStream};

pub const TIMEOUT: Duration = Duration::from_secs(10);

pub type Accepted = Result<(tokio_rustls::server::TlsStream<TcpStream>, MeshPeer), Error>;

pub fn identities_of(authority: &Authority, services: &[&str]) -> Arc<Identities> {
    let identities = Arc::new(Identities::default());
    for service in services {
        identities.put(&authority.document(service)).unwrap();
    }
    identities
}

pub async fn meet(
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
pub async fn meet_by(
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
            let connected = tls::connect(&identity, &asked(destination), tcp, TIMEOUT).await;
            connected.map(|(tls, _)| tls)
        },
    )
}

/// A stranger calls us, with whatever it likes; what it reads first tells how it went for it.
pub async fn call_with(
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

pub async fn refuse_caller(
    identities: &Arc<Identities>,
    config: ClientConfig,
    name: &str,
) -> Error {
    let (accepted, _) = call_with(identities, config, name).await;
    let error = accepted.map(|(_, peer)| peer).unwrap_err();
    assert_eq!(
        (error.reason, error.who),
        (Reason::TlsFailed, Who::Downstream)
    );
    error
}

pub async fn check_caller_is_refused(
    identities: &Arc<Identities>,
    leaf: &Leaf,
    case: &str,
    wanted: &str,
) {
    let error = refuse_caller(identities, client_config(leaf), &sni("cart")).await;
    assert!(error.detail.contains(wanted), "{case}: {error}");
}

pub async fn check_server_is_refused(
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
            tls::connect(&identity, &asked(service), tcp, TIMEOUT).await
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

pub async fn listen() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub fn sni(service: &str) -> String {
    format!("{service}.default.dc1.internal.{TRUST_DOMAIN}")
}

impl Leaf {
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.chain_pem.as_bytes())
            .map(Result::unwrap)
            .collect()
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).unwrap()
    }
}

pub fn client_config(leaf: &Leaf) -> ClientConfig {
    with_alpn(
        client_builder()
            .with_client_auth_cert(leaf.chain(), leaf.key())
            .unwrap(),
    )
}

pub fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

pub fn client_builder() -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BelievesAll))
}
