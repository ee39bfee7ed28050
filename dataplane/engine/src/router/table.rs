//! The routes of one priority by host. It may not know paths; the tree of each host does.

use std::sync::Arc;

use super::asked::Asked;
use super::path_tree::PathTree;
use super::route::{HostMatch, Route, is_mesh_host};
use crate::shared_map::SharedMap;

pub(super) type Hosts = SharedMap<Arc<PathTree>>;

/// A copy shares all of it; a change copies only the way to what changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// By the whole host.
    pub(super) exact: Hosts,
    /// By what stands behind `*.`.
    wildcard: Hosts,
    /// The routes of the host `*`.
    any: Arc<PathTree>,
    /// The longest suffix ever put into `wildcard`, in bytes: longer ones need not be looked up. It does not shrink
    /// when a route goes: it only saves work.
    longest_suffix: usize,
}

impl Table {
    #[inline]
    pub(super) fn find(&self, asked: &Asked<'_>) -> Option<&Arc<Route>> {
        if let Some(route) = self.exact.get(asked.host).and_then(|tree| tree.find(asked)) {
            return Some(route);
        }
        if self.longest_suffix > 0 {
            for dot in memchr::memchr_iter(b'.', asked.host.as_bytes()) {
                let suffix = &asked.host[dot + 1..];
                // The wildcard stands for at least one label, so something stands before the dot.
                if dot == 0 || suffix.len() > self.longest_suffix {
                    continue;
                }
                if let Some(route) = self.wildcard.get(suffix).and_then(|tree| tree.find(asked)) {
                    return Some(route);
                }
            }
        }
        if is_mesh_host(asked.host) {
            return None;
        }
        self.any.find(asked)
    }

    /// The trees of all hosts that take this one. For people: `find` looks them up one by one.
    pub(super) fn trees<'t>(&'t self, host: &'t str) -> impl Iterator<Item = &'t PathTree> {
        let dots = host.match_indices('.').filter(|&(dot, _)| dot > 0);
        let wildcards = dots.filter_map(|(dot, _)| self.wildcard.get(&host[dot + 1..]));
        let any = (!is_mesh_host(host)).then_some(&self.any);
        let trees = self.exact.get(host).into_iter().chain(wildcards).chain(any);
        trees.map(|tree| &**tree)
    }

    /// Puts a route in, beside others of the same hosts and path.
    pub(super) fn insert(&mut self, route: &Arc<Route>) {
        for host in &route.hosts {
            let tree = match host {
                HostMatch::Exact(host) => self.exact.get_or_default(host),
                HostMatch::Wildcard(suffix) => {
                    self.longest_suffix = self.longest_suffix.max(suffix.len());
                    self.wildcard.get_or_default(suffix)
                }
                HostMatch::Any => &mut self.any,
            };
            Arc::make_mut(tree).insert(route);
        }
    }

    /// Takes a route out; nothing happens if it is not there.
    pub(super) fn remove(&mut self, route: &Arc<Route>) {
        for host in &route.hosts {
            let (hosts, host) = match host {
                HostMatch::Exact(host) => (&mut self.exact, host),
                HostMatch::Wildcard(suffix) => (&mut self.wildcard, suffix),
                HostMatch::Any => {
                    Arc::make_mut(&mut self.any).remove(route);
                    continue;
                }
            };
            if let Some(tree) = hosts.get_mut(host) {
                Arc::make_mut(tree).remove(route);
                if tree.is_empty() {
                    hosts.remove(host);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcard.is_empty() && self.any.is_empty()
    }
}
