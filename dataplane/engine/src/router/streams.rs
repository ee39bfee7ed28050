//! The routes of raw connections, by the port they come in by or the server name they begin with. It may not know what
//! is sent over them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::route::{HostMatch, RawMatch, Route};
use crate::network;
use crate::shared_map::SharedMap;

/// Routes that take the same, in the order they are asked.
type Routes = Vec<Arc<Route>>;

/// A copy shares all of it; a change copies the ports, which are few, and of the names only the way to what changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    ports: Arc<BTreeMap<u16, Routes>>,
    /// By the whole name.
    names: SharedMap<Routes>,
    /// By what stands behind `*.`.
    wildcards: SharedMap<Routes>,
    /// How many names the routes have in all: none, and no hello is looked at.
    count: usize,
}

impl Streams {
    /// The route that takes a connection from there: the higher priority, then who names addresses, then the older.
    pub fn find(&self, port: u16, client: IpAddr) -> Option<&Arc<Route>> {
        first(self.ports.get(&port)?, client)
    }

    /// Whether any route asks for a server name.
    pub const fn has_names(&self) -> bool {
        self.count > 0
    }

    /// The same of a connection that begins with this name: the higher priority, then the exact name, then the longer
    /// wildcard; with what of the route takes it.
    pub fn find_name(&self, name: &str, client: IpAddr) -> Option<(&Arc<Route>, &HostMatch)> {
        let whole = self.names.get(name).into_iter();
        let suffixes = name.match_indices('.').filter(|&(dot, _)| dot > 0);
        let wild = suffixes.filter_map(|(dot, _)| self.wildcards.get(&name[dot + 1..]));
        let takers = whole.chain(wild).filter_map(|routes| first(routes, client));
        // The first of the highest: what was found before is nearer.
        let route = takers.reduce(|best, next| {
            if next.priority > best.priority {
                next
            } else {
                best
            }
        })?;
        route.server_name(name).map(|taken| (route, taken))
    }

    pub fn insert(&mut self, taken: &RawMatch, route: &Arc<Route>) {
        let put = |routes: &mut Routes| {
            routes.push(Arc::clone(route));
            routes.sort_by(|one, other| order(one).cmp(&order(other)));
        };
        match taken {
            RawMatch::Port(port) => {
                put(Arc::make_mut(&mut self.ports).entry(*port).or_default());
            }
            RawMatch::Names(names) => {
                for name in names {
                    let (table, text) = self.place(name);
                    put(table.get_or_default(text));
                    self.count += 1;
                }
            }
        }
    }

    /// Nothing happens if it is not there.
    pub fn remove(&mut self, taken: &RawMatch, route: &Arc<Route>) {
        let take = |routes: &mut Routes| {
            let before = routes.len();
            routes.retain(|one| one.name != route.name);
            before - routes.len()
        };
        match taken {
            RawMatch::Port(port) => {
                let ports = Arc::make_mut(&mut self.ports);
                if let Some(routes) = ports.get_mut(port) {
                    take(routes);
                    if routes.is_empty() {
                        ports.remove(port);
                    }
                }
            }
            RawMatch::Names(names) => {
                for name in names {
                    let (table, text) = self.place(name);
                    let Some(routes) = table.get_mut(text) else {
                        continue;
                    };
                    let gone = take(routes);
                    if routes.is_empty() {
                        table.remove(text);
                    }
                    self.count -= gone;
                }
            }
        }
    }

    /// Where the routes of a name stand, and under what.
    fn place<'n>(&mut self, name: &'n HostMatch) -> (&mut SharedMap<Routes>, &'n str) {
        match name {
            HostMatch::Exact(name) => (&mut self.names, name),
            HostMatch::Wildcard(suffix) => (&mut self.wildcards, suffix),
            // No route of raw connections has it; under this name nothing is looked for.
            HostMatch::Any => (&mut self.names, ""),
        }
    }
}

fn first(routes: &Routes, client: IpAddr) -> Option<&Arc<Route>> {
    routes.iter().find(|route| {
        let conditions = route.conditions.as_deref();
        conditions
            .is_none_or(|conditions| network::any_contains(&conditions.client_addresses, client))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, index: u64, priority: i8, names: &[&str]) -> Arc<Route> {
        let names = names.iter().map(|text| match text.strip_prefix("*.") {
            Some(suffix) => HostMatch::Wildcard(suffix.into()),
            None => HostMatch::Exact((*text).into()),
        });
        Arc::new(Route {
            priority,
            raw: Some(RawMatch::Names(names.collect())),
            ..Route::of(name, index, "unused", "/")
        })
    }

    fn put(streams: &mut Streams, route: &Arc<Route>) {
        streams.insert(route.raw.as_ref().unwrap(), route);
    }

    fn found(streams: &Streams, name: &str) -> Option<String> {
        let client = "10.0.0.1".parse().unwrap();
        let (route, _) = streams.find_name(name, client)?;
        Some(route.name.to_string())
    }

    #[test]
    fn the_nearest_name_wins_below_priority_and_the_older_among_equals() {
        let mut streams = Streams::default();
        assert!(!streams.has_names());
        let routes = [
            route("exact", 5, 0, &["db.a.test"]),
            route("younger", 6, 0, &["db.a.test", "*.b.test"]),
            route("near", 7, 0, &["*.a.test"]),
            route("far", 1, 0, &["*.test"]),
            route("above", 9, 1, &["*.c.test"]),
            route("below", 2, 0, &["db.c.test"]),
        ];
        for route in &routes {
            put(&mut streams, route);
        }
        for (name, wanted) in [
            ("db.a.test", Some("exact")),
            ("x.a.test", Some("near")),
            ("x.y.a.test", Some("near")),
            ("a.test", Some("far")),
            ("db.b.test", Some("younger")),
            ("db.c.test", Some("above")),
            ("test", None),
            (".test", None),
            ("", None),
        ] {
            assert_eq!(found(&streams, name).as_deref(), wanted, "{name}");
        }
        for route in &routes {
            let taken = route.raw.as_ref().unwrap();
            streams.remove(taken, route);
            streams.remove(taken, route);
        }
        assert!(!streams.has_names(), "no hello is looked at any more");
        assert_eq!(found(&streams, "db.a.test"), None);
    }
}
