//! The router against a matcher written straight from docs/boundary.md, on random tables and requests: it knows the
//! routes as they were written and nothing of how the router holds them.

use std::cmp::Reverse;

use proptest::prelude::*;

use super::*;

/// A route as it is written.
#[derive(Debug, Clone)]
struct Written {
    hosts: Vec<String>,
    /// As `Route::of` reads it.
    path: String,
    index: u64,
    priority: i8,
    methods: Vec<&'static str>,
    /// Name and value of headers, negated or not.
    headers: Vec<(&'static str, &'static str, bool)>,
    query: Vec<&'static str>,
    sources: Vec<&'static str>,
    is_kept: bool,
}

#[derive(Debug, Clone)]
struct Sent {
    host: String,
    path: String,
    method: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    query: Option<&'static str>,
    source: &'static str,
}

fn labels() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&["a", "b", "ab", "mesh"][..]), 1..4)
        .prop_map(|labels| labels.join("."))
}

fn route_hosts() -> impl Strategy<Value = Vec<String>> {
    let host = prop_oneof![
        3 => labels(),
        2 => labels().prop_map(|host| format!("*.{host}")),
        1 => Just("*".to_owned()),
    ];
    prop::collection::btree_set(host, 1..3).prop_map(|hosts| hosts.into_iter().collect())
}

fn paths() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&["a", "ab", "", "%61", "."][..]), 0..4)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

fn route_paths() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => paths(),
        2 => paths().prop_map(|path| format!("={path}")),
        1 => prop::sample::select(&["*/a/*", "*/a/**", "**/ab", "*/a/?b", "*/**"][..]).prop_map(str::to_owned),
        1 => prop::sample::select(&["~/a/[ab]+", "~/a/.*|/ab/.*", "~/(a|ab)/?", "~.*b", "~/a/ab"][..]).prop_map(str::to_owned),
    ]
}

fn written() -> impl Strategy<Value = Written> {
    let headers = (
        prop::sample::select(&["x-a", "x-b"][..]),
        prop::sample::select(&["1", "2"][..]),
        any::<bool>(),
    );
    (
        (
            route_hosts(),
            route_paths(),
            0_u64..3,
            prop::sample::select(&[0, 0, 0, 1, -1][..]),
        ),
        prop::sample::subsequence(vec!["GET", "POST"], 0..2),
        prop::collection::vec(headers, 0..2),
        prop::sample::subsequence(vec!["p", "q"], 0..2),
        prop_oneof![3 => Just(vec![]), 1 => Just(vec!["edge"]), 1 => Just(vec!["web", "x"])],
        prop::bool::weighted(0.7),
    )
        .prop_map(
            |((hosts, path, index, priority), methods, headers, query, sources, is_kept)| Written {
                hosts,
                path,
                index,
                priority,
                methods,
                headers,
                query,
                sources,
                is_kept,
            },
        )
}

fn sent() -> impl Strategy<Value = Sent> {
    let path = prop_oneof![8 => paths(), 1 => Just(String::new()), 1 => Just("*".to_owned())];
    let header = (
        prop::sample::select(&["X-A", "x-b"][..]),
        prop::sample::select(&["1", "2"][..]),
    );
    (
        labels(),
        path,
        prop::sample::select(&["GET", "POST", "PUT"][..]),
        prop::collection::vec(header, 0..3),
        prop::sample::select(&[None, Some("p"), Some("q=1"), Some("q&p=2")][..]),
        prop::sample::select(&["edge", "web"][..]),
    )
        .prop_map(|(host, path, method, headers, query, source)| Sent {
            host,
            path,
            method,
            headers,
            query,
            source,
        })
}

fn compiled(name: &str, written: &Written) -> Route {
    let mut route = Route::of(name, written.index, &written.hosts[0], &written.path);
    let hosts = written
        .hosts
        .iter()
        .flat_map(|host| Route::of("", 0, host, "/").hosts);
    route.hosts = hosts.collect();
    route.priority = written.priority;
    let boxed = |texts: &[&str]| texts.iter().map(|text| Box::from(*text)).collect();
    let header = |&(name, value, is_negated): &(&str, &str, bool)| Condition {
        name: name.into(),
        value: ValueMatch::Exact(value.into()),
        is_negated,
    };
    let conditions = Conditions {
        methods: boxed(&written.methods),
        headers: written.headers.iter().map(header).collect(),
        query: written
            .query
            .iter()
            .map(|name| on(name, ValueMatch::Present))
            .collect(),
        sources: boxed(&written.sources),
        ..Conditions::default()
    };
    route.conditions = (!conditions.is_empty()).then(|| Box::new(conditions));
    route
}

/// The rank of the best of the hosts that takes `host`.
fn host_rank(hosts: &[String], host: &str) -> Option<(u8, usize)> {
    let rank = |written: &String| match written.strip_prefix("*.") {
        Some(suffix) => host
            .strip_suffix(suffix)
            .filter(|labels| labels.len() > 1 && labels.ends_with('.'))
            .map(|_| (1, suffix.len())),
        None if written == "*" => (!is_mesh_host(host)).then_some((0, 0)),
        None => (written == host).then_some((2, 0)),
    };
    hosts.iter().filter_map(rank).max()
}

/// What each of the patterns takes, and how many whole segments it begins with: by hand.
fn pattern_rank(written: &str, path: &str) -> Option<usize> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let below_a = segments.len() > 1 && segments[0] == "a";
    let (takes, begins) = match written {
        "*/a/*" => (below_a && segments.len() == 2, 1),
        "*/a/**" => (below_a, 1),
        "**/ab" => (path == "/ab", 0),
        "*/a/?b" => (below_a && segments.len() == 2 && segments[1] == "ab", 1),
        "*/**" => (true, 0),
        "~/a/[ab]+" => (
            below_a && segments.len() == 2 && matches!(segments[1], "a" | "ab"),
            1,
        ),
        "~/a/.*|/ab/.*" => (segments.len() > 1 && matches!(segments[0], "a" | "ab"), 0),
        "~/(a|ab)/?" => (matches!(path, "/a" | "/a/" | "/ab" | "/ab/"), 0),
        "~.*b" => (path.ends_with('b'), 0),
        "~/a/ab" => (path == "/a/ab", 1),
        _ => unreachable!("{written}"),
    };
    takes.then_some(begins)
}

/// The greater goes first.
fn path_rank(written: &str, path: &str) -> Option<(bool, usize, u8, usize)> {
    let path = if path.is_empty() { "/" } else { path };
    if written.starts_with(['*', '~']) {
        return pattern_rank(written, path).map(|begins| (false, begins, 1, written.len()));
    }
    if let Some(exact) = written.strip_prefix('=') {
        return (exact == path).then_some((true, 0, 0, 0));
    }
    if written == "/" {
        return Some((false, 0, 0, 0));
    }
    let segments = written.matches('/').count();
    if written.ends_with('/') {
        return path
            .starts_with(written)
            .then_some((false, segments - 1, 2, 0));
    }
    let rest = path.strip_prefix(written)?;
    (rest.is_empty() || rest.starts_with('/')).then_some((false, segments, 0, 0))
}

fn holds(written: &Written, sent: &Sent) -> bool {
    let has_header = |name: &str, value: &str| {
        sent.headers
            .iter()
            .any(|(other, sent)| other.eq_ignore_ascii_case(name) && *sent == value)
    };
    let has_query = |name: &str| {
        let query = sent.query.unwrap_or_default();
        query
            .split('&')
            .any(|part| part.split('=').next() == Some(name))
    };
    (written.methods.is_empty() || written.methods.contains(&sent.method))
        && (written.sources.is_empty() || written.sources.contains(&sent.source))
        && written
            .headers
            .iter()
            .all(|(name, value, negated)| has_header(name, value) != *negated)
        && written.query.iter().all(|name| has_query(name))
}

/// The order of precedence of docs/boundary.md, word by word.
fn naive(routes: &[(String, Written)], sent: &Sent) -> Option<String> {
    let ranked = routes.iter().filter_map(|(name, route)| {
        let host = host_rank(&route.hosts, &sent.host)?;
        let path = path_rank(&route.path, &sent.path)?;
        let asks = (
            !route.methods.is_empty(),
            route.headers.len() + usize::from(!route.sources.is_empty()),
            route.query.len(),
        );
        let rank = (
            route.priority,
            host,
            path,
            asks,
            Reverse(route.index),
            Reverse(name.clone()),
        );
        holds(route, sent).then_some((rank, name))
    });
    ranked.max().map(|(_, name)| name.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_router_finds_what_the_order_of_precedence_says(
        routes in prop::collection::vec(written(), 0..24),
        requests in prop::collection::vec(sent(), 1..24),
    ) {
        let mut router = Router::default();
        let named: Vec<(String, Written)> =
            routes.into_iter().enumerate().map(|(at, route)| (format!("r{at}"), route)).collect();
        let all: Vec<Arc<Route>> =
            named.iter().map(|(name, route)| Arc::new(compiled(name, route))).collect();
        for route in &all {
            router.insert(route);
        }
        for (route, (_, written)) in all.iter().zip(&named) {
            if !written.is_kept {
                router.remove(route);
            }
        }
        let kept: Vec<_> = named.into_iter().filter(|(_, written)| written.is_kept).collect();
        for sent in &requests {
            let found = with_headers(&sent.headers, |headers| {
                let asked = Asked {
                    host: &sent.host, path: &sent.path, query: sent.query, method: sent.method,
                    headers, source: sent.source, ..Asked::get("", "")
                };
                let found = router.find(&asked).cloned();
                let takers = all.iter().zip(0..).filter(|(route, at)| {
                    kept.iter().any(|(name, _)| *name == format!("r{at}")) && route.missed(&asked).is_none()
                });
                let first = takers.map(|(route, _)| route).min_by_key(|route| precedence(route, &sent.host));
                assert_eq!(found.as_ref(), first, "what is explained is what is done");
                found
            });
            prop_assert_eq!(found.map(|route| route.name.to_string()), naive(&kept, sent), "{:?}", sent);
        }
    }
}
