//! TLS towards the instances of a service: whom they have to prove to be, and to whom. It may not dial them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls_pki_types::{CertificateDer, ServerName};

use super::cluster::Protocol;
use super::document::InstanceTlsDocument;
use super::refusal::Refusal;
use super::tls::authorities;

/// How connections to instances are secured.
#[derive(Debug, Clone)]
pub struct InstanceTls {
    /// Whom a certificate has to be for.
    pub server_name: ServerName<'static>,
    /// Who may have signed it; none: whom the machine believes.
    pub authorities: Option<Vec<CertificateDer<'static>>>,
    /// What is spoken inside.
    pub protocol: Protocol,
    /// Another one for each setting: connections of two are never taken for one another.
    pub number: u64,
}

/// Two that say the same are the same, whatever their numbers.
impl PartialEq for InstanceTls {
    fn eq(&self, other: &Self) -> bool {
        self.server_name == other.server_name
            && self.authorities == other.authorities
            && self.protocol == other.protocol
    }
}

impl Eq for InstanceTls {}

static NUMBER: AtomicU64 = AtomicU64::new(1);

impl InstanceTls {
    /// `before`, where it says the same: its connections go on.
    pub(super) fn compile(
        document: Option<InstanceTlsDocument>,
        protocol: Protocol,
        before: Option<&Arc<Self>>,
    ) -> Result<Option<Arc<Self>>, Refusal> {
        let Some(document) = document else {
            return Ok(None);
        };
        if protocol == Protocol::Auto {
            let sentence =
                "callers of a service that is `auto` speak TLS to its instances themselves";
            return Err(Refusal::at("", sentence));
        }
        let named = |_| Refusal::at("server_name", "is neither a host nor an address");
        let authorities = document.authorities_pem.as_deref().map(authorities);
        let made = Self {
            server_name: ServerName::try_from(document.server_name).map_err(named)?,
            authorities: authorities.transpose()?,
            protocol,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        };
        let same = before.filter(|before| ***before == made);
        Ok(Some(same.map_or_else(|| Arc::new(made), Arc::clone)))
    }
}
