//! What TLS at the edge demands for a host, as configured. It may hold no key: certificates come by calls of their own.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use super::collection::Collection;
use super::document::{ClientCertificatesDocument, TlsDocument};
use super::refusal::Refusal;
use super::{check, limits};

/// Which versions and suites are spoken, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsPolicy {
    /// TLS 1.3 alone.
    Modern,
    /// TLS 1.3, and TLS 1.2 with forward secrecy and authenticated encryption. The default: what is not ten years old
    /// speaks it.
    #[default]
    Intermediate,
}

/// What a host's clients have to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRule {
    /// Whether a client without a certificate is refused; one that shows a wrong one is in any case.
    pub is_required: bool,
    /// The authorities whose certificates are believed; at least one.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// The TLS settings of one host, or of all below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsHost {
    /// The host: `shop.example`, or `*.example`.
    pub host: Arc<str>,
    /// The Consul key it came from, or the setting.
    pub key: Arc<str>,
    /// The index of that key's last change.
    pub index: u64,
    /// What is spoken; none: what the listener says.
    pub policy: Option<TlsPolicy>,
    /// What clients have to show, if anything.
    pub clients: Option<Arc<ClientRule>>,
    /// Why nobody is let in, if so: its settings are broken and what they demand of clients is not known.
    pub closed: Option<Box<str>>,
}

impl TlsHost {
    pub(super) fn compile(name: &Arc<str>, document: TlsDocument) -> Result<Self, Refusal> {
        check::host("", name.strip_prefix("*.").unwrap_or(name))?;
        check::text("key", &document.key, limits::KEY_BYTES)?;
        if let Some(closed) = &document.closed {
            check::text("closed", closed, limits::VALUE_BYTES)?;
        }
        let clients = document
            .client_certificates
            .as_ref()
            .map(ClientRule::compile);
        Ok(Self {
            host: Arc::clone(name),
            index: document.index,
            policy: document.policy,
            clients: clients
                .transpose()
                .map_err(|fault| fault.under("client_certificates"))?
                .map(Arc::new),
            closed: document.closed,
            key: document.key,
        })
    }
}

impl ClientRule {
    fn compile(document: &ClientCertificatesDocument) -> Result<Self, Refusal> {
        Ok(Self {
            is_required: document.mode == ClientMode::Required,
            authorities: authorities(&document.authorities_pem)?,
        })
    }
}

/// The certificates of authorities in a PEM; at least one.
pub(super) fn authorities(pem: &str) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    let at = "authorities_pem";
    let authorities = CertificateDer::pem_slice_iter(pem.as_bytes())
        .take(limits::AUTHORITIES + 1)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Refusal::at(at, "can't be read as PEM"))?;
    if authorities.is_empty() {
        return Err(Refusal::at(at, "holds no certificate"));
    }
    check::count(at, authorities.len(), limits::AUTHORITIES)?;
    for authority in &authorities {
        webpki::anchor_from_trusted_cert(authority)
            .map_err(|error| Refusal::at(at, format!("is no authority: {error}")))?;
    }
    Ok(authorities)
}

/// Whether a client may go without a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClientMode {
    Required,
    Optional,
}

/// The settings for `host`, in its normal form: its own, else those of the longest wildcard above it. Unlike a
/// certificate's, a wildcard here takes any depth, as in routes: what it demands of clients is not escaped by a dot.
pub fn find_tls<'t>(hosts: &'t Collection<TlsHost>, host: &str) -> Option<&'t Arc<TlsHost>> {
    if hosts.is_empty() {
        return None;
    }
    hosts.get(host).or_else(|| {
        let mut rest = host;
        while let Some((_, above)) = rest.split_once('.') {
            if let Some(found) = hosts.get(&format!("*.{above}")) {
                return Some(found);
            }
            rest = above;
        }
        None
    })
}
