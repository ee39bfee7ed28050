//! TLS towards an instance that ends it itself. It may not decide whom to believe, and never goes on in clear.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{Error, Reason};
use crate::snapshot::{InstanceTls, Protocol};
use crate::trust;

/// So many settings are kept ready; with more they are made anew now and then.
const KEPT: usize = 256;

/// The settings of one thread's handshakes, made with the first of each.
#[derive(Debug, Default)]
pub struct InstanceConfigs(RefCell<HashMap<u64, Arc<ClientConfig>>>);

impl InstanceConfigs {
    /// What is believed and spoken. An error: an authority that is none.
    fn get(&self, tls: &InstanceTls) -> Result<Arc<ClientConfig>, rustls::Error> {
        let mut kept = self.0.borrow_mut();
        if let Some(config) = kept.get(&tls.number) {
            return Ok(Arc::clone(config));
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        let config = Arc::new(config(tls)?);
        kept.insert(tls.number, Arc::clone(&config));
        Ok(config)
    }
}

/// The machine's own authorities, read once.
static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "an authority of this machine can not be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    Arc::new(roots)
});

fn config(tls: &InstanceTls) -> Result<ClientConfig, rustls::Error> {
    let roots = match &tls.authorities {
        None => Arc::clone(&SYSTEM),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(authority.clone())?;
            }
            Arc::new(roots)
        }
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&trust::PROVIDER))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![match tls.protocol {
        Protocol::Http | Protocol::Auto => b"http/1.1".to_vec(),
        Protocol::Http2 => b"h2".to_vec(),
    }];
    // Connections are kept; a ticket that comes while one idles would make it look as if it spoke unasked.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Secures a connection to an instance, which has to prove to be whom its service names. Nothing was sent of a request
/// where that fails: another instance may be tried.
pub async fn connect(
    configs: &InstanceConfigs,
    tls: &InstanceTls,
    tcp: TcpStream,
    address: SocketAddr,
    most: Duration,
) -> Result<TlsStream<TcpStream>, Error> {
    let name = tls.server_name.to_str();
    let failed = |why: String| {
        let detail = format!("{address} did not prove to be {name:?}: {why}");
        Error::upstream(Reason::UpstreamTlsFailed, detail).retryable()
    };
    let config = configs.get(tls).map_err(|error| {
        failed(format!(
            "an authority that is to be believed can not be read: {error}"
        ))
    })?;
    let connector = TlsConnector::from(config);
    let handshake = connector.connect(tls.server_name.clone(), tcp);
    let Ok(done) = timeout(most, handshake).await else {
        let detail = format!("TLS with {address} as {name:?} was not done after {most:?}");
        return Err(Error::upstream(Reason::ConnectTimeout, detail).retryable());
    };
    let stream = done.map_err(|error| failed(why(tls, &error)))?;
    // Where the instance says nothing of what it speaks, HTTP/1.1 is what it means; HTTP/2 has to be agreed.
    if tls.protocol == Protocol::Http2 && stream.get_ref().1.alpn_protocol().is_none() {
        return Err(failed("it did not agree to HTTP/2 (ALPN h2)".to_owned()));
    }
    Ok(stream)
}

fn why(tls: &InstanceTls, error: &io::Error) -> String {
    use rustls::{CertificateError, Error as Tls};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(Tls::InvalidCertificate(fault)) => match fault {
            CertificateError::UnknownIssuer if tls.authorities.is_none() && SYSTEM.is_empty() => {
                "this machine believes no authority (install ca-certificates, or name one)"
                    .to_owned()
            }
            // Of an authority that has the name of one that is believed, and another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate is of an authority that is not believed".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has ended".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate has not begun".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name".to_owned()
            }
            other => format!("its certificate is bad: {other}"),
        },
        Some(Tls::InvalidMessage(_)) => "what answers does not speak TLS".to_owned(),
        Some(other) => other.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it closed during the handshake".to_owned()
        }
        None => error.to_string(),
    }
}
