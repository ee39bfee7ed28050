//! Who this node may be: certificates and keys, held in memory. May not print a key nor put one in a snapshot.
//!
//! A put takes effect with the next handshake, on listeners that are open already.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use serde::Deserialize;
use tokio::sync::watch;

use crate::spiffe::SpiffeId;
use crate::trust::{self, PROVIDER, Purpose, Trust};

/// HTTP/1.1 straight inside the mesh's TLS.
pub(crate) const ALPN: &[u8] = b"http/1.1";
/// HTTP/1.1 in each of the channels inside it (`mux`). Without one of the three nothing is taken, so that a later protocol
/// is no surprise.
pub(crate) const ALPN_MUX: &[u8] = b"yamux";
/// A frame that opens a raw stream, and then that (docs/boundary.md).
pub(crate) const ALPN_STREAM: &[u8] = b"mesh-stream/1";
/// Certificates in a chain: a leaf, and the steps of a few cross-signed rotations.
const CHAIN_LENGTH: usize = 8;
/// Roots at once: two are trusted during a rotation; more only if several overlap.
const ROOTS: usize = 16;
/// Identities of one node: services that run on one machine.
const IDENTITIES: usize = 4096;

static SERIALS: AtomicU64 = AtomicU64::new(0);

/// An identity as the agent hands it over: the body of `PUT /v1/identities/<name>`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityDocument {
    /// The service, or `edge`.
    pub name: String,
    /// The one URI name of the leaf.
    pub spiffe_id: String,
    /// The leaf, then its intermediates, in PEM.
    pub certificate_chain_pem: String,
    /// The leaf's key, in PEM (PKCS#8, SEC1 or PKCS#1).
    pub private_key_pem: String,
    /// The authorities whose signature is believed, in PEM.
    pub roots_pem: String,
    /// The end of the leaf's validity, in seconds since the epoch; compared with the leaf.
    pub not_after_unix_s: u64,
}

impl fmt::Debug for IdentityDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityDocument")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// One certificate with its key, ready for handshakes in both directions.
pub struct Identity {
    /// The service, or `edge`.
    pub name: Arc<str>,
    /// The one name the leaf carries.
    pub spiffe: SpiffeId,
    /// The end of the leaf's validity, in seconds since the epoch.
    pub not_after_unix_s: u64,
    /// Tells it from every other identity this process had, also of the same name.
    pub(crate) serial: u64,
    pub(crate) client_config: Arc<ClientConfig>,
    pub(crate) server_config: Arc<ServerConfig>,
    pub(crate) trust: Arc<Trust>,
    sni: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name)
            .field("not_after_unix_s", &self.not_after_unix_s)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The identity in `document`, if its parts fit together. A sentence says what does not. Expired ones are taken,
    /// because the clock may be wrong: what they are worth is judged by the peers, at each handshake.
    pub fn read(document: &IdentityDocument) -> Result<Self, String> {
        let spiffe = SpiffeId::parse(&document.spiffe_id).map_err(|error| error.to_string())?;
        if *spiffe.service != *document.name {
            return Err(format!(
                "the identity {:?} has the SPIFFE id of {:?}",
                document.name, spiffe.service
            ));
        }
        let sni = spiffe.sni().map_err(|error| error.to_string())?;
        let chain = certificates(
            "certificate_chain_pem",
            &document.certificate_chain_pem,
            CHAIN_LENGTH,
        )?;
        let roots = certificates("roots_pem", &document.roots_pem, ROOTS)?;
        let trust = Arc::new(Trust::new(spiffe.clone(), roots)?);
        check_leaf(&chain, &trust, &spiffe, document.not_after_unix_s)?;
        let key = Arc::new(certified_key(chain, &document.private_key_pem)?);
        Ok(Self {
            name: Arc::clone(&spiffe.service),
            not_after_unix_s: document.not_after_unix_s,
            serial: SERIALS.fetch_add(1, Ordering::Relaxed),
            client_config: Arc::new(client_config(&trust, &key)?),
            server_config: Arc::new(server_config(&trust, key)?),
            trust,
            spiffe,
            sni,
        })
    }
}

/// All identities of this node: looked up without a lock, swapped as a whole.
pub struct Identities {
    table: ArcSwap<Table>,
    changes: watch::Sender<u64>,
    /// Counts the changes, for those that only look.
    version: AtomicU64,
}

#[derive(Default, Clone)]
struct Table {
    by_name: BTreeMap<Arc<str>, Arc<Identity>>,
    /// The same by the server name, in lower case, that handshakes ask for.
    by_sni: HashMap<String, Arc<Identity>>,
}

impl Default for Identities {
    fn default() -> Self {
        Self {
            table: ArcSwap::default(),
            changes: watch::Sender::new(0),
            version: AtomicU64::new(0),
        }
    }
}

impl Identities {
    /// Puts an identity in force, in the place of the one of its name. The old one stays if this one is refused.
    pub fn put(&self, document: &IdentityDocument) -> Result<Arc<Identity>, String> {
        let identity = Arc::new(Identity::read(document)?);
        let mut refusal = None;
        self.table.rcu(|table| {
            let changed = table.with(&identity);
            refusal = changed.as_ref().err().cloned();
            changed.map_or_else(|_| Arc::clone(table), Arc::new)
        });
        if let Some(sentence) = refusal {
            return Err(sentence);
        }
        self.tell();
        Ok(identity)
    }

    /// Forgets an identity: no handshake after this one uses it. Tells whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let before = self.table.rcu(|table| table.without(name));
        let was_there = before.by_name.contains_key(name);
        if was_there {
            self.tell();
        }
        was_there
    }

    /// The identity of a service, or of the edge.
    pub fn get(&self, name: &str) -> Option<Arc<Identity>> {
        self.table.load().by_name.get(name).map(Arc::clone)
    }

    /// The identity a handshake asks for; server names are compared without case (RFC 6066 §3).
    pub fn find_sni(&self, sni: &str) -> Option<Arc<Identity>> {
        self.table
            .load()
            .by_sni
            .get(&sni.to_ascii_lowercase())
            .map(Arc::clone)
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Arc<Identity>> {
        self.table.load().by_name.values().map(Arc::clone).collect()
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.table.load().by_name.keys().map(Arc::clone).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.load().by_name.is_empty()
    }

    /// Wakes at each put and each removal.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Another number after each put and each removal.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn tell(&self) {
        self.version.fetch_add(1, Ordering::Release);
        self.changes.send_modify(|count| *count += 1);
    }
}

impl Table {
    fn with(&self, identity: &Arc<Identity>) -> Result<Self, String> {
        let mut table = self.without(&identity.name);
        if table.by_name.len() >= IDENTITIES {
            return Err(format!("there are {IDENTITIES} identities already"));
        }
        if let Some(other) = table.by_sni.get(&identity.sni) {
            let (new, old) = (&identity.name, &other.name);
            return Err(format!(
                "{new:?} and {old:?} would have the same server name"
            ));
        }
        table
            .by_sni
            .insert(identity.sni.clone(), Arc::clone(identity));
        table
            .by_name
            .insert(Arc::clone(&identity.name), Arc::clone(identity));
        Ok(table)
    }

    fn without(&self, name: &str) -> Self {
        let mut table = self.clone();
        if let Some(old) = table.by_name.remove(name) {
            table.by_sni.remove(&old.sni);
        }
        table
    }
}

/// The certificates in a PEM text; the error is a sentence that quotes nothing of it.
pub(crate) fn certificates(
    field: &str,
    pem: &str,
    limit: usize,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
        .take(limit + 1)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| format!("{field} can't be read as PEM"))?;
    match found.len() {
        0 => Err(format!("{field} holds no certificate")),
        count if count > limit => Err(format!("{field} holds more than {limit} certificates")),
        _ => Ok(found),
    }
}

/// The chain has to lead to the roots, in both roles, at a moment within the leaf's own validity.
fn check_leaf(
    chain: &[CertificateDer<'static>],
    trust: &Trust,
    spiffe: &SpiffeId,
    not_after_unix_s: u64,
) -> Result<(), String> {
    let [leaf, intermediates @ ..] = chain else {
        return Err("certificate_chain_pem holds no certificate".to_owned());
    };
    let certificate = trust::read(leaf)?;
    let begin = trust::seconds(certificate.validity().not_before.timestamp());
    let end = trust::seconds(certificate.validity().not_after.timestamp());
    if end != not_after_unix_s {
        return Err(format!(
            "the leaf ends at {end}, not_after_unix_s says {not_after_unix_s}"
        ));
    }
    let seconds = UnixTime::now().as_secs().min(end).max(begin);
    let moment = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    for purpose in [Purpose::Client, Purpose::Server] {
        let found = trust
            .verify(leaf, intermediates, moment, purpose)
            .map_err(|error| format!("certificate_chain_pem: {}", trust::sentence(&error)))?;
        if found != *spiffe {
            return Err(format!(
                "the leaf speaks for {found}, spiffe_id says {spiffe}"
            ));
        }
    }
    Ok(())
}

/// A chain with its key, if they fit together; nothing of the key stands in the error.
pub(crate) fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    pem: &str,
) -> Result<CertifiedKey, String> {
    // What the libraries say is left out, lest a part of the key stands in it.
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "private_key_pem holds no key that can be read".to_owned())?;
    CertifiedKey::from_der(chain, key, &PROVIDER)
        .map_err(|_| "private_key_pem is not the key of the leaf, or of an unknown kind".to_owned())
}

fn client_config(trust: &Arc<Trust>, key: &Arc<CertifiedKey>) -> Result<ClientConfig, String> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(trust) as _)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(key))));
    config.alpn_protocols = vec![ALPN_MUX.to_vec(), ALPN.to_vec()];
    // A resumed session would carry a name past the end of its certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn server_config(trust: &Arc<Trust>, key: Arc<CertifiedKey>) -> Result<ServerConfig, String> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(Arc::clone(trust) as _)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![ALPN_MUX.to_vec(), ALPN.to_vec(), ALPN_STREAM.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
