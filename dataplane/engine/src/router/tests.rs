//! The router against its rules: case by case, and against a matcher written straight from the order of precedence.

use std::cmp::Reverse;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// A route of `host` and `path`, an `=` before the path for an exact one.
fn route(name: &str, index: u64, host: &str, path: &str) -> Arc<Route> {
    let host_match = match host.strip_prefix("*.") {
        Some(suffix) => HostMatch::Wildcard(suffix.into()),
        None if host == "*" => HostMatch::Any,
        None => HostMatch::Exact(host.into()),
    };
    let path_match = match path.strip_prefix('=') {
        Some(path) => PathMatch::Exact(path.into()),
        None => PathMatch::Prefix(path.into()),
    };
    Arc::new(Route {
        name: name.into(),
        key: format!("mesh/routes/{name}").into(),
        index,
        host: host_match,
        path: path_match,
        pattern: format!("{host}{path}").into(),
        action: Action::Split(Vec::new()),
        timeout: None,
        strip_prefix: None,
    })
}

/// A router of routes in the form `host/path`, each named so, the first the oldest.
fn router(texts: &[&str]) -> Router {
    let mut router = Router::default();
    for (index, text) in texts.iter().enumerate() {
        let at = text.find(['=', '/']).unwrap();
        router.insert(&route(text, index as u64, &text[..at], &text[at..]));
    }
    router
}

fn check(router: &Router, host: &str, path: &str, wanted: Option<&str>) {
    let found = router.find(host, path).map(|route| &*route.name);
    assert_eq!(found, wanted, "{host} {path}");
}

#[test]
fn a_prefix_takes_whole_segments() {
    let router = router(&["h/cart"]);
    for path in ["/cart", "/cart/", "/cart/1", "/cart//", "/cart/1/2"] {
        check(&router, "h", path, Some("h/cart"));
    }
    for path in [
        "/cartoon", "/car", "/", "", "//cart", "/Cart", "/x/cart", "*", "cart", "/cart%2F",
    ] {
        check(&router, "h", path, None);
    }
}

#[test]
fn a_prefix_that_ends_in_a_slash_takes_only_what_goes_on() {
    let router = router(&["h/cart/", "h//"]);
    check(&router, "h", "/cart", None);
    check(&router, "h", "/cart/", Some("h/cart/"));
    check(&router, "h", "/cart/1", Some("h/cart/"));
    check(&router, "h", "/", None);
    check(&router, "h", "//", Some("h//"));
    check(&router, "h", "//a", Some("h//"));
}

#[test]
fn the_root_prefix_takes_all_and_nothing_else_takes_the_asterisk() {
    let router = router(&["all/", "exact=/", "cart/cart"]);
    for path in ["/", "", "/a", "//", "*"] {
        check(&router, "all", path, Some("all/"));
    }
    check(&router, "exact", "", Some("exact=/"));
    check(&router, "exact", "/", Some("exact=/"));
    check(&router, "exact", "/a", None);
    check(&router, "exact", "*", None);
    check(&router, "cart", "*", None);
}

#[test]
fn an_exact_path_takes_its_bytes_and_no_others() {
    let router = router(&["h=/a/b", "h=/a/b/", "h/a"]);
    check(&router, "h", "/a/b", Some("h=/a/b"));
    check(&router, "h", "/a/b/", Some("h=/a/b/"));
    check(&router, "h", "/a/b/c", Some("h/a"));
    check(&router, "h", "/a/%62", Some("h/a"));
    check(&router, "h", "/a/x/../b", Some("h/a"));
}

#[test]
fn the_longest_prefix_is_found_and_a_shorter_one_where_it_ends() {
    let router = router(&["h/", "h/a", "h/a/b/c", "h/a/"]);
    check(&router, "h", "/a/b/c/d", Some("h/a/b/c"));
    check(&router, "h", "/a/b", Some("h/a/"));
    check(&router, "h", "/a", Some("h/a"));
    check(&router, "h", "/b", Some("h/"));
}

#[test]
fn a_wildcard_takes_one_label_or_more_and_the_longer_one_wins() {
    let router = router(&["*.example/", "*.shop.example/", "a.shop.example/x", "*/any"]);
    check(&router, "shop.example", "/", Some("*.example/"));
    check(&router, "a.shop.example", "/", Some("*.shop.example/"));
    check(&router, "a.b.shop.example", "/", Some("*.shop.example/"));
    check(&router, "a.shop.example", "/x", Some("a.shop.example/x"));
    check(&router, "example", "/", None);
    check(&router, ".example", "/", None);
    check(&router, "shopexample", "/", None);
    check(&router, "example", "/any", Some("*/any"));
    check(&router, "", "/any", Some("*/any"));
    check(&router, "a.shop.example", "/any", Some("*.shop.example/"));
}

#[test]
fn of_two_alike_the_older_wins_then_the_name_and_the_next_one_follows() {
    let mut router = Router::default();
    let alike = [
        route("b", 2, "h", "/"),
        route("c", 1, "h", "/"),
        route("a", 2, "h", "/"),
    ];
    for route in &alike {
        router.insert(route);
    }
    check(&router, "h", "/", Some("c"));
    router.remove(&alike[1]);
    check(&router, "h", "/", Some("a"));
    router.remove(&alike[2]);
    check(&router, "h", "/", Some("b"));
    router.remove(&alike[0]);
    check(&router, "h", "/", None);
    assert!(router.exact.is_empty(), "an empty host stays in memory");
    router.remove(&alike[0]);
}

#[test]
fn a_change_shares_the_hosts_it_does_not_touch() {
    let before = router(&["a/1", "b/1"]);
    let mut after = before.clone();
    after.insert(&route("new", 9, "b", "/2"));
    assert!(Arc::ptr_eq(
        before.exact.get("a").unwrap(),
        after.exact.get("a").unwrap()
    ));
    assert!(!Arc::ptr_eq(
        before.exact.get("b").unwrap(),
        after.exact.get("b").unwrap()
    ));
    check(&before, "b", "/2", None);
}

#[test]
fn a_hostile_host_or_path_costs_no_more_than_its_bytes() {
    let router = router(&["*.example/", "h/a"]);
    check(&router, &"a.".repeat(4000), "/", None);
    check(&router, "h", &"/".repeat(8000), None);
    check(&router, "h", &"/a".repeat(4000), Some("h/a"));
}

#[test]
fn the_prefix_is_stripped_by_whole_segments() {
    let strip = |strip: &str, path: &str| {
        let mut route = Arc::unwrap_or_clone(route("r", 1, "h", "/"));
        route.strip_prefix = Some(strip.into());
        route.forwarded_path(path).into_owned()
    };
    let cases = [
        ("/cart", "/cart", "/"),
        ("/cart", "/cart/", "/"),
        ("/cart", "/cart/1?a=/cart", "/1?a=/cart"),
        ("/cart", "/cart?a=1", "/?a=1"),
        ("/cart", "/cartoon", "/cartoon"),
        ("/cart", "*", "*"),
        ("/cart", "/cart//x", "//x"),
        ("/cart/", "/cart/1", "/1"),
        ("/", "/a", "/a"),
    ];
    for (prefix, path, wanted) in cases {
        assert_eq!(strip(prefix, path), wanted, "{prefix} from {path}");
    }
    assert_eq!(route("r", 1, "h", "/a").forwarded_path("/a?b"), "/a?b");
}

#[test]
fn a_redirect_takes_the_rest_along_where_its_location_ends_in_a_slash() {
    let redirect = |from: &str, location: &str, path: &str| {
        let mut route = Arc::unwrap_or_clone(route("r", 1, "h", from));
        route.action = Action::Redirect {
            status: 301,
            location: location.into(),
        };
        route.timeout = Some(Duration::from_secs(1));
        route.redirect_location(path).unwrap().into_owned()
    };
    let cases = [
        (
            "/",
            "https://new.example/",
            "/a/b?c=1",
            "https://new.example/a/b?c=1",
        ),
        ("/", "https://new.example/", "/", "https://new.example/"),
        ("/", "https://new.example/", "*", "https://new.example/"),
        (
            "/old",
            "https://new.example/x/",
            "/old/a?b",
            "https://new.example/x/a?b",
        ),
        (
            "/old",
            "https://new.example/x/",
            "/old?b",
            "https://new.example/x/?b",
        ),
        (
            "/old",
            "https://new.example/x",
            "/old/a?b",
            "https://new.example/x",
        ),
        (
            "=/",
            "https://new.example/",
            "/?b=1",
            "https://new.example/?b=1",
        ),
        // Else a stranger could name the host one is sent to.
        ("/", "/", "//evil.example/", "/evil.example/"),
        ("/old", "/", "/old//evil.example/", "/evil.example/"),
        ("/old", "/", "/old/\\evil.example/", "/evil.example/"),
    ];
    for (from, location, path, wanted) in cases {
        assert_eq!(
            redirect(from, location, path),
            wanted,
            "{path} from {from} to {location}"
        );
    }
    assert_eq!(route("r", 1, "h", "/").redirect_location("/"), None);
}

/// The order of precedence of docs/boundary.md, word by word.
fn naive<'r>(routes: &'r [Arc<Route>], host: &str, path: &str) -> Option<&'r Arc<Route>> {
    let path = if path.is_empty() { "/" } else { path };
    let matching = routes
        .iter()
        .filter(|route| takes_host(route, host) && takes_path(route, path));
    matching.max_by_key(|route| {
        let host_rank = match &route.host {
            HostMatch::Exact(_) => (2, 0),
            HostMatch::Wildcard(suffix) => (1, suffix.len()),
            HostMatch::Any => (0, 0),
        };
        let path_rank = match &route.path {
            PathMatch::Exact(_) => (1, 0),
            PathMatch::Prefix(path) => (0, path.len()),
        };
        (
            host_rank,
            path_rank,
            Reverse(route.index),
            Reverse(&route.name),
        )
    })
}

fn takes_host(route: &Route, host: &str) -> bool {
    match &route.host {
        HostMatch::Exact(exact) => host == &**exact,
        HostMatch::Wildcard(suffix) => host
            .strip_suffix(&**suffix)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        HostMatch::Any => true,
    }
}

fn takes_path(route: &Route, path: &str) -> bool {
    match &route.path {
        PathMatch::Exact(exact) => path == &**exact,
        PathMatch::Prefix(prefix) if &**prefix == "/" => true,
        PathMatch::Prefix(prefix) if prefix.ends_with('/') => path.starts_with(&**prefix),
        PathMatch::Prefix(prefix) => path
            .strip_prefix(&**prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

/// Few names, so that routes meet.
fn hosts() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&["a", "b", "ab"][..]), 1..4)
        .prop_map(|labels| labels.join("."))
}

fn route_hosts() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => hosts(),
        2 => hosts().prop_map(|host| format!("*.{host}")),
        1 => Just("*".to_owned()),
    ]
}

fn paths() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&["a", "ab", "", "%61", "."][..]), 0..4)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

fn route_paths() -> impl Strategy<Value = String> {
    prop_oneof![paths(), paths().prop_map(|path| format!("={path}"))]
}

fn asked_paths() -> impl Strategy<Value = String> {
    prop_oneof![8 => paths(), 1 => Just(String::new()), 1 => Just("*".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_router_finds_what_the_order_of_precedence_says(
        routes in prop::collection::vec((route_hosts(), route_paths(), 0_u64..3, any::<bool>()), 0..24),
        asked in prop::collection::vec((hosts(), asked_paths()), 1..24),
    ) {
        let mut router = Router::default();
        let mut kept = Vec::new();
        for (at, (host, path, index, is_kept)) in routes.iter().enumerate() {
            let route = route(&format!("r{at}"), *index, host, path);
            router.insert(&route);
            kept.push((route, *is_kept));
        }
        for (route, _) in kept.iter().filter(|(_, is_kept)| !is_kept) {
            router.remove(route);
        }
        let kept: Vec<_> =
            kept.into_iter().filter(|(_, is_kept)| *is_kept).map(|(route, _)| route).collect();
        for (host, path) in &asked {
            let found = router.find(host, path).map(|route| &route.name);
            let wanted = naive(&kept, host, path).map(|route| &route.name);
            prop_assert_eq!(found, wanted, "{} {}", host, path);
        }
    }
}
