//! The routes of raw connections, by the port they come in by. It may not know what is sent over them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::route::Route;
use crate::network;

/// A copy shares all of it; a change copies the table, in which as much stands as there are ports.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    ports: Arc<BTreeMap<u16, Vec<Arc<Route>>>>,
}

impl Streams {
    /// The route that takes a connection from there: the higher priority, then who names addresses, then the older.
    pub fn find(&self, port: u16, client: IpAddr) -> Option<&Arc<Route>> {
        let takes = |route: &&Arc<Route>| {
            let conditions = route.conditions.as_deref();
            conditions.is_none_or(|conditions| {
                network::any_contains(&conditions.client_addresses, client)
            })
        };
        self.ports.get(&port)?.iter().find(takes)
    }

    pub fn insert(&mut self, port: u16, route: &Arc<Route>) {
        let routes = Arc::make_mut(&mut self.ports).entry(port).or_default();
        routes.push(Arc::clone(route));
        routes.sort_by(|one, other| order(one).cmp(&order(other)));
    }

    /// Nothing happens if it is not there.
    pub fn remove(&mut self, port: u16, route: &Arc<Route>) {
        let ports = Arc::make_mut(&mut self.ports);
        if let Some(routes) = ports.get_mut(&port) {
            routes.retain(|one| one.name != route.name);
            if routes.is_empty() {
                ports.remove(&port);
            }
        }
    }
}

fn order(route: &Route) -> (Reverse<i8>, bool, u64, &str) {
    let is_for_all = route.conditions.is_none();
    (
        Reverse(route.priority),
        is_for_all,
        route.index,
        &route.name,
    )
}
