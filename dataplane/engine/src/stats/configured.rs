//! What labels may still name, by the snapshot in force. It may not count.

use std::collections::HashSet;

use super::recorder::{RequestKey, UpstreamKey};
use crate::snapshot::Snapshot;

/// Whom strangers call by, on every node.
const EDGE: &str = "edge";

/// The names that are configured now.
pub(super) struct Configured<'s> {
    snapshot: &'s Snapshot,
    /// Services that are called, or run here.
    services: HashSet<&'s str>,
    /// Who calls by a listener of this node; the edges, this node's or another's.
    callers: HashSet<&'s str>,
    /// Their instances, by service and id.
    endpoints: HashSet<(&'s str, &'s str)>,
}

impl<'s> Configured<'s> {
    pub fn by(snapshot: &'s Snapshot) -> Self {
        let mut found = Self {
            snapshot,
            services: HashSet::new(),
            callers: HashSet::from([EDGE]),
            endpoints: HashSet::new(),
        };
        for cluster in snapshot.clusters.values() {
            let ids = cluster.endpoints.iter().map(|endpoint| &*endpoint.id);
            found.add(&cluster.service, ids);
        }
        for service in snapshot.services.values() {
            let ids = service.instances.iter().map(|instance| &*instance.id);
            found.add(&service.service, ids);
        }
        for listener in snapshot.listeners.values() {
            let names = [&listener.service, &listener.identity].into_iter();
            found.callers.extend(names.flatten().map(|name| &**name));
        }
        found
    }

    fn add(&mut self, service: &'s str, ids: impl Iterator<Item = &'s str>) {
        self.services.insert(service);
        self.endpoints.extend(ids.map(|id| (service, id)));
    }

    pub fn has_listener(&self, name: &str) -> bool {
        self.snapshot.listeners.contains_key(name)
    }

    /// Who calls from other nodes is told by certificates: there are those whom this node could call itself. Of one that
    /// it does not know and that calls no more nothing is lost but the row, which begins anew with the next call.
    fn has_caller(&self, name: &str) -> bool {
        name.is_empty() || self.callers.contains(name) || self.services.contains(name)
    }

    pub fn has_request(&self, key: &RequestKey) -> bool {
        self.has_listener(&key.listener)
            && self.has_caller(&key.source)
            && (key.destination.is_empty() || self.services.contains(&*key.destination))
            && (key.route.is_empty() || self.snapshot.route(&key.route).is_some())
    }

    pub fn has_upstream(&self, key: &UpstreamKey) -> bool {
        self.endpoints.contains(&(&*key.cluster, &*key.endpoint))
    }
}
