//! What labels may still name, by the snapshot in force. It may not count.

use std::collections::HashSet;

use super::recorder::{RequestKey, UpstreamKey};
use crate::snapshot::Snapshot;

/// The names that are configured now.
pub(super) struct Configured<'s> {
    snapshot: &'s Snapshot,
    /// Services that are called, or run here.
    services: HashSet<&'s str>,
    /// Their instances, by service and id.
    endpoints: HashSet<(&'s str, &'s str)>,
}

impl<'s> Configured<'s> {
    pub fn by(snapshot: &'s Snapshot) -> Self {
        let mut found = Self {
            snapshot,
            services: HashSet::new(),
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
        found
    }

    fn add(&mut self, service: &'s str, ids: impl Iterator<Item = &'s str>) {
        self.services.insert(service);
        self.endpoints.extend(ids.map(|id| (service, id)));
    }

    pub fn has_listener(&self, name: &str) -> bool {
        self.snapshot.listeners.contains_key(name)
    }

    /// Who calls is told by certificates and stands in no snapshot: it is taken for there as long as what it calls.
    pub fn has_request(&self, key: &RequestKey) -> bool {
        self.has_listener(&key.listener)
            && (key.destination.is_empty() || self.services.contains(&*key.destination))
            && (key.route.is_empty() || self.snapshot.route(&key.route).is_some())
    }

    pub fn has_upstream(&self, key: &UpstreamKey) -> bool {
        self.endpoints.contains(&(&*key.cluster, &*key.endpoint))
    }
}
