//! Mutual TLS between nodes, both directions of the mesh hop. May not decide who may call whom.
//!
//! TLS 1.3 with ALPN `yamux` or `http/1.1`, both sides shown and verified, no resumption: each connection is proven anew.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{CommonState, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector, client, server};

use crate::clock;
use crate::error::{Error, Reason};
use crate::identity::{ALPN, ALPN_MUX, ALPN_STREAM, Identities, Identity};
use crate::spiffe::{self, SpiffeId};
use crate::trust::{self, Trust};

/// What is spoken inside the TLS of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1.
    Http,
    /// Channels with HTTP/1.1 in each; asked for, HTTP/1.1 where the other node knows none.
    Channels,
    /// A frame that opens a raw stream, and then that.
    Stream,
}

/// The two ends of an inbound connection, both proven.
#[derive(Debug, Clone)]
pub struct MeshPeer {
    /// The calling service, by the certificate it showed.
    pub source: Arc<str>,
    /// The service that was asked for, whose certificate was shown.
    pub destination: Arc<str>,
    /// What the caller's side is about to speak.
    pub speaks: Speaks,
    /// What both rest on.
    pub standing: Standing,
}

/// What a caller's name rests on. A handshake proves it for the moment; the connection may last for weeks.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The service that was asked for.
    identity: Arc<str>,
    /// What the caller showed.
    chain: Arc<[CertificateDer<'static>]>,
    /// The end of its leaf, in seconds since the epoch.
    not_after_unix_s: u64,
    /// What that service believed when it was verified.
    trust: Arc<Trust>,
    /// The state of the identities then.
    version: u64,
}

impl Standing {
    /// Whether a handshake would come to the same: the caller's certificate has not ended at `now`, counted from the
    /// epoch, and the identity it asked for is there and trusts it. Verified anew only where what is believed changed.
    pub fn holds(&mut self, identities: &Identities, now: Duration) -> bool {
        if self.rest(now).is_zero() {
            return false;
        }
        let version = identities.version();
        if self.version != version {
            let Some(identity) = identities.get(&self.identity) else {
                return false;
            };
            if !self.trust.is_like(&identity.trust) && !self.is_believed(&identity.trust) {
                return false;
            }
            self.trust = Arc::clone(&identity.trust);
            self.version = version;
        }
        true
    }

    fn is_believed(&self, trust: &Trust) -> bool {
        self.chain
            .split_first()
            .is_some_and(|(leaf, intermediates)| {
                let verified = trust.verify_client_cert(leaf, intermediates, UnixTime::now());
                verified.is_ok()
            })
    }

    /// How long the caller's certificate lasts, from `now` on.
    pub fn rest(&self, now: Duration) -> Duration {
        Duration::from_secs(self.not_after_unix_s).saturating_sub(now)
    }
}

/// Takes another node's connection: the certificate is the one its server name asks for, the
/// caller is verified against that identity's roots.
pub async fn accept(
    identities: &Arc<Identities>,
    tcp: TcpStream,
    timeout: Duration,
) -> Result<(server::TlsStream<TcpStream>, MeshPeer), Error> {
    let peer = tcp
        .peer_addr()
        .map_err(|error| failed_below("a node", &error))?;
    let refuse = |error: &io::Error| {
        let why = describe(error);
        Error::downstream(
            Reason::TlsFailed,
            format!("TLS with the node at {peer}: {why}"),
        )
    };
    let handshake = async {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp);
        let start = start.await.map_err(|error| refuse(&error))?;
        let asked = start.client_hello().server_name().map(str::to_owned);
        let version = identities.version();
        let found = asked.as_deref().and_then(|name| identities.find_sni(name));
        let Some(identity) = found else {
            // The handshake goes on only to tell the other side by an alert.
            let _ = start.into_stream(Arc::clone(&REFUSING)).await;
            return Err(not_served(peer, asked.as_deref()));
        };
        let stream = start.into_stream(Arc::clone(&identity.server_config)).await;
        let stream = stream.map_err(|error| refuse(&error))?;
        let source = proven(stream.get_ref().1).map_err(|why| {
            Error::downstream(
                Reason::TlsFailed,
                format!("TLS with the node at {peer}: {why}"),
            )
        })?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let peer = MeshPeer {
            source: source.id.service,
            destination: Arc::clone(&identity.name),
            speaks: source.speaks,
            standing: Standing {
                identity: Arc::clone(&identity.name),
                chain: chain.into(),
                not_after_unix_s: source.not_after_unix_s,
                trust: Arc::clone(&identity.trust),
                version,
            },
        };
        Ok((stream, peer))
    };
    in_time(timeout, handshake).await.unwrap_or_else(|| {
        let detail = format!("TLS with the node at {peer} was not done after {timeout:?}");
        Err(Error::downstream(Reason::TlsFailed, detail))
    })
}

/// Whom a connection to another node is for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The service it has to prove to be.
    pub service: &'a str,
    /// And the datacenter.
    pub datacenter: &'a str,
    /// What is to be spoken inside.
    pub speaks: Speaks,
}

/// Shows `identity` to another node and demands that it is exactly whom is `asked` for. Beside the stream: how long both
/// certificates last. A refusal of our own arrives only with the first read (RFC 8446 §4.4.2.4): see [`refusal`].
pub async fn connect(
    identity: &Identity,
    asked: &Asked<'_>,
    tcp: TcpStream,
    timeout: Duration,
) -> Result<(client::TlsStream<TcpStream>, Duration), Error> {
    let Asked {
        service,
        datacenter,
        speaks,
    } = *asked;
    let fail = |why: String| {
        let detail = format!("the other node did not prove to be {service:?}: {why}");
        // Nothing of the request was sent, so another endpoint may be tried.
        Error::upstream(Reason::TlsFailed, detail).retryable()
    };
    let sni = spiffe::sni(service, datacenter, &identity.spiffe.trust_domain)
        .map_err(|error| fail(error.to_string()))?;
    let name = ServerName::try_from(sni).map_err(|error| fail(error.to_string()))?;
    let connector = TlsConnector::from(Arc::clone(&identity.client_config));
    let protocols = match speaks {
        Speaks::Http => &[ALPN][..],
        Speaks::Channels => &[ALPN_MUX, ALPN],
        Speaks::Stream => &[ALPN_STREAM],
    };
    let protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let handshake = async {
        let stream = connector
            .with_alpn(protocols)
            .connect(name, tcp)
            .await
            .map_err(|error| fail(describe(&error)))?;
        let found = proven(stream.get_ref().1).map_err(fail)?;
        // The verifier compared without case, as server names are; services are told apart by it.
        if *found.id.service == *service && *found.id.datacenter == *datacenter {
            let end = found.not_after_unix_s.min(identity.not_after_unix_s);
            let now = Duration::from_nanos(clock::unix_ns());
            Ok((stream, Duration::from_secs(end).saturating_sub(now)))
        } else {
            Err(fail(format!("it is {}", found.id)))
        }
    };
    in_time(timeout, handshake).await.unwrap_or_else(|| {
        let detail = format!("TLS with {service:?} was not done after {timeout:?}");
        Err(Error::upstream(Reason::ConnectTimeout, detail).retryable())
    })
}

/// The error of a read or write on a TLS stream, if it is one of TLS: above all the alert by which
/// the other node refuses our certificate. The request was not acted upon then.
pub fn refusal(error: &io::Error) -> Option<Error> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let detail = format!("TLS with the other node: {}", trust::sentence(inner));
    let refused = Error::upstream(Reason::TlsFailed, detail);
    let is_alert = matches!(inner, rustls::Error::AlertReceived(_));
    Some(if is_alert {
        refused.retryable()
    } else {
        refused
    })
}

/// For handshakes that ask for nobody here: has no certificate, so that rustls answers by an alert.
static REFUSING: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let config = ServerConfig::builder_with_provider(Arc::clone(&trust::PROVIDER))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider speaks TLS 1.3, as any handshake's test shows")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(NoCertificate));
    Arc::new(config)
});

#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

/// What a verified certificate says.
struct Proven {
    id: SpiffeId,
    not_after_unix_s: u64,
    speaks: Speaks,
}

/// Who the verified other side is, and that it speaks our protocol.
fn proven(state: &CommonState) -> Result<Proven, String> {
    let speaks = match state.alpn_protocol() {
        Some(ALPN) => Speaks::Http,
        Some(ALPN_MUX) => Speaks::Channels,
        Some(ALPN_STREAM) => Speaks::Stream,
        _ => return Err("it does not speak http/1.1 inside TLS (ALPN)".to_owned()),
    };
    let leaf: &CertificateDer<'_> = state
        .peer_certificates()
        .and_then(<[_]>::first)
        .ok_or_else(|| "it showed no certificate".to_owned())?;
    let certificate = trust::read(leaf)?;
    let id = SpiffeId::of_certificate(&certificate).map_err(|error| error.to_string())?;
    let not_after_unix_s = trust::seconds(certificate.validity().not_after.timestamp());
    Ok(Proven {
        id,
        not_after_unix_s,
        speaks,
    })
}

fn not_served(peer: SocketAddr, asked: Option<&str>) -> Error {
    let detail = match asked {
        Some(name) => {
            format!("the node at {peer} asked for {name:?}, which has no identity on this node")
        }
        None => format!("the node at {peer} did not say whom it asks for (no server name)"),
    };
    Error::downstream(Reason::TlsFailed, detail)
}

fn failed_below(who: &str, error: &io::Error) -> Error {
    Error::downstream(
        Reason::TlsFailed,
        format!("{who} went away before TLS began: {error}"),
    )
}

fn describe(error: &io::Error) -> String {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(inner) => trust::sentence(inner),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the other side closed during the handshake".to_owned()
        }
        None => error.to_string(),
    }
}

async fn in_time<T>(timeout: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(clock::now() + timeout, work)
        .await
        .ok()
}
