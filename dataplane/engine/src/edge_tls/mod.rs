//! TLS at the edge: who is shown to strangers, what is spoken with them, what they have to show. It may not serve a
//! request, nor let anybody in for want of a setting: what can't be made is refused.

mod accept;
mod certificate;
mod config;
mod secured;
mod ticket_keys;
mod tickets;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

pub use self::accept::{Failure, accept};
pub use self::certificate::{Certificate, CertificateDocument, Certificates, DEFAULT};
use self::config::Configs;
pub use self::secured::{ClientCertificate, Secured};
pub use self::ticket_keys::{TicketKeyDocument, TicketKeysDocument};
use self::tickets::Tickets;
use crate::snapshot::{Collection, TlsHost};

/// All that a handshake at the edge needs: read without a lock, swapped as a whole.
pub struct EdgeTls {
    certificates: Arc<Certificates>,
    configs: ArcSwap<Configs>,
    tickets: Arc<Tickets>,
    changes: watch::Sender<()>,
}

impl Default for EdgeTls {
    fn default() -> Self {
        let (certificates, tickets) = (Arc::<Certificates>::default(), Arc::<Tickets>::default());
        let configs = Configs::new(&certificates, &tickets);
        Self {
            configs: ArcSwap::from_pointee(configs),
            certificates,
            tickets,
            changes: watch::Sender::new(()),
        }
    }
}

impl EdgeTls {
    /// Puts a certificate in force for the handshakes that begin from now on. The old one stays if this is refused.
    pub fn put_certificate(
        &self,
        document: &CertificateDocument,
    ) -> Result<Arc<Certificate>, String> {
        let certificate = Arc::new(Certificate::read(document)?);
        self.certificates.put(&certificate)?;
        self.changes.send_replace(());
        Ok(certificate)
    }

    /// Forgets a certificate. Tells whether there was one.
    pub fn remove_certificate(&self, host: &str) -> bool {
        self.certificates.remove(host)
    }

    /// All certificates, by host.
    pub fn certificates(&self) -> Vec<Arc<Certificate>> {
        self.certificates.list()
    }

    /// Whether there is a certificate to show.
    pub fn has_certificate(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// Wakes at each certificate that is put.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Takes the keys that all nodes make tickets with; none: this node's own.
    pub fn put_ticket_keys(&self, document: &TicketKeysDocument) -> Result<usize, String> {
        self.tickets.put(document)
    }

    /// Takes what a snapshot says of hosts, for the handshakes that begin from now on.
    pub fn set_hosts(&self, hosts: &Collection<TlsHost>) {
        let before = self.configs.load();
        if before.is_of(hosts) {
            return;
        }
        self.configs.store(Arc::new(before.with(hosts)));
    }
}
