//! The whole data plane as one value: threads, listeners and what they share. It may not speak with the agent
//! (`control` does) nor know how the process was started.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, sleep_until, timeout};

use crate::clock;
use crate::edge_tls::{Certificate, CertificateDocument, TicketKeysDocument};
use crate::identity::{Identity, IdentityDocument};
use crate::listener::ListenerStates;
use crate::reconcile::Listeners;
use crate::shared::Shared;
use crate::snapshot::{Refusal, Snapshot};
use crate::stats::{CertificateState, IdentityState, Outside, Recorder};
use crate::threads::Threads;

/// How often it is looked whether the last connection is gone, beside being told: so that a telling that is missed
/// costs no more than this.
const QUIET_CHECK: Duration = Duration::from_millis(100);

/// The data plane, running. It ends when this is dropped.
pub struct Engine {
    // Dropped in this order: the sockets, then the threads.
    listeners: Listeners,
    threads: Arc<Threads>,
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Held while a snapshot is made from the one in force, so that none is lost between two writers.
    changing: Mutex<()>,
}

impl Engine {
    /// Starts `threads` threads. Nothing is open until a snapshot says so.
    pub fn start(threads: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared::new());
        let threads = Arc::new(Threads::start(threads, &shared)?);
        let listeners = Listeners::start(&shared, &threads)?;
        Ok(Self {
            listeners,
            threads,
            shared,
            changing: Mutex::new(()),
        })
    }

    /// Puts a document (full or delta) in force at once, or leaves everything as it is.
    pub fn apply(&self, document: &[u8]) -> Result<Arc<Snapshot>, Refusal> {
        // Nothing is half done when a thread panics here, so the lock is as good as before.
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = Arc::new(self.shared.snapshot.load().apply(document)?);
        self.shared.put_snapshot(Arc::clone(&snapshot));
        tracing::info!(generation = snapshot.generation, digest = %snapshot.digest, "in force");
        Ok(snapshot)
    }

    /// Opens and closes listeners as the snapshot in force wants it, and tells what became of them.
    pub async fn reconcile(&self) -> Arc<ListenerStates> {
        self.listeners.reconcile().await
    }

    /// What became of the listeners.
    pub fn listener_states(&self) -> Arc<ListenerStates> {
        self.listeners.states()
    }

    /// Puts an identity in force; listeners that waited for it open by themselves.
    pub fn put_identity(&self, document: &IdentityDocument) -> Result<Arc<Identity>, String> {
        let identity = self.shared.identities.put(document)?;
        let end = identity.not_after_unix_s;
        tracing::info!(identity = %identity.name, not_after_unix_s = end, "identity in force");
        Ok(identity)
    }

    /// Puts a certificate of the edge in force for the handshakes that begin from now on.
    pub fn put_certificate(
        &self,
        document: &CertificateDocument,
    ) -> Result<Arc<Certificate>, String> {
        let certificate = self.shared.edge_tls.put_certificate(document)?;
        let end = certificate.not_after_unix_s;
        tracing::info!(host = %certificate.host, not_after_unix_s = end, "certificate in force");
        Ok(certificate)
    }

    /// Puts the keys in force that all nodes make session tickets with.
    pub fn put_ticket_keys(&self, document: &TicketKeysDocument) -> Result<usize, String> {
        self.shared.edge_tls.put_ticket_keys(document)
    }

    /// The body of `GET /v1/stats`.
    pub async fn stats(&self) -> Vec<u8> {
        let (mut recorder, of_listeners) =
            tokio::join!(self.threads.stats(), self.listeners.stats());
        recorder.merge(&of_listeners.recorder);
        self.report(&recorder, of_listeners.active.into_iter().collect())
    }

    fn report(
        &self,
        recorder: &Recorder,
        active: std::collections::BTreeMap<String, u64>,
    ) -> Vec<u8> {
        let shared = &self.shared;
        let identities = shared.identities.list();
        let certificates = shared.edge_tls.certificates();
        let limits = shared.snapshot.load().settings.limits;
        recorder.to_json(&Outside {
            generation: shared.snapshot.load().generation,
            snapshot_unix_ms: shared.snapshot_unix_ms(),
            uptime_ms: shared.uptime().as_millis() as u64,
            is_draining: shared.is_draining(),
            active,
            spans: shared.spans.counts(),
            overload: serde_json::to_value(shared.overload.state(&limits)).unwrap_or_default(),
            faults: shared.faults.counts(),
            identities: identities
                .iter()
                .map(|identity| state_of(identity))
                .collect(),
            certificates: certificates
                .iter()
                .map(|certificate| certificate_state(certificate))
                .collect(),
            listeners: serde_json::to_value(&*self.listener_states()).unwrap_or_default(),
        })
    }

    /// Begins to go away: listeners close, what runs may take `grace` to end. A second call changes the grace.
    pub fn drain(&self, grace: Duration) {
        tracing::info!(?grace, "draining");
        self.shared.drain(grace);
    }

    /// Resolves once the process is to end: it was asked to drain, and all connections are gone or the grace is over.
    pub async fn drained(&self) {
        self.shared.drained().await;
        let began = clock::now();
        let mut grace = self.shared.grace();
        let quiet = async {
            self.listeners.closed().await;
            self.quiet().await;
        };
        tokio::pin!(quiet);
        loop {
            let deadline = began + grace.borrow_and_update().unwrap_or_default();
            tokio::select! {
                () = &mut quiet => return,
                () = sleep_until(deadline) => {
                    let left = self.connections();
                    tracing::warn!(connections = left, "the grace is over, connections are cut");
                    return;
                }
                // The sender lives as long as `self`.
                _ = grace.changed() => {}
            }
        }
    }

    /// Resolves once the agent has fetched all spans, or after `wait`.
    pub async fn spans_fetched(&self, wait: Duration) {
        let fetched = async {
            while self.shared.spans.counts().queued > 0 {
                sleep(QUIET_CHECK).await;
            }
        };
        let _ = timeout(wait, fetched).await;
    }

    /// Open downstream connections.
    pub fn connections(&self) -> usize {
        self.shared
            .connections
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Open connections by thread.
    pub fn thread_loads(&self) -> Vec<usize> {
        self.threads.loads()
    }

    async fn quiet(&self) {
        while self.connections() > 0 {
            let _ = timeout(QUIET_CHECK, self.shared.quiet.notified()).await;
        }
    }
}

fn certificate_state(certificate: &Certificate) -> CertificateState {
    CertificateState {
        host: certificate.host.to_string(),
        not_after_unix_s: certificate.not_after_unix_s,
        fingerprint: certificate.fingerprint.to_string(),
    }
}

fn state_of(identity: &Identity) -> IdentityState {
    IdentityState {
        name: identity.name.to_string(),
        not_after_unix_s: identity.not_after_unix_s,
    }
}
