//! Who sends the requests of a connection. It may not know what they ask.

use std::sync::Arc;
use std::time::Duration;

use super::MESH_SUFFIX;
use crate::edge_tls::Secured;
use crate::snapshot::{ListenerConfig, ListenerKind};

/// Who sends the requests of a connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What kind of listener it came in by.
    pub kind: ListenerKind,
    /// Its proven name; the edge's own for strangers.
    pub source: Arc<str>,
    /// Inbound: the service whose certificate it asked for.
    pub destination: Option<Arc<str>>,
    /// Outbound, on a port that means one destination: the host of every request there, whatever it says itself.
    pub host: Option<Arc<str>>,
    /// At the edge: what its TLS came to; none: it came in clear.
    pub secured: Option<Arc<Secured>>,
}

impl Caller {
    /// Until when a stranger is who its certificate says, where it showed one: since the epoch.
    pub fn client_end(&self) -> Option<Duration> {
        let client = self.secured.as_ref()?.client.as_ref()?;
        Some(Duration::from_secs(client.not_after_unix_s))
    }

    /// The host under which a destination of its own port is called.
    pub fn host_of(listener: &ListenerConfig) -> Option<Arc<str>> {
        let destination = listener.destination.as_ref()?;
        Some(Arc::from(format!("{destination}{MESH_SUFFIX}")))
    }
}
