//! Which route takes a request. Decides without I/O; it may not know clusters, clocks or connections.
//!
//! Order of precedence (docs/boundary.md): priority, exact host, longer wildcard, exact path, more whole segments,
//! methods, more conditions on the head, more on the query, lower index, name. Hosts and paths come in their normal
//! form and are compared byte by byte, so that two readers never disagree.

mod asked;
mod change;
mod condition;
mod nearest;
mod path_tree;
mod pattern;
mod precedence;
mod retry;
mod route;
mod streams;
mod table;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

pub use self::asked::Asked;
pub use self::change::{Changes, Field, HeaderEdits, PathChange, Template};
pub use self::condition::{Condition, Conditions, Missed, ValueMatch};
pub use self::nearest::{Hint, Near, Why, nearest};
pub use self::pattern::Pattern;
pub use self::precedence::{Precedence, Rank, precedence};
pub use self::retry::{RetryBudget, RetryOn, RetryPolicy};
pub use self::route::{
    Action, FixedAnswer, HostMatch, Https, PathMatch, RawMatch, Redirect, RedirectPath, Route,
    Unfit, WeightedCluster, is_mesh_host,
};
use self::streams::Streams;
use self::table::Table;

/// The table of routes. A copy shares all of it; a change copies only the way to what changes.
#[derive(Debug, Clone, Default)]
pub struct Router {
    /// One table for each priority there is, the highest first; mostly one. Bounded by `snapshot::limits::PRIORITY`.
    levels: Vec<Level>,
    /// The routes of raw connections.
    streams: Streams,
}

#[derive(Debug, Clone)]
struct Level {
    priority: i8,
    table: Table,
}

impl Router {
    /// The route that takes a request. An empty path is `/`; `*`, as in `OPTIONS *`, is taken by the prefix `/` alone.
    #[inline]
    pub fn find(&self, asked: &Asked<'_>) -> Option<&Arc<Route>> {
        self.levels.iter().find_map(|level| level.table.find(asked))
    }

    /// Routes that take this host, in no order, `most` at the most.
    pub fn of_host<'r>(&'r self, host: &'r str, most: usize) -> Vec<&'r Arc<Route>> {
        let mut found = Vec::new();
        for tree in self.levels.iter().flat_map(|level| level.table.trees(host)) {
            tree.collect(&mut found, most);
        }
        // One that names several hosts stands in several trees.
        found.sort_unstable_by_key(|route| Arc::as_ptr(route));
        found.dedup_by(|one, other| Arc::ptr_eq(one, other));
        found
    }

    /// The route that takes a raw connection from there to one of the node's ports.
    pub fn find_stream(&self, port: u16, client: IpAddr) -> Option<&Arc<Route>> {
        self.streams.find(port, client)
    }

    /// Whether any route takes raw connections by the server name they begin with.
    pub const fn has_server_names(&self) -> bool {
        self.streams.has_names()
    }

    /// The route that takes a raw connection from there that begins with TLS for this name, and by which of its names.
    pub fn find_server_name(
        &self,
        name: &str,
        client: IpAddr,
    ) -> Option<(&Arc<Route>, &HostMatch)> {
        self.streams.find_name(name, client)
    }

    /// Puts a route in, beside others that take the same.
    pub(crate) fn insert(&mut self, route: &Arc<Route>) {
        if let Some(taken) = &route.raw {
            self.streams.insert(taken, route);
            return;
        }
        let at = match self.place_of(route.priority) {
            Ok(at) => at,
            Err(at) => {
                let level = Level {
                    priority: route.priority,
                    table: Table::default(),
                };
                self.levels.insert(at, level);
                at
            }
        };
        self.levels[at].table.insert(route);
    }

    /// Takes a route out; nothing happens if it is not there.
    pub(crate) fn remove(&mut self, route: &Arc<Route>) {
        if let Some(taken) = &route.raw {
            self.streams.remove(taken, route);
            return;
        }
        if let Ok(at) = self.place_of(route.priority) {
            self.levels[at].table.remove(route);
            if self.levels[at].table.is_empty() {
                self.levels.remove(at);
            }
        }
    }

    fn place_of(&self, priority: i8) -> Result<usize, usize> {
        self.levels
            .binary_search_by_key(&Reverse(priority), |level| Reverse(level.priority))
    }
}
