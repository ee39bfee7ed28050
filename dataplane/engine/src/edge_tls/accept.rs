//! A handshake with a stranger: by the server name to the certificate and to what is demanded. It may not go on by
//! other settings than those of the host that was asked for.

use std::io;
use std::sync::{Arc, LazyLock};

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, server};

use super::EdgeTls;
use super::certificate::{ByName, Certificates};
use super::secured::{ClientCertificate, Secured};
use crate::client_hello::normal;
use crate::clock::Instant;
use crate::snapshot::TlsPolicy;
use crate::trust::{self, PROVIDER};

/// Why a handshake came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// What it is counted under: docs/boundary.md has them all.
    pub cause: &'static str,
    /// One sentence for a person.
    pub sentence: String,
}

impl Failure {
    /// One of a cause, with what there is to say of it.
    pub fn new(cause: &'static str, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { cause, sentence }
    }

    /// The client took too long.
    pub fn late() -> Self {
        Self::new("timeout", "the handshake was not done in time")
    }

    /// The client went away.
    pub fn gone() -> Self {
        Self::new("closed", "the client closed during the handshake")
    }
}

/// Takes a stranger's connection by TLS, until then; `seen` was read of it already.
pub async fn accept(
    edge: &EdgeTls,
    policy: TlsPolicy,
    tcp: TcpStream,
    seen: &[u8],
    deadline: Instant,
) -> Result<(server::TlsStream<TcpStream>, Secured), Failure> {
    let handshake = handshake(edge, policy, tcp, seen);
    let done = tokio::time::timeout_at(deadline, handshake).await;
    done.unwrap_or_else(|_| Err(Failure::late()))
}

async fn handshake(
    edge: &EdgeTls,
    policy: TlsPolicy,
    tcp: TcpStream,
    seen: &[u8],
) -> Result<(server::TlsStream<TcpStream>, Secured), Failure> {
    let start = begin(tcp, seen).await.map_err(|error| failure(&error))?;
    let sni = start.client_hello().server_name().map(normal);
    let chosen = edge.configs.load().choose(sni.as_deref(), policy);
    let chosen = match chosen {
        Ok(chosen) => chosen,
        Err(sentence) => {
            // The handshake goes on only to tell the other side by an alert.
            let _ = start.into_stream(Arc::clone(&REFUSING)).await;
            let host = sni.as_deref().unwrap_or("no host");
            return Err(Failure::new("no_settings", format!("{host}: {sentence}")));
        }
    };
    let stream = start.into_stream(chosen.config).await;
    let stream = stream.map_err(|error| failure(&error))?;
    let shown = stream.get_ref().1.peer_certificates();
    let client = shown
        .and_then(<[_]>::first)
        .map(ClientCertificate::of)
        .transpose()
        .map_err(|sentence| Failure::new("client_certificate", sentence))?;
    let secured = Secured {
        sni,
        rule: chosen.rule,
        client,
    };
    Ok((stream, secured))
}

/// The handshake once the hello is there, of which `seen` was read already.
async fn begin(mut tcp: TcpStream, mut seen: &[u8]) -> io::Result<StartHandshake<TcpStream>> {
    let mut acceptor = Acceptor::default();
    if !seen.is_empty() {
        while !seen.is_empty() {
            acceptor.read_tls(&mut seen)?;
        }
        // What was read may be all: then nothing more comes before an answer.
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(StartHandshake::from_parts(accepted, tcp)),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write_all(&mut bytes)?;
                // Whoever is gone needs no telling.
                let _ = tcp.write_all(&bytes).await;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
    LazyConfigAcceptor::new(acceptor, tcp).await
}

/// For handshakes that nobody is let in by: has no certificate, so that rustls answers by an alert.
static REFUSING: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("the provider speaks both versions, as any handshake's test shows")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName(Arc::<Certificates>::default())));
    Arc::new(config)
});

fn failure(error: &io::Error) -> Failure {
    use rustls::Error as Tls;
    let Some(inner) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Tls>())
    else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => Failure::gone(),
            _ => Failure::new("other", error.to_string()),
        };
    };
    let cause = match inner {
        Tls::NoCertificatesPresented | Tls::InvalidCertificate(_) => "client_certificate",
        Tls::PeerIncompatible(_) | Tls::NoApplicationProtocol => "incompatible",
        Tls::InvalidMessage(_) => "not_tls",
        Tls::PeerMisbehaved(_)
        | Tls::InappropriateMessage { .. }
        | Tls::InappropriateHandshakeMessage { .. }
        | Tls::DecryptError => "misbehaved",
        Tls::AlertReceived(_) => "alert",
        _ => "other",
    };
    Failure::new(cause, sentence(inner))
}

fn sentence(error: &rustls::Error) -> String {
    match error {
        rustls::Error::NoCertificatesPresented => {
            "the client showed no certificate, which this host demands".to_owned()
        }
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "the client's certificate is not signed by an authority of this host".to_owned()
        }
        error => trust::sentence(error),
    }
}
