//! Which route takes a host and a path. Decides without I/O; it may not know clusters, clocks or connections.
//!
//! Order of precedence: exact host, longer wildcard, exact path, longer prefix, lower index, name. Hosts and paths
//! are compared byte by byte: nothing is decoded, no `..` or `//` is folded, so that two readers never disagree.

mod path_tree;
mod route;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::path_tree::PathTree;
pub use self::route::{Action, HostMatch, PathMatch, Route, WeightedCluster};
use crate::shared_map::SharedMap;

type Hosts = SharedMap<Arc<PathTree>>;

/// The table of routes. A copy shares all of it; a change copies only the way to what changes.
#[derive(Debug, Clone, Default)]
pub struct Router {
    /// By the whole host.
    exact: Hosts,
    /// By what stands behind `*.`.
    wildcard: Hosts,
    /// The routes of the host `*`.
    any: Arc<PathTree>,
    /// The longest suffix ever put into `wildcard`, in bytes: longer ones need not be looked up. It does not shrink
    /// when a route goes: it only saves work.
    longest_suffix: usize,
}

impl Router {
    /// The route that takes `host` (lower case, no port, no trailing dot) and `path` (no query). An empty path is
    /// `/`; `*`, as in `OPTIONS *`, is taken by the prefix `/` alone.
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<Route>> {
        if let Some(route) = self.exact.get(host).and_then(|tree| tree.find(path)) {
            return Some(route);
        }
        if self.longest_suffix > 0 {
            for dot in memchr::memchr_iter(b'.', host.as_bytes()) {
                let suffix = &host[dot + 1..];
                // The wildcard stands for at least one label, so something stands before the dot.
                if dot == 0 || suffix.len() > self.longest_suffix {
                    continue;
                }
                if let Some(route) = self.wildcard.get(suffix).and_then(|tree| tree.find(path)) {
                    return Some(route);
                }
            }
        }
        self.any.find(path)
    }

    /// Puts a route in, beside others of the same host and path: the oldest of them is found.
    pub(crate) fn insert(&mut self, route: &Arc<Route>) {
        let tree = match &route.host {
            HostMatch::Exact(host) => self.exact.get_or_default(host),
            HostMatch::Wildcard(suffix) => {
                self.longest_suffix = self.longest_suffix.max(suffix.len());
                self.wildcard.get_or_default(suffix)
            }
            HostMatch::Any => &mut self.any,
        };
        Arc::make_mut(tree).insert(route);
    }

    /// Takes a route out; nothing happens if it is not there.
    pub(crate) fn remove(&mut self, route: &Arc<Route>) {
        let (hosts, host) = match &route.host {
            HostMatch::Exact(host) => (&mut self.exact, host),
            HostMatch::Wildcard(suffix) => (&mut self.wildcard, suffix),
            HostMatch::Any => return Arc::make_mut(&mut self.any).remove(route),
        };
        if let Some(tree) = hosts.get_mut(host) {
            Arc::make_mut(tree).remove(route);
            if tree.is_empty() {
                hosts.remove(host);
            }
        }
    }
}
