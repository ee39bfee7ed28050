//! The edge's certificates: by host, with their keys, held in memory. May not print a key nor put one in a snapshot.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::Deserialize;

use super::secured::hex;
use crate::identity::{certificates, certified_key};
use crate::trust;

/// The name of the certificate that is shown where no other fits. No host has a name of one label with an underscore
/// before it.
pub const DEFAULT: &str = "_default";
/// Certificates in a chain: a leaf, and the steps of a few cross-signed authorities.
const CHAIN_LENGTH: usize = 16;
/// Certificates of one node.
const CERTIFICATES: usize = 16_384;

/// A certificate as the agent hands it over: the body of `PUT /v1/certificates/<host>`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateDocument {
    /// `shop.example`, `*.shop.example`, or `_default`.
    pub host: String,
    /// The leaf, then its intermediates, in PEM.
    pub certificate_chain_pem: String,
    /// The leaf's key, in PEM (PKCS#8, SEC1 or PKCS#1).
    pub private_key_pem: String,
}

impl fmt::Debug for CertificateDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateDocument")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// A certificate with its key, ready to be shown.
pub struct Certificate {
    /// The host it is shown for.
    pub host: Arc<str>,
    /// The end of the leaf's validity, in seconds since the epoch.
    pub not_after_unix_s: u64,
    /// The SHA-256 of the leaf, in hex: tells an agent whether it is the one it has.
    pub fingerprint: Box<str>,
    key: Arc<CertifiedKey>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("host", &self.host)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// The certificate in `document`, if its parts fit together; a sentence says what does not. Its dates and names
    /// are judged by the agent, and by whoever sees it.
    pub(super) fn read(document: &CertificateDocument) -> Result<Self, String> {
        let host = document.host.to_ascii_lowercase();
        if host != document.host || host.is_empty() || host.len() > 255 {
            return Err("the host is not in lower case, empty or too long".to_owned());
        }
        let field = "certificate_chain_pem";
        let chain = certificates(field, &document.certificate_chain_pem, CHAIN_LENGTH)?;
        let [leaf, ..] = &*chain else {
            return Err(format!("{field} holds no certificate"));
        };
        let end = trust::read(leaf)?.validity().not_after.timestamp();
        let fingerprint = hex(digest(&SHA256, leaf).as_ref());
        Ok(Self {
            host: host.into(),
            not_after_unix_s: trust::seconds(end),
            fingerprint,
            key: Arc::new(certified_key(chain, &document.private_key_pem)?),
        })
    }
}

/// All of them: looked up without a lock, swapped as a whole.
#[derive(Debug, Default)]
pub struct Certificates {
    table: ArcSwap<BTreeMap<Arc<str>, Arc<Certificate>>>,
}

impl Certificates {
    pub(super) fn put(&self, certificate: &Arc<Certificate>) -> Result<(), String> {
        let mut is_full = false;
        self.table.rcu(|table| {
            let mut table = BTreeMap::clone(table);
            is_full = table.len() >= CERTIFICATES && !table.contains_key(&certificate.host);
            if !is_full {
                table.insert(Arc::clone(&certificate.host), Arc::clone(certificate));
            }
            table
        });
        if is_full {
            return Err(format!("there are {CERTIFICATES} certificates already"));
        }
        Ok(())
    }

    pub(super) fn remove(&self, host: &str) -> bool {
        let before = self.table.rcu(|table| {
            let mut table = BTreeMap::clone(table);
            table.remove(host);
            table
        });
        before.contains_key(host)
    }

    pub(super) fn list(&self) -> Vec<Arc<Certificate>> {
        self.table.load().values().map(Arc::clone).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.load().is_empty()
    }

    /// The certificate for a server name: its own, else that of the wildcard one label above (RFC 9525 §6.3: it takes
    /// no more), else the default.
    pub(super) fn find(&self, sni: Option<&str>) -> Option<Arc<Certificate>> {
        let table = self.table.load();
        let of_host = sni.and_then(|host| {
            table.get(host).or_else(|| {
                let (_, above) = host.split_once('.')?;
                table.get(&*format!("*.{above}"))
            })
        });
        of_host.or_else(|| table.get(DEFAULT)).map(Arc::clone)
    }
}

/// Shows the certificate of the host that is asked for, as it is at that moment.
#[derive(Debug)]
pub(super) struct ByName(pub Arc<Certificates>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let found = self.0.find(name.as_deref())?;
        Some(Arc::clone(&found.key))
    }
}
