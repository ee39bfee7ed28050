//! What the proxy has to do, as one value that is swapped at once: read from a document, checked, compiled.
//! Pure; it may not open what it names.

mod apply;
mod check;
mod cluster;
mod collection;
mod document;
mod instance_tls;
mod intention;
pub mod limits;
mod listener;
mod refusal;
mod route;
mod service;
mod settings;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::apply::Held;
pub use self::cluster::{Cluster, Endpoint, Protocol, Via};
pub use self::collection::Collection;
pub use self::instance_tls::InstanceTls;
pub use self::listener::{ListenerConfig, ListenerKind, ListenerProtocol, Proof};
pub use self::refusal::{Refusal, parse};
pub use self::service::{LocalInstance, LocalService};
pub use self::settings::{Limits, Settings};
pub use self::tls::{ClientRule, TlsHost, TlsPolicy, find_tls};
pub use crate::authorizer::{Authorizer, Decision, DestinationRules, Rule, RuleAction};
pub use crate::network::Network;
pub use crate::router::{Action, Asked, HostMatch, PathMatch, Route, Router, WeightedCluster};

/// Everything in force at one moment. A copy shares all of it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Counts the changes, as the agent does.
    pub generation: u64,
    /// The agent's digest of the resources, kept as it came; empty before the first snapshot.
    pub digest: Arc<str>,
    /// What holds for the whole node.
    pub settings: Arc<Settings>,
    /// The listeners to be opened, by name.
    pub listeners: BTreeMap<Arc<str>, Arc<ListenerConfig>>,
    /// Which route takes a request.
    pub router: Router,
    /// Destinations, by service name.
    pub clusters: Collection<Cluster>,
    /// What runs on this node, by service name.
    pub services: Collection<LocalService>,
    /// Who may call whom.
    pub authorizer: Authorizer,
    /// What TLS at the edge demands, by host.
    pub tls: Collection<TlsHost>,
    /// The other resources by name, as they came.
    held: Held,
}

impl Snapshot {
    /// What is in force before the first document: nothing is open, nobody may call anybody.
    pub fn empty() -> Self {
        Self {
            generation: 0,
            digest: Arc::from(""),
            settings: Arc::new(Settings::unset()),
            listeners: BTreeMap::new(),
            router: Router::default(),
            clusters: Collection::default(),
            services: Collection::default(),
            authorizer: Authorizer::default(),
            tls: Collection::default(),
            held: Held::default(),
        }
    }

    /// The snapshot that is in force once `document` (full or delta, docs/boundary.md) is; what stays the same is
    /// shared with this one. This one is not changed, whatever the document says.
    pub fn apply(&self, document: &[u8]) -> Result<Self, Refusal> {
        apply::apply(self, document)
    }

    /// The whole as a full document, each resource as it came. Putting it in force elsewhere gives the same.
    pub fn to_json(&self) -> Vec<u8> {
        apply::to_json(self)
    }

    /// The route of that name.
    pub fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.held.routes.get(name)
    }

    /// What TLS at the edge demands for a host, if anything is said of it.
    pub fn tls_of(&self, host: &str) -> Option<&Arc<TlsHost>> {
        find_tls(&self.tls, host)
    }

    /// How many routes there are.
    pub fn routes_len(&self) -> usize {
        self.held.routes.len()
    }

    /// Every route, in no order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.held.routes.values()
    }
}
